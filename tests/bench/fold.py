"""The fold itself: bars in order of listing and session, into bars of n sessions, in one pass.

With numba, which `make bench` installs, it is machine code; without, it is slow and the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])

try:
    from numba import njit
except ImportError:

    def njit(**_: object) -> Callable[[F], F]:
        return lambda function: function


_FAST: Final[dict[str, Any]] = {"cache": True, "nogil": True, "error_model": "numpy"}
_WHOLE: Final = {"trades": np.int64} | dict.fromkeys(
    ("listing", "symbol", "bucket", "sessions", "revision"), np.int32
)


class Rows(NamedTuple):
    """A year's bars, in order of listing and session."""

    ordinal: NDArray[np.int32]
    symbol: NDArray[np.int32]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    vwap: NDArray[np.float64]
    trades: NDArray[np.int64]
    revision: NDArray[np.int32]


class Splits(NamedTuple):
    """The splits of listing i are those from `at[i]` to `at[i + 1]`."""

    at: NDArray[np.int64]
    ordinal: NDArray[np.int64]
    factor: NDArray[np.float64]


class Bars(NamedTuple):
    """Bars of n sessions, or room for them."""

    listing: NDArray[np.int32]
    symbol: NDArray[np.int32]
    bucket: NDArray[np.int32]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    notional: NDArray[np.float64]
    trades: NDArray[np.int64]
    sessions: NDArray[np.int32]
    revision: NDArray[np.int32]

    @classmethod
    def room_for(cls, bars: int) -> Self:
        return cls(*(np.empty(bars, _WHOLE.get(name, np.float64)) for name in cls._fields))


@njit(**_FAST)
def _factor(ordinal: int, through: int, listing: int, splits: Splits) -> float:
    """Return the product of the splits after a session and by `through`."""
    factor = 1.0
    for each in range(splits.at[listing], splits.at[listing + 1]):
        if ordinal < splits.ordinal[each] <= through:
            factor *= splits.factor[each]
    return factor


@njit(**_FAST)
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


@njit(inline="always", **_FAST)
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
