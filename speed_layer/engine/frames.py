"""Slots as frames: live bars and prices as the view takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lake.hours import HOURS
from lake.schemas import LIVE_BARS, PRICES
from speed_layer.engine import parts
from speed_layer.engine.buckets import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speed_layer.engine.day import Day

BARS_SCHEMA: Final = pl.Schema(pl.from_arrow(LIVE_BARS.empty_table()).schema)  # type: ignore[union-attr]
PRICES_SCHEMA: Final = pl.Schema(pl.from_arrow(PRICES.empty_table()).schema)  # type: ignore[union-attr]
_LEVELS: Final = np.array(LEVELS, dtype=object)
_HOURS: Final = np.array(HOURS, dtype=object)
_STATES: Final = np.array(["forming", "final"], dtype=object)


def bars_of(day: Day, slots: NDArray[np.int64], symbols: NDArray[np.object_]) -> pl.DataFrame:
    """Return the bars of some slots, schema `LIVE_BARS`.

    Args:
        day: Their session.
        slots: Those of bars.
        symbols: All, by number.
    """
    values, marks = day.slots.values[slots], day.slots.marks[slots]
    bucket = day.slots.bucket[slots]
    is_final = day.is_final[bucket]
    volume, notional = values[:, parts.VOLUME], values[:, parts.NOTIONAL]
    prices = values[:, : parts.CLOSE + 1]
    prices[np.isinf(prices) | ~parts.is_bar(values)[:, None]] = np.nan
    vwap = np.divide(notional, volume, out=np.full(len(slots), np.nan), where=volume > 0)
    columns = [
        _texts(symbols[day.slots.symbol[slots]]),
        _texts(_LEVELS[day.buckets.level[bucket]]),
        _dates(day, len(slots)),
        _texts(_HOURS[day.buckets.within[bucket]]),
        pl.Series(day.buckets.start[bucket]),
        *(_known(price) for price in prices.T),
        pl.Series(volume),
        _known(vwap),
        _whole(values[:, parts.TRADES]),
        pl.Series(marks[:, parts.MINUTES].astype(np.int32)),
        _texts(_STATES[is_final.astype(np.int64)]),
        pl.Series(2 * marks[:, parts.WEIGHT] + is_final),
    ]
    return _frame(BARS_SCHEMA, columns)


def prices_of(
    day: Day,
    slots: NDArray[np.int64],
    symbols: NDArray[np.object_],
    sources: NDArray[np.object_],
) -> pl.DataFrame:
    """Return the prices of some slots, schema `PRICES`.

    Args:
        day: Their session.
        slots: Those of prices.
        symbols: All, by number.
        sources: All, by number; the first is none's.
    """
    price, marks = day.slots.values[slots, parts.CLOSE], day.slots.marks[slots]
    columns = [
        _texts(symbols[day.slots.symbol[slots]]),
        _dates(day, len(slots)),
        _known(price),
        pl.Series(np.where(np.isnan(price), 0, marks[:, parts.CLOSE_TIME])),
        pl.Series(marks[:, parts.RECEIVED]),
        _texts(sources[marks[:, parts.SOURCE]]),
        pl.Series(marks[:, parts.WEIGHT]),
    ]
    return _frame(PRICES_SCHEMA, columns)


# A frame of a few rows is made many times a second: what is slow of Polars then is its casts.
def _frame(schema: pl.Schema, columns: list[pl.Series]) -> pl.DataFrame:
    named = [column.alias(name) for name, column in zip(schema, columns, strict=True)]
    return pl.DataFrame(named)


def _texts(texts: NDArray[np.object_]) -> pl.Series:
    return pl.Series(texts.tolist(), dtype=pl.String)


def _dates(day: Day, count: int) -> pl.Series:
    return pl.Series([day.buckets.hours.session]).new_from_index(0, count)


def _known(column: NDArray[np.float64]) -> pl.Series:
    return pl.Series(column, nan_to_null=True)


def _whole(column: NDArray[np.float64]) -> pl.Series:
    if np.isnan(column).any():
        return _known(column).cast(pl.Int64)
    return pl.Series(column.astype(np.int64))
