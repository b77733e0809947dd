"""The bar, and the one law by which its parts merge.

A contribution is what a daily bar, a trade or a part of a bar brings in. Contributions in order of
time form a monoid: `merge` is associative and `NEUTRAL` changes nothing, so any split of the same
input merges to the same bar. Batch SQL, and every engine beside it, is held to this law by tests.

Units:  prices are float64 USD a share, volume float64 shares, notional USD; all unrounded.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

N = TypeVar("N", int, float)

State = Literal["forming", "final"]
Hours = Literal["regular", "extended"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """A part of a bar.

    Attributes:
        open: First price; null is neutral.
        high: Highest price; null is neutral.
        low: Lowest price; null is neutral.
        close: Last price; null is neutral.
        volume: Shares traded.
        notional: Volume times vwap, in USD; null where a part with volume lacks its vwap.
        trades: Number of trades; null where a part with volume does not know it.
    """

    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None
    volume: float = 0.0
    notional: float | None = 0.0
    trades: int | None = 0

    @property
    def is_bar(self) -> bool:
        """Whether this is a bar: one exists once open and close do."""
        return self.open is not None and self.close is not None

    @property
    def vwap(self) -> float | None:
        """Notional over volume; null without volume, or where a part with volume lacks it."""
        if self.notional is None or self.volume == 0:
            return None
        return self.notional / self.volume

    def rebased(self, factor: float) -> Contribution:
        """Return this contribution on the basis after a split of `factor` new shares for one."""
        return Contribution(
            open=None if self.open is None else self.open / factor,
            high=None if self.high is None else self.high / factor,
            low=None if self.low is None else self.low / factor,
            close=None if self.close is None else self.close / factor,
            volume=self.volume * factor,
            notional=self.notional,
            trades=self.trades,
        )


NEUTRAL: Final = Contribution()


def merge(earlier: Contribution, later: Contribution) -> Contribution:
    """Return the contribution of both, `earlier` before `later`, on the same split basis."""
    return Contribution(
        open=later.open if earlier.open is None else earlier.open,
        high=_of_both(max, earlier.high, later.high),
        low=_of_both(min, earlier.low, later.low),
        close=earlier.close if later.close is None else later.close,
        volume=earlier.volume + later.volume,
        notional=_sum(earlier.notional, later.notional),
        trades=_sum(earlier.trades, later.trades),
    )


def _of_both(
    pick: Callable[[float, float], float], one: float | None, other: float | None
) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return pick(one, other)


def _sum(one: N | None, other: N | None) -> N | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a session interval, as silver holds it and readers get it.

    Attributes:
        listing: Stable id of the security.
        symbol: Its ticker.
        start: First session of its bucket by the calendar.
        open: First price, USD a share.
        high: Highest price, USD a share.
        low: Lowest price, USD a share.
        close: Last price, USD a share.
        volume: Shares traded.
        vwap: Volume-weighted average price, USD a share; null where unknown.
        trades: Number of trades; null where unknown.
        sessions: Sessions of the bucket that the listing traded.
        sessions_expected: Sessions of the bucket up to `through`.
        through: The last session considered when the bar was built.
        state: `final` once the bucket's last session is `through`, else `forming`.
        revision: How often it changed: the sum over its sessions.
    """

    listing: str
    symbol: str
    start: dt.date
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None
    trades: int | None
    sessions: int
    sessions_expected: int
    through: dt.date
    state: State
    revision: int


@dataclass(frozen=True, slots=True)
class IntradayBar:
    """A bar of minutes or hours, as readers get it.

    Attributes:
        listing: Stable id of the security.
        symbol: Its ticker.
        start: When it begins, UTC.
        open: First price, USD a share.
        high: Highest price, USD a share.
        low: Lowest price, USD a share.
        close: Last price, USD a share.
        volume: Shares traded.
        vwap: Volume-weighted average price, USD a share; null where unknown.
        trades: Number of trades; null where unknown.
        sessions: 1, and so is `sessions_expected`.
        sessions_expected: 1.
        through: Its session.
        state: `final`.
        revision: How often it changed: the sum over its minutes.
        hours: Those of its session that it is in.
        minutes: Minutes of it that the listing traded.
        minutes_expected: Minutes that it lasts, cut where its hours end.
    """

    listing: str
    symbol: str
    start: dt.datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None
    trades: int | None
    sessions: int
    sessions_expected: int
    through: dt.date
    state: State
    revision: int
    hours: Hours
    minutes: int
    minutes_expected: int
