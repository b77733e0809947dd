"""What an evaluation goes on from where the flow is another one than before, as another replay is.

What was known of the market is not of this flow, and neither is what was true of it: alerts are as
at first. But each goes on counting its firings, by which they are named, and one that fired and
does not repeat is done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lake.alerts.book import Book
from speed_layer.alerts.keeper import Begun
from speed_layer.alerts.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from database.alert_flow import StateRow
    from speed_layer.alerts.watched import Watched


def anew(begun: Begun) -> Begun:
    """Return what an evaluation begins with in another flow."""
    states = {row.alert: row for row in _first(begun.alerts, begun.states)}
    gone: dict[str, str | None] = dict.fromkeys(begun.market)
    return Begun("", begun.alerts, states, {}, Pending(states=dict(states), market=gone))


def _first(alerts: Iterable[Watched], states: dict[str, StateRow]) -> Iterable[StateRow]:
    for watched in alerts:
        row = states.get(watched.alert)
        if row is not None and row.revision == watched.revision:
            book = Book()
            book.add(watched.alert, watched.revision, watched.rule, None)
            first = book.changed().rules[watched.alert].state
            yield replace(row, state=first, last_fired=None, adopted=None)
