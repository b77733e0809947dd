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
        rows[name] = events.get_column(name).to_numpy()
    rows["symbol"] = symbol
    rows["source"] = source
    rows["moves"] = events.get_column("moves").to_numpy() & EVERYTHING if trades else EVERYTHING
    rows["moves"][events.get_column("cancelled").to_numpy()] = 0
    if not trades:
        for name in _OF_AGGREGATES:
            rows[name] = events[name].cast(float).fill_null(np.nan).to_numpy()
    return rows


def plain(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Return a view of rows as mere bytes: whole rows are moved far faster so."""
    return rows.view(f"V{rows.dtype.itemsize}")


def parts_of(rows: NDArray[np.void]) -> Parts:
    """Return what each statement brings; see `lake.event.contribution`."""
    values = _of_trades(rows) if rows.dtype == TRADES else _of_aggregates(rows)
    marks = np.zeros((len(parts.MARKS), len(rows)), dtype=np.int64)
    marks[parts.WEIGHT] = 1 + rows["revision"]
    marks[parts.OPEN_TIME] = marks[parts.CLOSE_TIME] = rows["time"]
    marks[parts.OPEN_SEQUENCE] = marks[parts.CLOSE_SEQUENCE] = rows["sequence"]
    marks[parts.RECEIVED] = rows["received"]
    marks[parts.SOURCE] = rows["source"]
    for price, told in ((parts.OPEN, parts.OPENED), (parts.CLOSE, parts.CLOSED)):
        np.copyto(marks[told], parts.NO_MARKS[told, None], where=np.isnan(values[price]))
    return values, marks


def _of_trades(rows: NDArray[np.void]) -> NDArray[np.float64]:
    price, moves = rows["price"], rows["moves"]
    values = parts.nothing(len(rows))[0]
    for column, bit in (
        (parts.OPEN, OPEN_CLOSE),
        (parts.CLOSE, OPEN_CLOSE),
        (parts.HIGH, HIGH_LOW),
        (parts.LOW, HIGH_LOW),
    ):
        np.copyto(values[column], price, where=_has(moves, bit))
    counts = _has(moves, VOLUME)
    values[parts.TRADES] = counts
    np.copyto(values[parts.VOLUME], rows["size"], where=counts)
    np.multiply(price, rows["size"], out=values[parts.NOTIONAL], where=counts)
    return values


def _has(moves: NDArray[np.int8], bit: int) -> NDArray[np.bool_]:
    return (moves & bit).astype(bool)


def _of_aggregates(rows: NDArray[np.void]) -> NDArray[np.float64]:
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
    return np.where(rows["moves"] > 0, columns, parts.NO_VALUES[:, None])
