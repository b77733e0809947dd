"""Statements of the flow as rows of an array, and what each brings into its minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lake.event import EVERYTHING, HIGH_LOW, OPEN_CLOSE, VOLUME
from speed_layer.engine import parts

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from speed_layer.engine.parts import Parts

_FIRST, _LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_COMMON: Final = [
    ("time", "i8"),
    ("sequence", "i8"),
    ("revision", "i8"),
    ("received", "i8"),
    ("price", "f8"),
    ("size", "f8"),
    ("symbol", "i4"),
    ("slot", "i4"),
    ("source", "i4"),
    ("moves", "i1"),
]
_OF_AGGREGATES: Final = ("open", "high", "low", "vwap", "trades")
TRADES: Final = np.dtype(_COMMON, align=True)
"""A trade; `symbol`, `source` and `slot` (of its minute) by number, `moves` 0 where cancelled."""
AGGREGATES: Final = np.dtype([*_COMMON, *((name, "f8") for name in _OF_AGGREGATES)], align=True)
"""An aggregate; NaN where null."""


def stated(
    events: pl.DataFrame, symbol: NDArray[np.int64], source: NDArray[np.int64], *, trades: bool
) -> NDArray[np.void]:
    """Return events as statements, their slots to be told."""
    rows = np.zeros(events.height, TRADES if trades else AGGREGATES)
    for name in ("time", "sequence", "revision", "received", "price", "size"):
        rows[name] = events[name].to_numpy()
    rows["symbol"] = symbol
    rows["source"] = source
    rows["moves"] = events["moves"].to_numpy() & EVERYTHING if trades else EVERYTHING
    rows["moves"][events["cancelled"].to_numpy()] = 0
    if not trades:
        for name in _OF_AGGREGATES:
            rows[name] = events[name].cast(float).fill_null(np.nan).to_numpy()
    return rows


def plain(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Return a view of rows as mere bytes: whole rows are moved far faster so."""
    return rows.view(f"V{rows.dtype.itemsize}")


def folded(rows: NDArray[np.void], place: NDArray[np.int64], count: int) -> Parts:
    """Return what statements make together.

    Args:
        rows: Each of another thing, in any order.
        place: Of the part that each goes into.
        count: How many parts there are.
    """
    brought = _of_trades(rows) if rows.dtype == TRADES else _of_aggregates(rows)
    values, marks = np.array(brought), np.zeros((len(parts.MARKS), len(rows)), dtype=np.int64)
    marks[parts.WEIGHT] = 1 + rows["revision"]
    for price, column, neutral in (
        (values[parts.OPEN], parts.OPEN_TIME, _LAST),
        (values[parts.CLOSE], parts.CLOSE_TIME, _FIRST),
    ):
        is_none = np.isnan(price)
        marks[column] = np.where(is_none, neutral, rows["time"])
        marks[column + 1] = np.where(is_none, neutral, rows["sequence"])
    marks[parts.RECEIVED] = np.where(is_none, 0, rows["received"])
    marks[parts.SOURCE] = np.where(is_none, 0, rows["source"])
    return parts.folded((values, marks), place, count)


def _of_trades(rows: NDArray[np.void]) -> list[NDArray[np.float64]]:
    """Return what each brings, by column of values; see `lake.event.contribution`."""
    price, moves = rows["price"].copy(), rows["moves"]
    volume = np.where(moves & VOLUME, rows["size"], 0.0)
    last = np.where(moves & OPEN_CLOSE, price, np.nan)
    has_extreme = moves & HIGH_LOW
    high, low = np.where(has_extreme, price, -np.inf), np.where(has_extreme, price, np.inf)
    return [last, high, low, last, volume, price * volume, (moves & VOLUME) / VOLUME]


def _of_aggregates(rows: NDArray[np.void]) -> list[NDArray[np.float64]]:
    traded = rows["size"] != 0
    columns = [
        rows["open"],
        np.where(np.isnan(rows["high"]), -np.inf, rows["high"]),
        np.where(np.isnan(rows["low"]), np.inf, rows["low"]),
        rows["price"],
        rows["size"],
        np.where(traded, rows["vwap"] * rows["size"], 0.0),
        np.where(traded, rows["trades"], 0.0),
    ]
    is_there = rows["moves"] > 0
    return [
        np.where(is_there, column, neutral)
        for column, neutral in zip(columns, parts.NO_VALUES, strict=True)
    ]
