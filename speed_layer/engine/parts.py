"""Parts of bars as arrays, and the law of `lake.bar.merge` over them.

Parts are a pair of arrays, `values` and `marks`, a column a part. What is null in a contribution is
neutral here: NaN in open and close, infinite in high and low; an unknown notional or number of
trades is NaN, and stays so in every sum. Marks tell when the open and the close were, as time and
sequence: so parts merge in any order.

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
OPENED: Final = slice(OPEN_TIME, OPEN_SEQUENCE + 1)
CLOSED: Final = slice(CLOSE_TIME, SOURCE + 1)
_LEAST, _MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
NO_VALUES: Final = np.array([np.nan, -np.inf, np.inf, np.nan, 0.0, 0.0, 0.0])
NO_MARKS: Final = np.array([0, 0, _MOST, _MOST, _LEAST, _LEAST, 0, 0])

Parts = tuple["NDArray[np.float64]", "NDArray[np.int64]"]
"""Values and marks, of shapes (values, n) and (marks, n)."""


def nothing(count: int) -> Parts:
    """Return so many neutral parts."""
    values, marks = NO_VALUES.repeat(count), NO_MARKS.repeat(count)
    return values.reshape(len(VALUES), count), marks.reshape(len(MARKS), count)


def folded(parts: Parts, place: NDArray[np.int64], count: int) -> Parts:
    """Return what parts merge into.

    Args:
        parts: In any order.
        place: Of what each merges into.
        count: How many there are of these.
    """
    values, marks = parts
    made, told = nothing(count)
    for column in (VOLUME, NOTIONAL, TRADES):
        np.add.at(made[column], place, values[column])
    for column in (WEIGHT, MINUTES):
        np.add.at(told[column], place, marks[column])
    np.maximum.at(made[HIGH], place, values[HIGH])
    np.minimum.at(made[LOW], place, values[LOW])
    first = _outermost(np.minimum, marks[OPEN_TIME:], place, told[OPEN_TIME:])
    made[OPEN, place.take(first)] = values[OPEN].take(first)
    last = _outermost(np.maximum, marks[CLOSE_TIME:], place, told[CLOSE_TIME:])
    at = place.take(last)
    made[CLOSE, at] = values[CLOSE].take(last)
    told[RECEIVED:, at] = marks[RECEIVED:].take(last, axis=1)
    return made, told


def unprice(parts: Parts, which: NDArray[np.int64]) -> None:
    """Take their prices from some parts."""
    values, marks = parts
    values[: CLOSE + 1, which] = NO_VALUES[: CLOSE + 1, None]
    marks[OPEN_TIME:, which] = NO_MARKS[OPEN_TIME:, None]


def is_bar(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which parts are bars: those with an open and a close."""
    there: NDArray[np.bool_] = ~np.isnan(values[OPEN] + values[CLOSE])
    return there


def has_price(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which parts have a last price."""
    there: NDArray[np.bool_] = ~np.isnan(values[CLOSE])
    return there


def is_neutral(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which parts change nothing that they merge with."""
    same = values == NO_VALUES[:, None]
    np.isnan(values[:: CLOSE - OPEN][:2], out=same[:: CLOSE - OPEN][:2])
    neutral: NDArray[np.bool_] = same.all(axis=0)
    return neutral


def _outermost(
    pick: np.ufunc,
    when: NDArray[np.int64],
    place: NDArray[np.int64],
    outermost: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return which parts are the first, or the last, of those of their place.

    Args:
        pick: The lesser, or the greater.
        when: Time and sequence of each.
        place: Of each.
        outermost: Time and sequence of each place, neutral: those of the first or the last, then.
    """
    pick.at(outermost[0], place, when[0])
    which = np.flatnonzero(when[0] == outermost[0].take(place))
    at, sequence = place.take(which), when[1].take(which)
    pick.at(outermost[1], at, sequence)
    picked: NDArray[np.int64] = which[sequence == outermost[1].take(at)]
    return picked
