"""Bars and prices as bytes: how a view holds them and tells their changes.

A bar is a record of fixed size, so that a frame is packed and unpacked by columns; a price's record
ends with its source. Numbers are little-endian float64 and int64, hence exact; the version comes
first, and in a price the session next, so that Redis can compare them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lake.interval import DAILY, MINUTE_INTERVALS
from lake.live import BARS_SCHEMA, PRICES_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lake.bar import Hours
    from lake.interval import Interval

_FLOATS: Final = ("open", "high", "low", "close", "volume", "vwap")
_NULLABLE: Final = ("open", "high", "low", "close", "vwap", "trades")
_FINAL: Final = 1
_NULL: Final = {name: 2 << bit for bit, name in enumerate(_NULLABLE)}

_BAR: Final = np.dtype(
    [
        ("version", "<i8"),
        ("session", "<i4"),  # days since 1970
        ("minutes", "<i4"),
        ("start", "<i8"),
        ("span", "<u2"),  # minutes per bar; 0: a session
        ("is_extended", "u1"),
        ("flags", "u1"),  # final, then a bit for each of `_NULLABLE` that is null
        ("trades", "<i8"),
        *((name, "<f8") for name in _FLOATS),
    ]
)
_PRICE: Final = np.dtype(
    [
        ("version", "<i8"),
        ("session", "<i4"),
        ("price", "<f8"),
        ("time", "<i8"),
        ("received", "<i8"),
        ("is_null", "u1"),
    ]
)
BAR_BYTES: Final = _BAR.itemsize
_INTERVALS: Final = {each.minutes: str(each) for each in (DAILY, *MINUTE_INTERVALS)}
_SPANS: Final = {name: span for span, name in _INTERVALS.items()}
_NO_SPAN: Final = 2**16 - 1
_VERSION: Final = struct.Struct("<q")
_SESSION: Final = struct.Struct("<i")
_SERIES: Final = struct.Struct("<H?")
SESSION: Final = slice(8, 12)
"""Where a record has its session."""
START: Final = slice(16, 24)
"""Where a bar's record has its start."""
SERIES: Final = slice(24, 27)
"""What of a bar's record tells its symbol's series apart: their interval and hours."""
IDENTITY: Final = slice(START.start, SERIES.stop)
"""What of a bar's record tells its symbol's bars apart: their start, interval and hours."""


def highest_bars(bars: pl.DataFrame) -> pl.DataFrame:
    """Return each bar once, in its highest version, those of one symbol together."""
    return bars.sort("symbol", "interval", "hours", "start", "version").unique(
        ["symbol", "interval", "hours", "start"], keep="last", maintain_order=True
    )


def highest_prices(prices: pl.DataFrame) -> pl.DataFrame:
    """Return each symbol's price once, the one in force, in order of symbol."""
    return prices.sort("symbol", "session", "version").unique(
        "symbol", keep="last", maintain_order=True
    )


def pack_bars(bars: pl.DataFrame) -> list[bytes]:
    """Return each bar's record; its symbol is not in it."""
    packed = np.zeros(bars.height, _BAR)
    for name in ("version", "minutes", "start"):
        packed[name] = bars[name].to_numpy()
    packed["session"] = _days(bars["session"])
    packed["span"] = [_SPANS[name] for name in bars["interval"].to_list()]
    packed["is_extended"] = [name == "extended" for name in bars["hours"].to_list()]
    packed["flags"] = [_FINAL * (name == "final") for name in bars["state"].to_list()]
    for name in (*_FLOATS, "trades"):
        values, is_null = _filled(bars[name])
        packed[name] = values
        if is_null is not None:
            packed["flags"][is_null] |= _NULL[name]
    return _cut(packed.tobytes(), BAR_BYTES)


def unpack_bars(symbols: Sequence[str], records: bytes) -> pl.DataFrame:
    """Return bars, schema `LIVE_BARS`, vanished ones included.

    Args:
        symbols: Of each bar.
        records: One behind the other.
    """
    return _bars(symbols, np.frombuffer(records, _BAR))


def ordered_bars(symbol: str, records: bytes, *, vanished: bool) -> pl.DataFrame:
    """Return a symbol's bars in order of start, also those that have vanished if asked for."""
    packed = np.frombuffer(records, _BAR)
    if not vanished:
        packed = packed[packed["flags"] & _NULL["close"] == 0]
    ordered = packed[packed["start"].argsort()]
    return _bars([symbol] * len(ordered), ordered)


