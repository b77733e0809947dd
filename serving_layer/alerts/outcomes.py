"""What the price did after a firing: the close so many sessions later, against the firing's price.

Sessions are those of the exchange, whether the listing traded in them or not: of one in which it
did not, its last close before counts. Where its bars end earlier there is no outcome (yet).
Dividends do not count.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's field
from bisect import bisect_right
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Final

from lake.exchange import trading_day
from lake.instant import from_microseconds
from serving_layer.alerts.stored import session_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lake.alerts.seen import SeenBar
    from lake.session import SessionTable

HORIZONS: Final = (1, 3, 5, 8, 13)
"""Sessions after a firing's own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the price did by one session after a firing.

    Attributes:
        sessions: How many sessions after the firing's own.
        session: Which that is; null where it is still to come, or the listing's bars end before.
        close: The last close by then, USD a share.
        change_percent: Of the firing's price.
    """

    sessions: int
    session: dt.date | None
    close: float | None
    change_percent: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the price did by one session after each of some firings.

    Attributes:
        sessions: How many sessions after the firing's own.
        count: Of how many firings that is known; if of none, the others are null.
        mean_percent: The mean change.
        median_percent: The median change.
        up_share: The share of those after which the price was higher, 0 to 1.
    """

    sessions: int
    count: int
    mean_percent: float | None
    median_percent: float | None
    up_share: float | None


class Closes:
    """The closes of one listing.

    Args:
        days: Its daily bars, in order.
        table: The sessions of the exchange.
    """

    def __init__(self, days: Sequence[SeenBar], table: SessionTable) -> None:
        self._table = table
        self._ordinals = [_ordinal(session_of(day), table) for day in days]
        self._closes = [day.close for day in days]

    def after(self, time: int, price: float) -> list[Outcome]:
        """Return the outcomes of a firing, one a horizon.

        Args:
            time: When it fired, in microseconds; its session is the last that began by that date.
            price: At which price, USD a share, on the basis of the closes.
        """
        session = _ordinal(trading_day(from_microseconds(time)), self._table)
        return [self._after(session, sessions, price) for sessions in HORIZONS]

    def _after(self, session: int, sessions: int, price: float) -> Outcome:
        there = session + sessions
        if not self._ordinals or there > self._ordinals[-1]:
            return Outcome(sessions, None, None, None)
        place = bisect_right(self._ordinals, there) - 1
        close = self._closes[place]
        return Outcome(sessions, self._table[there], close, 100 * (close / price - 1))


def summaries(outcomes: Iterable[list[Outcome]]) -> list[Summary]:
    """Return what the price did after all firings, one row a horizon."""
    changes: dict[int, list[float]] = {sessions: [] for sessions in HORIZONS}
    for of_firing in outcomes:
        for outcome in of_firing:
            if outcome.change_percent is not None:
                changes[outcome.sessions].append(outcome.change_percent)
    return [_summary(sessions, known) for sessions, known in changes.items()]


def _summary(sessions: int, known: Sequence[float]) -> Summary:
    if not known:
        return Summary(sessions, 0, None, None, None)
    up = sum(change > 0 for change in known) / len(known)
    return Summary(sessions, len(known), fmean(known), median(known), up)


def _ordinal(day: dt.date, table: SessionTable) -> int:
    """Return the ordinal of the last session by a date."""
    return bisect_right(table.dates, day) - 1
