"""Statements of the flow as rows of an array, and what each brings into its minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

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
        rows[name] = events[name].to_numpy()
    rows["symbol"] = symbol
    rows["source"] = source
    rows["moves"] = events["moves"].to_numpy() & EVERYTHING if trades else EVERYTHING
    rows["moves"][events["cancelled"].to_numpy()] = 0
    if not trades:
        for name in _OF_AGGREGATES:
            rows[name] = events[name].cast(float).fill_null(np.nan).to_numpy()
    return rows


def folded(rows: NDArray[np.void]) -> tuple[NDArray[np.int64], Parts]:
    """Return the slots that statements are of, and what they make of each together."""
    slot = rows["slot"].astype(np.int64)
    rows = rows[np.lexsort((rows["sequence"], rows["time"], slot))]
    slot = rows["slot"]
    starts = np.flatnonzero(np.diff(slot, prepend=-1))
    return slot[starts].astype(np.int64), parts.folded(_values(rows), _marks(rows), starts)


def _values(rows: NDArray[np.void]) -> NDArray[np.float64]:
    """Return what each brings; see `lake.event.contribution`."""
    names: Any = rows.dtype.names
    values = np.empty((len(rows), len(parts.VALUES)))
    if "vwap" in names:
        return _of_aggregates(rows, values)
    price, moves = rows["price"], rows["moves"]
    opens, counts = (moves & OPEN_CLOSE) > 0, (moves & VOLUME) > 0
    extreme = (moves & HIGH_LOW) > 0
    values[:, parts.OPEN] = values[:, parts.CLOSE] = np.where(opens, price, np.nan)
    values[:, parts.HIGH] = np.where(extreme, price, -np.inf)
    values[:, parts.LOW] = np.where(extreme, price, np.inf)
    values[:, parts.VOLUME] = np.where(counts, rows["size"], 0.0)
    values[:, parts.NOTIONAL] = np.where(counts, price * rows["size"], 0.0)
    values[:, parts.TRADES] = counts
    return values


def _of_aggregates(rows: NDArray[np.void], values: NDArray[np.float64]) -> NDArray[np.float64]:
    traded = rows["size"] != 0
    values[:, parts.OPEN] = rows["open"]
    values[:, parts.HIGH] = np.where(np.isnan(rows["high"]), -np.inf, rows["high"])
    values[:, parts.LOW] = np.where(np.isnan(rows["low"]), np.inf, rows["low"])
    values[:, parts.CLOSE] = rows["price"]
    values[:, parts.VOLUME] = rows["size"]
    values[:, parts.NOTIONAL] = np.where(traded, rows["vwap"] * rows["size"], 0.0)
    values[:, parts.TRADES] = np.where(traded, rows["trades"], 0.0)
    values[rows["moves"] == 0] = parts.NO_VALUES
    return values


def _marks(rows: NDArray[np.void]) -> NDArray[np.int64]:
    marks = np.empty((len(rows), len(parts.MARKS)), dtype=np.int64)
    marks[:, parts.WEIGHT] = 1 + rows["revision"]
    marks[:, parts.MINUTES] = 0
    marks[:, parts.OPEN_TIME] = marks[:, parts.CLOSE_TIME] = rows["time"]
    marks[:, parts.OPEN_SEQUENCE] = marks[:, parts.CLOSE_SEQUENCE] = rows["sequence"]
    marks[:, parts.RECEIVED] = rows["received"]
    marks[:, parts.SOURCE] = rows["source"]
    return marks
