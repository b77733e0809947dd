"""Parts of bars as arrays, and the law of `lake.bar.merge` over them.

A part is a row of `values` and one of `marks`. What is null in a contribution is neutral here: NaN
in open and close, infinite in high and low; an unknown notional or number of trades is NaN, and
stays so in every sum. Marks tell when the open and the close were, as time and sequence: so parts
merge in any order.

Sums are of float64: exact, and so the same in any order, while sizes are whole or binary fractions;
notional, and vwap with it, may differ in the last digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALUES: Final = ("open", "high", "low", "close", "volume", "notional", "trades")
OPEN, HIGH, LOW, CLOSE, VOLUME, NOTIONAL, TRADES = range(len(VALUES))
_SUMS: Final = slice(VOLUME, TRADES + 1)
MARKS: Final = (
    "weight",
    "minutes",
    "open_time",
    "open_sequence",
    "close_time",
    "close_sequence",
    "received",
    "source",
)
"""`weight` is the sum of 1 + revision; `received` and `source` are those of the close."""
WEIGHT, MINUTES, OPEN_TIME, OPEN_SEQUENCE, CLOSE_TIME, CLOSE_SEQUENCE, RECEIVED, SOURCE = range(
    len(MARKS)
)
_COUNTS: Final = slice(WEIGHT, MINUTES + 1)
_OPENED: Final = slice(OPEN_TIME, OPEN_SEQUENCE + 1)
_CLOSED: Final = slice(CLOSE_TIME, SOURCE + 1)
_LEAST, _MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
NO_VALUES: Final = np.array([np.nan, -np.inf, np.inf, np.nan, 0.0, 0.0, 0.0])
NO_MARKS: Final = np.array([0, 0, _MOST, _MOST, _LEAST, _LEAST, 0, 0])

Parts = tuple["NDArray[np.float64]", "NDArray[np.int64]"]
"""Values and marks, a row a part."""


def nothing(count: int) -> Parts:
    """Return so many neutral parts."""
    return np.tile(NO_VALUES, (count, 1)), np.tile(NO_MARKS, (count, 1))


def merged(values: NDArray[np.float64], marks: NDArray[np.int64]) -> Parts:
    """Return what parts that are stacked on each other merge into.

    Args:
        values: Of shape (deep, n, values).
        marks: Of shape (deep, n, marks).
    """
    each = np.arange(values.shape[1])
    first = _earliest(marks[..., OPEN_TIME], marks[..., OPEN_SEQUENCE])
    last = _latest(marks[..., CLOSE_TIME], marks[..., CLOSE_SEQUENCE])
    made, told = np.empty(values.shape[1:]), np.empty(marks.shape[1:], dtype=np.int64)
    made[:, OPEN] = values[first, each, OPEN]
    made[:, CLOSE] = values[last, each, CLOSE]
    made[:, HIGH] = values[..., HIGH].max(axis=0)
    made[:, LOW] = values[..., LOW].min(axis=0)
    made[:, _SUMS] = values[..., _SUMS].sum(axis=0)
    told[:, _COUNTS] = marks[..., _COUNTS].sum(axis=0)
    told[:, _OPENED] = marks[first, each, _OPENED]
    told[:, _CLOSED] = marks[last, each, _CLOSED]
    return made, told


def unpriced(values: NDArray[np.float64], marks: NDArray[np.int64]) -> Parts:
    """Return parts without their prices."""
    values, marks = values.copy(), marks.copy()
    values[..., : CLOSE + 1] = NO_VALUES[: CLOSE + 1]
    marks[..., OPEN_TIME:] = NO_MARKS[OPEN_TIME:]
    return values, marks


def is_bar(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which parts are bars: those with an open and a close."""
    return has_price(values) & ~np.isnan(values[:, OPEN])


def has_price(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which parts have a last price."""
    there: NDArray[np.bool_] = ~np.isnan(values[:, CLOSE])
    return there


def is_neutral(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which parts change nothing that they merge with."""
    same = (values == NO_VALUES) | (np.isnan(values) & np.isnan(NO_VALUES))
    neutral: NDArray[np.bool_] = np.logical_and.reduce(same, axis=1)
    return neutral


def _earliest(time: NDArray[np.int64], sequence: NDArray[np.int64]) -> NDArray[np.int64]:
    tied = time == time.min(axis=0)
    place: NDArray[np.int64] = np.where(tied, sequence, _MOST).argmin(axis=0)
    return place


def _latest(time: NDArray[np.int64], sequence: NDArray[np.int64]) -> NDArray[np.int64]:
    tied = time == time.max(axis=0)
    place: NDArray[np.int64] = np.where(tied, sequence, _LEAST).argmax(axis=0)
    return place
