"""Slots as frames: live bars and prices as the view takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa

from lake.schemas import LIVE_BARS, PRICES
from speed_layer.engine import parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speed_layer.engine.day import Day

BARS_SCHEMA: Final = pl.Schema(pl.from_arrow(LIVE_BARS.empty_table()).schema)  # type: ignore[union-attr]
PRICES_SCHEMA: Final = pl.Schema(pl.from_arrow(PRICES.empty_table()).schema)  # type: ignore[union-attr]
_STATES: Final = pa.array(["forming", "final"])


def bars_of(day: Day, slots: NDArray[np.int32], symbols: pa.StringArray) -> pl.DataFrame:
    """Return the bars of some slots, schema `LIVE_BARS`.

    Args:
        day: Their session.
        slots: Those of bars.
        symbols: All, by number.
    """
    values, marks = day.slots.get(slots)
    bucket = day.slots.bucket.take(slots)
    is_final = day.is_final.take(bucket)
    volume, notional = values[parts.VOLUME], values[parts.NOTIONAL]
    prices = values[: parts.CLOSE + 1]
    prices[np.isinf(prices) | ~parts.is_bar(values)] = np.nan
    vwap = np.divide(notional, volume, out=np.full(len(slots), np.nan), where=volume > 0)
    interval, session, hours, start = day.buckets.told.take(pa.array(bucket)).columns
    columns = [
        symbols.take(pa.array(day.slots.symbol.take(slots))),
        interval,
        session,
        hours,
        start,
        *map(_known, prices),
        pa.array(volume),
        _known(vwap),
        _whole(values[parts.TRADES]),
        pa.array(marks[parts.MINUTES].astype(np.int32)),
        _STATES.take(pa.array(is_final.view(np.int8))),
        pa.array(2 * marks[parts.WEIGHT] + is_final),
    ]
    return pl.DataFrame(pa.RecordBatch.from_arrays(columns, schema=LIVE_BARS))


def prices_of(
    day: Day, slots: NDArray[np.int32], symbols: pa.StringArray, sources: pa.StringArray
) -> pl.DataFrame:
    """Return the prices of some slots, schema `PRICES`.

    Args:
        day: Their session.
        slots: Those of prices.
        symbols: All, by number.
        sources: All, by number; the first is none's.
    """
    values, marks = day.slots.get(slots)
    price = values[parts.CLOSE]
    bucket = pa.array(day.slots.bucket.take(slots))
    columns = [
        symbols.take(pa.array(day.slots.symbol.take(slots))),
        day.buckets.told["session"].take(bucket),
        _known(price),
        pa.array(np.where(np.isnan(price), 0, marks[parts.CLOSE_TIME])),
        pa.array(marks[parts.RECEIVED]),
        sources.take(pa.array(marks[parts.SOURCE])),
        pa.array(marks[parts.WEIGHT]),
    ]
    return pl.DataFrame(pa.RecordBatch.from_arrays(columns, schema=PRICES))


def _known(column: NDArray[np.float64]) -> pa.DoubleArray:
    return pa.array(column, from_pandas=True)


def _whole(column: NDArray[np.float64]) -> pa.Int64Array:
    is_unknown = np.isnan(column)
    if is_unknown.any():
        return pa.array(np.where(is_unknown, 0, column).astype(np.int64), mask=is_unknown)
    return pa.array(column.astype(np.int64))
