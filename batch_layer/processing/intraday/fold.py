"""The fold: a session's minute bars merged into the bars of each interval by DuckDB.

Buckets are anchored at the session's own open and close, so those of one interval nest in those of
a longer one, and what was merged once is merged on: 15m of 5m, 1h of 15m, 2h and 4h of 1h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_layer.processing.dailies import PRICES
from batch_layer.processing.intraday.minutes import Minutes, packed, unpacked
from batch_layer.processing.shape import vwap_of
from lake.interval import INTRADAY, MINUTE
from lake.scan import sql
from lake.schemas import INTRADAY as SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lake.hours import SessionHours
    from lake.interval import Interval

PACKAGE: Final = "batch_layer.processing.intraday"
_FINER: Final = dict(zip(INTRADAY, (MINUTE, *INTRADAY[:2], INTRADAY[2], INTRADAY[2]), strict=True))
"""Of which interval's bars each one is merged."""
# Tuples: Arrow's first array looks for pandas, which every process would wait for at its start.
_HOURS: Final = ("regular", "extended")
_FINAL: Final = ("final",)
_NAMES: Final = ("symbol", "hours", "state")
_ENCODED: Final = pa.schema(
    [
        field.with_type(pa.dictionary(pa.int32(), pa.string())) if field.name in _NAMES else field
        for field in SCHEMA
    ]
)
_MINUTE_US: Final = 60_000_000


class Fold:
    """Merges minutes; one for each thread, as its DuckDB connection has one thread."""

    def __init__(self) -> None:
        self._statement = sql(PACKAGE, "fold")
        # Without a place to spill to: groups that were spilt might not be in time's order.
        self._connection = duckdb.connect(config={"threads": 1, "temp_directory": ""})

    def bars(self, minutes: Minutes, hours: SessionHours) -> Iterator[tuple[Interval, pa.Table]]:
        """Yield each interval and its bars: schema `INTRADAY`, its texts as dictionaries."""
        merged = {MINUTE: minutes}
        for interval in INTRADAY:
            begin, length = hours.buckets(interval.minutes)
            merged[interval] = self._merged(merged[_FINER[interval]], begin)
            yield interval, _shaped(merged[interval], hours, length)

    def _merged(self, minutes: Minutes, begin: NDArray[np.int64]) -> Minutes:
        """Return the minutes merged by the bucket that each begins in."""
        symbol, minute = unpacked(minutes.key)
        key = pa.array(packed(symbol, begin[minute]))
        self._connection.register("contributions", minutes.values.append_column("key", key))
        merged = self._connection.execute(self._statement).to_arrow_table()
        return Minutes(minutes.symbols, merged["key"].to_numpy(), merged.drop(["key"]))


def _shaped(merged: Minutes, hours: SessionHours, length: NDArray[np.int32]) -> pa.Table:
    merged = _priced(merged)
    symbol, minute = unpacked(merged.key)
    opens, closes = hours.edges
    is_extended = (minute < opens) | (minute >= closes)
    dawn_us = int(hours.dawn.timestamp()) * 1_000_000
    session = pa.repeat(pa.scalar(hours.session, pa.date32()), len(minute))
    values = merged.values
    columns = {
        "symbol": _encoded(symbol, merged.symbols),
        "session": session,
        "hours": _encoded(is_extended.astype(np.int64), pa.array(_HOURS)),
        "start": pa.array(dawn_us + minute * _MINUTE_US).cast(SCHEMA.field("start").type),
        **{name: values[name] for name in (*PRICES, "volume")},
        "vwap": vwap_of(values["notional"].to_numpy(), values["volume"].to_numpy()),
        "trades": pa.array(values["trades"].to_numpy(), from_pandas=True).cast(pa.int64()),
        "minutes": values["minutes"],
        "minutes_expected": pa.array(length[minute]),
        "through": session,
        "state": _encoded(np.zeros(len(minute), np.int64), pa.array(_FINAL)),
        "revision": values["revision"],
    }
    return pa.table(columns, schema=_ENCODED)


def _priced(merged: Minutes) -> Minutes:
    """Return what is a bar: it has an open and a close."""
    values = merged.values
    if not (values["open"].null_count or values["close"].null_count):
        return merged
    is_bar = pc.and_(pc.is_valid(values["open"]), pc.is_valid(values["close"]))
    return Minutes(merged.symbols, merged.key[is_bar.to_numpy()], values.filter(is_bar))


def _encoded(index: NDArray[np.int64], names: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), names)
