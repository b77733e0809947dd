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
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lake.bar import Hours
    from lake.interval import Interval

_FLOATS: Final = ("open", "high", "low", "close", "volume", "vwap")
_NULLABLE: Final = ("open", "high", "low", "close", "vwap", "trades")
_FINAL: Final = 1
_FIRST_NULL: Final = 2

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
_VERSION: Final = struct.Struct("<q")
_SESSION: Final = struct.Struct("<i")
_SERIES: Final = struct.Struct("<H?")
_SESSION_AT, _START_AT, _SERIES_AT, _SERIES_END = 8, 16, 24, 27


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
    packed["session"] = bars["session"].to_physical().to_numpy()
    packed["span"] = bars["interval"].replace_strict(_SPANS, return_dtype=pl.UInt16).to_numpy()
    packed["is_extended"] = (bars["hours"] == "extended").to_numpy()
    for name in (*_FLOATS, "trades"):
        packed[name] = bars[name].fill_null(0).to_numpy()
    flags = _FINAL * (bars["state"] == "final").to_numpy()
    for bit, name in enumerate(_NULLABLE):
        flags |= (_FIRST_NULL << bit) * bars[name].is_null().to_numpy()
    packed["flags"] = flags
    return _cut(packed.tobytes(), BAR_BYTES)


def unpack_bars(symbols: Sequence[str] | str, records: bytes) -> pl.DataFrame:
    """Return bars, schema `LIVE_BARS`, vanished ones included.

    Args:
        symbols: Of each bar, or of all.
        records: One behind the other.
    """
    packed = np.frombuffer(records, _BAR)
    flags = packed["flags"]
    columns: dict[str, pl.Series | NDArray[np.generic]] = {
        name: np.ascontiguousarray(packed[name])
        for name in ("start", "minutes", "version", "trades", *_FLOATS)
    }
    for bit, name in enumerate(_NULLABLE):
        is_null = pl.Series(flags & (_FIRST_NULL << bit) > 0)
        columns[name] = _nulled(pl.Series(columns[name]), is_null)
    columns |= {
        "symbol": _symbols(symbols, len(packed)),
        "session": pl.Series(packed["session"].astype(np.int32)).cast(pl.Date),
        "interval": pl.Series(packed["span"].astype(np.int64)).replace_strict(
            _INTERVALS, return_dtype=pl.String
        ),
        "hours": _either(packed["is_extended"] > 0, "extended", "regular"),
        "state": _either(flags & _FINAL > 0, "final", "forming"),
    }
    return pl.DataFrame({name: columns[name] for name in BARS_SCHEMA}, schema=BARS_SCHEMA)


def pack_prices(prices: pl.DataFrame) -> list[bytes]:
    """Return each price's record; its symbol is not in it."""
    packed = np.zeros(prices.height, _PRICE)
    for name in ("version", "time", "received"):
        packed[name] = prices[name].to_numpy()
    packed["session"] = prices["session"].to_physical().to_numpy()
    packed["price"] = prices["price"].fill_null(0).to_numpy()
    packed["is_null"] = prices["price"].is_null().to_numpy()
    sources = (text.encode() for text in prices["source"])
    heads = _cut(packed.tobytes(), _PRICE.itemsize)
    return [head + source for head, source in zip(heads, sources, strict=True)]


def unpack_prices(symbols: Sequence[str], records: Sequence[bytes]) -> pl.DataFrame:
    """Return the prices of records, schema `PRICES`, null ones included."""
    head = _PRICE.itemsize
    packed = np.frombuffer(b"".join(record[:head] for record in records), _PRICE)
    columns: dict[str, pl.Series | NDArray[np.generic]] = {
        name: np.ascontiguousarray(packed[name]) for name in ("time", "received", "version")
    }
    price = pl.Series(np.ascontiguousarray(packed["price"]))
    columns |= {
        "symbol": pl.Series(symbols, dtype=pl.String),
        "session": pl.Series(packed["session"].astype(np.int32)).cast(pl.Date),
        "price": _nulled(price, pl.Series(packed["is_null"] > 0)),
        "source": pl.Series([record[head:].decode() for record in records], dtype=pl.String),
    }
    return pl.DataFrame({name: columns[name] for name in PRICES_SCHEMA}, schema=PRICES_SCHEMA)


def version_of(record: bytes | bytearray, at: int = 0) -> int:
    """Return the version of the bar or price whose record begins `at` so many bytes."""
    version: int = _VERSION.unpack_from(record, at)[0]
    return version


def start_of(record: bytes | bytearray, at: int = 0) -> int:
    """Return the start of the bar whose record begins `at` so many bytes."""
    start: int = _VERSION.unpack_from(record, at + _START_AT)[0]
    return start


def session_of(record: bytes) -> int:
    """Return the session of a bar or price, in days since 1970."""
    session: int = _SESSION.unpack_from(record, _SESSION_AT)[0]
    return session


def rank_of(record: bytes) -> tuple[int, int]:
    """Return what a price's record is compared by: its session, then its version."""
    return session_of(record), version_of(record)


def series_of(record: bytes) -> bytes:
    """Return what tells a symbol's series of bars apart: their interval and hours."""
    return record[_SERIES_AT:_SERIES_END]


def series(interval: Interval, hours: Hours) -> bytes:
    """Return what `series_of` says of the bars of an interval and hours."""
    return _SERIES.pack(interval.minutes, hours == "extended")


def is_daily(series: bytes) -> bool:
    """Return whether a series is that of 1d bars."""
    return not any(series[:2])


def identity_of(record: bytes) -> bytes:
    """Return what tells a symbol's bars apart: their start, interval and hours."""
    return record[_START_AT:_SERIES_END]


def standing_bars(bars: pl.DataFrame) -> pl.DataFrame:
    """Return the bars that have not vanished, in order of start."""
    return bars.filter(pl.col("close").is_not_null()).sort("start")


def standing_prices(prices: pl.DataFrame) -> pl.DataFrame:
    """Return the prices that are not null, in order of symbol."""
    return prices.filter(pl.col("price").is_not_null()).sort("symbol")


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _symbols(symbols: Sequence[str] | str, count: int) -> pl.Series:
    if isinstance(symbols, str):
        return pl.select(pl.repeat(symbols, count, dtype=pl.String)).to_series()
    return pl.Series(symbols, dtype=pl.String)


def _nulled(values: pl.Series, is_null: pl.Series) -> pl.Series:
    return values.set(is_null, None) if is_null.any() else values


def _either(which: NDArray[np.bool_], yes: str, no: str) -> pl.Series:
    return pl.select(pl.when(pl.Series(which)).then(pl.lit(yes)).otherwise(pl.lit(no))).to_series()
