"""Which sessions a rule can be tried on: those of which the lake has all that it looks at."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lake.alerts.rule import Move, Price, leaves
from lake.errors import MINUTES_HINT, EmptyLakeError, InvalidRangeError, MisuseError
from lake.hours import DAY_MINUTES
from lake.interval import MINUTE, Interval
from serving_layer.backtest.minutes import stored_sessions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lake.alerts.rule import Leaf, Rule
    from lake.session import SessionTable
    from serving_layer.merged import MergedReader
    from serving_layer.reader import Reader

SESSION_MINUTES: Final = 390


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a run may be of; None: any amount.

    Attributes:
        looks: Minutes, and bars of minutes and hours, each as often as it is looked at; see
            `most_sessions`.
        ticks: Sessions of recorded events.
        events: Recorded events, of all symbols.
    """

    looks: int | None = None
    ticks: int | None = None
    events: int | None = None


SERVED: Final = Limits(looks=500_000, ticks=5, events=2_000_000)
"""Of who asks over HTTP: a year of minutes for one condition, some seconds of work."""


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
        start: Its first date; None: from when on all is there, or as many of the last sessions as
            there may be.
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
        if each.most is None or len(ordinals) <= each.most:
            continue
        if start is not None:
            fact = f"{len(ordinals):,} sessions of {each.what} are too many at a time."
            raise InvalidRangeError(fact, hint=f"{each.most:,} may be: start later, or end before.")
        ordinals = ordinals[-each.most :]
    return ordinals


def most_sessions(rule: Rule, limits: Limits, *, has_minutes: bool) -> int | None:
    """Return of how many sessions with minutes a run may be; None: of any number.

    What a session costs is counted in what is looked at: all its minutes, where prices are told of
    minutes, and for each condition once more; of conditions on bars of minutes and hours those
    bars, or, while they form, a bar each minute.
    """
    if limits.looks is None:
        return None
    minutes = DAY_MINUTES if has_minutes else 0
    cost = minutes + sum(_looks(leaf, minutes) for leaf in leaves(rule.when))
    return max(1, limits.looks // max(1, cost))


def _looks(leaf: Leaf, minutes: int) -> int:
    """Return what a condition looks at in a session of which so many minutes are told."""
    if isinstance(leaf, Price | Move):
        return minutes
    interval = Interval.parse(leaf.interval)
    if leaf.state == "forming" and minutes:
        return minutes
    return -(-DAY_MINUTES // interval.minutes) if interval.is_intraday else 0


def kept_minutes(
    reader: Reader, merged: MergedReader, intervals: Iterable[Interval], most: int | None
) -> list[Kept]:
    """Return of which sessions the lake has bars of some intraday intervals.

    Args:
        reader: Of the lake.
        merged: The same, as of a feed that may tell a session again.
        intervals: Of minutes or hours.
        most: Of how many sessions a run may be.

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