def pack_prices(prices: pl.DataFrame) -> list[bytes]:
    """Return each price's record; its symbol is not in it."""
    packed = np.zeros(prices.height, _PRICE)
    for name in ("version", "time", "received"):
        packed[name] = prices[name].to_numpy()
    packed["session"] = _days(prices["session"])
    packed["price"], is_null = _filled(prices["price"])
    if is_null is not None:
        packed["is_null"] = is_null
    heads = _cut(packed.tobytes(), _PRICE.itemsize)
    sources = (text.encode() for text in prices["source"].to_list())
    return [head + source for head, source in zip(heads, sources, strict=True)]


def unpack_prices(symbols: Sequence[str], records: Sequence[bytes]) -> pl.DataFrame:
    """Return the prices of records, schema `PRICES`, null ones included."""
    head = _PRICE.itemsize
    packed = np.frombuffer(b"".join(record[:head] for record in records), _PRICE)
    columns = {name: _column(packed, name) for name in ("time", "received", "version")}
    columns |= {
        "symbol": pl.Series(symbols, dtype=pl.String),
        "session": _dates(packed),
        "price": _nulled(_column(packed, "price"), packed["is_null"] > 0),
        "source": pl.Series([record[head:].decode() for record in records], dtype=pl.String),
    }
    return _frame(columns, PRICES_SCHEMA)


def standing_prices(records: Mapping[str, bytes]) -> pl.DataFrame:
    """Return those of the prices by symbol that are not null, in order of symbol."""
    last = _PRICE.itemsize - 1
    symbols = sorted(symbol for symbol, record in records.items() if not record[last])
    return unpack_prices(symbols, [records[symbol] for symbol in symbols])


def version_of(record: bytes | bytearray, at: int = 0) -> int:
    """Return the version of the bar or price whose record begins `at` so many bytes."""
    version: int = _VERSION.unpack_from(record, at)[0]
    return version


def start_of(record: bytes | bytearray, at: int = 0) -> int:
    """Return the start of the bar whose record begins `at` so many bytes."""
    start: int = _VERSION.unpack_from(record, at + START.start)[0]
    return start


def session_of(record: bytes) -> int:
    """Return the session of a bar or price, in days since 1970."""
    session: int = _SESSION.unpack_from(record, SESSION.start)[0]
    return session


def rank_of(record: bytes) -> tuple[int, int]:
    """Return what a price's record is compared by: its session, then its version."""
    return session_of(record), version_of(record)


def series(interval: Interval, hours: Hours) -> bytes:
    """Return what `SERIES` is in the records of the bars of an interval and hours."""
    return _SERIES.pack(_SPANS.get(str(interval), _NO_SPAN), hours == "extended")


def is_daily(series: bytes) -> bool:
    """Return whether a series is that of 1d bars."""
    return not any(series[:2])


def _bars(symbols: Sequence[str], packed: NDArray[np.void]) -> pl.DataFrame:
    flags = packed["flags"]
    columns = {
        name: _column(packed, name) for name in ("start", "minutes", "version", "trades", *_FLOATS)
    }
    for name, bit in _NULL.items():
        columns[name] = _nulled(columns[name], flags & bit > 0)
    intervals = [_INTERVALS[span] for span in packed["span"].tolist()]
    hours = ["extended" if each else "regular" for each in packed["is_extended"].tolist()]
    states = ["final" if each & _FINAL else "forming" for each in flags.tolist()]
    columns |= {
        "symbol": pl.Series(symbols, dtype=pl.String),
        "session": _dates(packed),
        "interval": pl.Series(intervals, dtype=pl.String),
        "hours": pl.Series(hours, dtype=pl.String),
        "state": pl.Series(states, dtype=pl.String),
    }
    return _frame(columns, BARS_SCHEMA)


def _frame(columns: dict[str, pl.Series], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame([columns[name].alias(name) for name in schema])


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


# What follows passes by the expressions of Polars: in a frame of few rows, as an engine's changes
# are, their planning takes longer than all the rest.


def _filled(values: pl.Series) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
    """Return values, 0 where they are null, and where that is."""
    if not values.null_count():
        return values.to_numpy(), None
    return values.fill_null(0).to_numpy(), values.is_null().to_numpy()


def _days(dates: pl.Series) -> NDArray[np.generic]:
    """Return dates as days since 1970."""
    return dates.to_numpy().astype("datetime64[D]").astype(np.int32)


def _dates(packed: NDArray[np.void]) -> pl.Series:
    return _column(packed, "session").cast(pl.Date)


def _column(packed: NDArray[np.void], name: str) -> pl.Series:
    return pl.Series(np.ascontiguousarray(packed[name]))


def _nulled(values: pl.Series, is_null: NDArray[np.bool_]) -> pl.Series:
    return values.set(pl.Series(is_null), None) if is_null.any() else values
