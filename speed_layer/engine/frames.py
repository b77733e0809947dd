"""Slots as frames: live bars and prices as the view takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from lake.live import PRICES_SCHEMA
from lake.schemas import LIVE_BARS
from speed_layer.engine import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from speed_layer.engine.day import Day


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
    volume, notional, trades = values[parts.VOLUME], values[parts.NOTIONAL], values[parts.TRADES]
    known = np.full((parts.NOTIONAL + 1, len(slots)), np.nan)
    prices = values[: parts.CLOSE + 1]
    np.copyto(known[: parts.VOLUME], prices, where=parts.is_bar(values) & np.isfinite(prices))
    known[parts.VOLUME] = volume
    np.divide(notional, volume, out=known[parts.NOTIONAL], where=volume > 0)
    interval, session, hours, start, state = day.buckets.told.take(
        pa.array(bucket + is_final * day.buckets.count)
    ).columns
    columns = [
        symbols.take(pa.array(day.slots.symbol.take(slots))),
        interval,
        session,
        hours,
        start,
        *_split(pa.array(known.ravel(), from_pandas=True), len(slots)),
        _whole(trades),
        pa.array(marks[parts.MINUTES].astype(np.int32)),
        state,
        pa.array(2 * marks[parts.WEIGHT] + is_final),
    ]
    return pl.DataFrame(pa.RecordBatch.from_arrays(columns, schema=LIVE_BARS))


def prices_of(
    day: Day, slots: NDArray[np.int32], symbols: Sequence[str], sources: Sequence[str]
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
    is_unknown = np.isnan(price)
    columns = {
        "symbol": [symbols[number] for number in day.slots.symbol.take(slots).tolist()],
        "session": pl.Series([day.buckets.hours.session]).new_from_index(0, len(slots)),
        "price": pl.Series(price, nan_to_null=True),
        "time": np.where(is_unknown, 0, marks[parts.CLOSE_TIME]),
        "received": marks[parts.RECEIVED],
        "source": [sources[number] for number in marks[parts.SOURCE].tolist()],
        "version": marks[parts.WEIGHT],
    }
    # Of ready columns: a batch of Arrow's takes twice as long for the few rows that there are.
    return pl.DataFrame([pl.Series(name, columns[name]) for name in PRICES_SCHEMA])


def _split(columns: pa.DoubleArray, size: int) -> list[pa.DoubleArray]:
    """Return columns of some size that are one behind the other."""
    return [columns.slice(first, size) for first in range(0, len(columns), size)]


def _whole(column: NDArray[np.float64]) -> pa.Int64Array:
    is_unknown = np.isnan(column)
    if is_unknown.any():
        return pa.array(np.where(is_unknown, 0, column).astype(np.int64), mask=is_unknown)
    return pa.array(column.astype(np.int64))
