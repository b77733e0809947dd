"""Which sessions a rule can be tried on: those of which the lake has all that it looks at."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lake.alerts.rule import Move, leaves
from lake.errors import MINUTES_HINT, EmptyLakeError, InvalidRangeError, MisuseError
from lake.interval import MINUTE, Interval
from serving_layer.backtest.minutes import stored_sessions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lake.alerts.rule import Rule
    from lake.session import SessionTable
    from serving_layer.merged import MergedReader
    from serving_layer.reader import Reader

SESSION_MINUTES: Final = 390


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a run may be of; None: any amount.

    Attributes:
        bars: Bars of minutes or hours of one interval, were there no extended hours.
        ticks: Sessions of recorded events.
    """

    bars: int | None = None
    ticks: int | None = None


SERVED: Final = Limits(bars=100_000, ticks=5)
"""Of who asks over HTTP: a year of minutes, some seconds of work."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The sessions of which the lake has something.

    Attributes:
        what: What that is, as `1m bars`.
        first: The first of them.
        last: The last.
        most: Of how many of them a run may be; None: of any number.
    """

    what: str
    first: dt.date
    last: dt.date
    most: int | None = None


def chosen(
    kept: Sequence[Kept], start: dt.date | None, end: dt.date | None, table: SessionTable
) -> range:
    """Return the ordinals of the sessions of a run.

    Args:
        kept: What it needs.
        start: Its first date; None: from when on all is there.
        end: Its last date, inclusive; None, or later than there is: as long as all is there.
        table: The sessions of the exchange.

    Raises:
        InvalidRangeError: If there are none, too many, or some of which not all is there.
    """
    check_dates(start, end)
    latest, earliest = max(kept, key=_first), min(kept, key=_last)
    if start is not None and start < latest.first:
        fact = f"The lake has {latest.what} from {latest.first} on, and the start is {start}."
        raise InvalidRangeError(fact, hint="start then, or later.")
    first = start or latest.first
    if first > earliest.last:
        fact = f"The lake has {earliest.what} until {earliest.last}, and the start is {first}."
        raise InvalidRangeError(fact, hint="start then, or earlier.")
    last = min(end or earliest.last, earliest.last)
    ordinals = table.ordinals(first, last)
    if not ordinals:
        fact = f"There is nothing to run on from {first} to {last}."
        raise InvalidRangeError(fact, hint="ask for more days: a session at least.")
    for each in kept:
        if each.most is not None and len(ordinals) > each.most:
            fact = f"{len(ordinals):,} sessions of {each.what} are too many at a time."
            raise InvalidRangeError(fact, hint=f"{each.most:,} may be: name start and end.")
    return ordinals


def kept_minutes(
    reader: Reader, merged: MergedReader, intervals: Iterable[Interval], limits: Limits
) -> list[Kept]:
    """Return of which sessions the lake has bars of some intraday intervals.

    Raises:
        EmptyLakeError: If it has none at all of one.
    """
    found = []
    until = merged.boundary(MINUTE) or dt.date.max
    for interval in intervals:
        sessions = [day for day in stored_sessions(reader.store, interval) if day <= until]
        if not sessions:
            fact = f"The lake {reader.store.location} holds no {interval} bars yet."
            raise EmptyLakeError(fact, hint=MINUTES_HINT)
        most = (
            None if limits.bars is None else limits.bars // -(-SESSION_MINUTES // interval.minutes)
        )
        found.append(Kept(f"{interval} bars", sessions[0], sessions[-1], most))
    return found


def check_dates(start: dt.date | None, end: dt.date | None) -> None:
    """Refuse a range that ends before it begins.

    Raises:
        InvalidRangeError: If it does.
    """
    if start and end and start > end:
        fact = f"The start {start} is after the end {end}."
        raise InvalidRangeError(fact)


def check_moves(rule: Rule) -> None:
    """Refuse moves over minutes, of which daily bars tell nothing.

    Raises:
        MisuseError: If the rule has one.
    """
    for leaf in leaves(rule.when):
        if isinstance(leaf, Move) and Interval.parse(leaf.window).is_intraday:
            fact = f"A move over {leaf.window} is not to be seen in daily bars."
            raise MisuseError(fact, hint="ask for resolution 1m or ticks.")


def _first(kept: Kept) -> dt.date:
    return kept.first


def _last(kept: Kept) -> dt.date:
    return kept.last
