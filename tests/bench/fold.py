"""The fold itself: bars in order of listing and session, into bars of n sessions, in one pass.

With numba, which `make bench` installs, it is machine code; without, it is slow and the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Column = NDArray[Any]

_WHOLE: Final = {"trades": np.int64} | dict.fromkeys(
    ("listing", "symbol", "bucket", "sessions", "revision"), np.int32
)


def _compiled(**options: object) -> Callable[[F], F]:
    """Return what makes machine code of a function, where numba is installed."""
    try:
        from numba import njit  # noqa: PLC0415 - for benchmarks alone
    except ImportError:
        return lambda function: function
    made: Callable[[F], F] = njit(cache=True, nogil=True, error_model="numpy", **options)
    return made


class Rows(NamedTuple):
    """A year's bars, in order of listing and session."""

    ordinal: Column
    symbol: Column
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column
    vwap: Column
    trades: Column
    revision: Column


class Splits(NamedTuple):
    """The splits of listing i are those from `at[i]` to `at[i + 1]`."""

    at: Column
    ordinal: Column
    factor: Column


class Bars(NamedTuple):
    """Bars of n sessions, or room for them."""

    listing: Column
    symbol: Column
    bucket: Column
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column
    notional: Column
    trades: Column
    sessions: Column
    revision: Column

    @classmethod
    def room_for(cls, bars: int) -> Self:
        return cls(*(np.empty(bars, _WHOLE.get(name, np.float64)) for name in cls._fields))


@_compiled()
def _factor(ordinal: int, through: int, listing: int, splits: Splits) -> float:
    """Return the product of the splits after a session and by `through`."""
    factor = 1.0
    for each in range(splits.at[listing], splits.at[listing + 1]):
        if ordinal < splits.ordinal[each] <= through:
            factor *= splits.factor[each]
    return factor


@_compiled()
def fold(n: int, first: int, last: int, runs: Any, years: Any, splits: Splits, bars: Bars) -> int:
    """Fold the sessions from `first` to `last`, and return how many bars came of them.

    The rows of listing i are those from `runs[i, 0]` to `runs[i, 1]` of the first of two years, and
    those from `runs[i, 2]` to `runs[i, 3]` of the next one.
    """
    bar = -1
    for listing in range(len(runs)):
        end = through = -1
        for run in range(2):
            rows = years[run]
            for row in range(runs[listing, 2 * run], runs[listing, 2 * run + 1]):
                ordinal = rows.ordinal[row]
                if ordinal < first:
                    continue
                if ordinal > last:
                    break
                is_new = ordinal >= end
                if is_new:
                    bar += 1
                    end = ordinal - ordinal % n + n
                    through = min(end - 1, last)
                    bars.listing[bar] = listing
                    bars.bucket[bar] = ordinal // n
                factor = 1.0
                if splits.at[listing] < splits.at[listing + 1]:
                    factor = _factor(ordinal, through, listing, splits)
                _add(bars, bar, is_new, rows, row, factor)
    return bar + 1


@_compiled(inline="always")
def _add(bars: Bars, bar: int, is_new: bool, rows: Rows, row: int, factor: float) -> None:  # noqa: FBT001
    open_, high, low, close = rows.open[row], rows.high[row], rows.low[row], rows.close[row]
    volume, vwap = rows.volume[row], rows.vwap[row]
    if factor != 1:
        open_, high, low, close = open_ / factor, high / factor, low / factor, close / factor
        volume, vwap = volume * factor, vwap / factor
    bars.symbol[bar] = rows.symbol[row]
    bars.close[bar] = close
    if is_new:
        bars.open[bar], bars.high[bar], bars.low[bar] = open_, high, low
        bars.volume[bar], bars.notional[bar] = volume, volume * vwap
        bars.trades[bar], bars.revision[bar] = rows.trades[row], rows.revision[row]
        bars.sessions[bar] = 1
    else:
        bars.high[bar], bars.low[bar] = max(bars.high[bar], high), min(bars.low[bar], low)
        bars.volume[bar] += volume
        bars.notional[bar] += volume * vwap
        bars.trades[bar] += rows.trades[row]
        bars.revision[bar] += rows.revision[row]
        bars.sessions[bar] += 1
