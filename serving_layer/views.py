"""The merge: after what the lake's bars cover, the live daily bars of every session, on one basis.

    sessions        Mon Tue Wed Thu Fri     buckets of three
    stored         |Mon Tue    |            through Tue, which batch considered last
    live                Tue Wed Thu         the view has not forgotten Tue yet
    answer         |Mon Tue Wed|Thu        |through Wed and Thu

A live bar that its stored one covers does not count, so none counts twice; one after it always
does, so none is lost: whatever batch has covered meanwhile. The law is `lake.bar.merge`; a stored
bar is brought from the split basis of its `through` to that of the last session merged into it.

Units: prices USD a share, volumes shares; sessions are dates of the exchange's calendar.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from lake.bar import Bar, Contribution, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lake.session import SessionTable

Split: TypeAlias = Callable[[dt.date, dt.date], float]
"""How many shares stand on a later session for one on an earlier: 2 after a split of 2 for 1."""


@dataclass(frozen=True, slots=True)
class LiveDay:
    """What the speed layer tells of a session of a listing.

    Attributes:
        session: The session, on whose split basis it is.
        symbol: Under which it traded.
        part: What it brings in.
        is_final: Whether no trade can change it any more but by batch.
    """

    session: dt.date
    symbol: str
    part: Contribution
    is_final: bool


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets of n sessions, by the ordinals of the exchange's sessions.

    Attributes:
        table: The sessions.
        sessions: How many there are in one: n.
    """

    table: SessionTable
    sessions: int

    def start(self, session: dt.date) -> dt.date:
        """Return the first session of the bucket that owns a session."""
        ordinal = self._ordinal(session)
        return self.table[ordinal - ordinal % self.sessions]

    def passed(self, session: dt.date) -> int:
        """Return how many of its bucket's sessions there are up to a session, it included."""
        return self._ordinal(session) % self.sessions + 1

    def known(self, days: Iterable[LiveDay]) -> list[LiveDay]:
        """Return the days that are sessions of the exchange, in order."""
        kept = (day for day in days if self.table.ordinal(day.session) is not None)
        return sorted(kept, key=lambda day: day.session)

    def _ordinal(self, session: dt.date) -> int:
        return self.table.ordinals(session, session)[0]


def contribution_of(bar: Bar) -> Contribution:
    """Return what a bar brings in."""
    return contribution((bar.open, bar.high, bar.low, bar.close), bar.volume, bar.vwap, bar.trades)


def contribution(
    prices: tuple[float, float, float, float],
    volume: float,
    vwap: float | None,
    trades: int | None,
) -> Contribution:
    """Return what open, high, low and close, a volume, its vwap and its trades bring in."""
    unknown = None if volume else 0
    notional = unknown if vwap is None else vwap * volume
    count = unknown if trades is None else trades
    return Contribution(*prices, volume=volume, notional=notional, trades=count)


def merged(  # noqa: PLR0913 - whose, both sides, and by what they are merged
    listing: str,
    stored: Sequence[Bar],
    days: Iterable[LiveDay],
    *,
    buckets: Buckets,
    covered: dt.date | None,
    split: Split,
) -> list[Bar]:
    """Return the bars of a listing as batch and speed layer tell them together, in order of start.

    Args:
        listing: Whose.
        stored: Its bars as silver has them, each on the basis of its `through`; at least those of
            the buckets that days are in.
        days: What the speed layer tells of it, in any order.
        buckets: Of the interval.
        covered: The last session that batch has considered, as it was known before `stored` was
            read: of a bucket of which nothing is stored; None: none.
        split: Of this listing.
    """
    bars = {bar.start: bar for bar in stored}
    in_order = buckets.known(days)
    for start, of_bucket in groupby(in_order, lambda day: buckets.start(day.session)):
        bar = bars.get(start)
        after = bar.through if bar else covered
        later = [day for day in of_bucket if after is None or day.session > after]
        if later:
            bars[start] = _with(listing, bar, later, buckets, split)
    return [bars[start] for start in sorted(bars)]


def _with(
    listing: str, bar: Bar | None, days: Sequence[LiveDay], buckets: Buckets, split: Split
) -> Bar:
    last = days[-1]
    parts = [(day.session, day.part) for day in days]
    if bar:
        parts.insert(0, (bar.through, contribution_of(bar)))
    whole = reduce(merge, (part.rebased(split(day, last.session)) for day, part in parts))
    passed = buckets.passed(last.session)
    is_final = passed == buckets.sessions and all(day.is_final for day in days)
    return Bar(
        listing=listing,
        symbol=last.symbol,
        start=buckets.start(last.session),
        **_values(whole),
        sessions=(bar.sessions if bar else 0) + len(days),
        sessions_expected=passed,
        through=last.session,
        state="final" if is_final else "forming",
        revision=bar.revision if bar else 0,
    )


def _values(whole: Contribution) -> dict[str, Any]:
    names = ("open", "high", "low", "close", "volume", "vwap", "trades")
    return {name: getattr(whole, name) for name in names}
