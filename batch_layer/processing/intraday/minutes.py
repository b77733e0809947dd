"""The minute bars that a session's partitions are built from, as columns of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from batch_layer.processing.dailies import PRICES, ranked, told
from lake import keys
from lake.errors import DamagedObjectError
from lake.hours import DAY_MINUTES
from lake.parquet import decode_columns

if TYPE_CHECKING:
    from lake.hours import SessionHours
    from lake.store import ObjectStore

Integers: TypeAlias = NDArray[np.int64]
_READ: Final = ("symbol", "start", *PRICES, "volume", "vwap", "trades", "revision")
_MINUTE_BITS: Final = 10
_MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Minutes:
    """A session's minute bars, in order of symbol and start.

    Attributes:
        symbols: The symbols, in order.
        key: Of each row: the index of its symbol and its minute after dawn, packed.
        values: open, high, low, close, volume, notional, trades, minutes (1) and revision. Prices
            are null where a minute has none; notional or trades are NaN where a bar with volume
            tells none.
    """

    symbols: pa.Array
    key: Integers
    values: pa.Table


def packed(symbol: Integers, minute: Integers) -> Integers:
    """Return one number for each (symbol, minute after dawn), in their order."""
    return np.left_shift(symbol, _MINUTE_BITS) | minute


def unpacked(key: Integers) -> tuple[Integers, Integers]:
    """Return the pairs that were packed."""
    return key >> _MINUTE_BITS, key & ((1 << _MINUTE_BITS) - 1)


def read_minutes(store: ObjectStore, hours: SessionHours) -> Minutes:
    """Return what bronze holds of a session.

    Raises:
        DamagedObjectError: If it cannot be read, is not in order, or lies outside the session.
    """
    object_key = keys.minute(hours.session)
    what = f"{object_key} in {store.location}"
    bars = decode_columns(store.get(object_key).data, what, _READ, dictionaries=["symbol"])
    symbols, symbol = ranked(bars["symbol"])
    starts = bars["start"].cast(pa.int64()).to_numpy()
    minute = (starts - int(hours.dawn.timestamp()) * 1_000_000) // _MINUTE_US
    key = packed(symbol, minute)
    is_inside = not len(minute) or (minute.min() >= 0 and minute.max() < DAY_MINUTES)
    if not is_inside or (np.diff(key) <= 0).any():
        fact = f"{what} is damaged: bars are not in order of symbol and start, or not its own."
        raise DamagedObjectError(fact, hint="commit them anew, or restore it from a copy.")
    volume = bars["volume"].to_numpy()
    columns = {name: bars[name] for name in (*PRICES, "volume")}
    columns["notional"] = pa.array(told(bars["vwap"], volume) * volume)
    columns["trades"] = pa.array(told(bars["trades"], volume))
    columns["minutes"] = pa.array(np.ones(len(key), np.int32))
    columns["revision"] = bars["revision"]
    return Minutes(symbols, key, pa.table(columns))
