"""What flat files say, and whether they are whole.

Source: https://massive.com/docs/flat-files/stocks/day-aggregates and .../minute-aggregates
Units: prices USD a share, volume shares, `window_start` nanoseconds (UTC): of a day's bar, midnight
at the exchange, of a minute's bar its start.
"""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Final

import polars as pl
from polars.exceptions import PolarsError

from lake.errors import NotPublishedError, VendorAnswerError
from lake.massive_symbols import lake_symbols

if TYPE_CHECKING:
    import datetime as dt

HEADER: Final = (
    *("ticker", "volume", "open", "close", "high", "low", "window_start", "transactions"),
)
_VALUES: Final = {
    **{name: name for name in ("open", "high", "low", "close", "volume")},
    "transactions": "trades",
}
_EXCHANGE_ZONE: Final = "America/New_York"


def plain_file(body: bytes) -> bytes:
    """Return the CSV in a flat file.

    Raises:
        VendorAnswerError: If it is not whole, or not what it should be.
    """
    try:
        text = gzip.decompress(body)
    except (EOFError, OSError, zlib.error) as error:
        fact = f"A flat file of {len(body):,} bytes is no whole gzip file: {error}."
        raise VendorAnswerError(fact) from None
    header = text[: text.find(b"\n") + 1].decode("utf-8", "replace").strip()
    if not set(HEADER) <= set(header.split(",")) or not text.endswith(b"\n"):
        fact = f"A flat file has the header {header[:100]!r}. Expected: {','.join(HEADER)}."
        raise VendorAnswerError(fact)
    return text


def daily_rows(body: bytes, session: dt.date) -> pl.DataFrame:
    """Return the bars of a day file: one row a bar, the fields that validation knows.

    Raises:
        NotPublishedError: If it has none.
        VendorAnswerError: If it is not whole, or of another session.
    """
    rows, _ = _of_session(body, session)
    return rows.select(
        lake_symbols(rows["ticker"]).alias("symbol"),
        pl.lit(session).alias("session"),
        *(pl.col(column).alias(name) for column, name in _VALUES.items()),
    )


def minute_rows(body: bytes, session: dt.date) -> pl.DataFrame:
    """Return the bars of a minute file: one row a bar, `start` and fields that validation knows.

    Raises:
        NotPublishedError: If it has none.
        VendorAnswerError: If it is not whole, or of another session.
    """
    rows, starts = _of_session(body, session)
    return rows.select(
        lake_symbols(rows["ticker"]).alias("symbol"),
        starts.cast(pl.Datetime("us", "UTC")).alias("start"),
        *(pl.col(column).alias(name) for column, name in _VALUES.items()),
    )


def _of_session(body: bytes, session: dt.date) -> tuple[pl.DataFrame, pl.Series]:
    """Return the rows of a file, which has some and of that session alone, and their starts."""
    rows = _read(plain_file(body))
    if rows.is_empty():
        fact = "The flat file of this session has no bars."
        raise NotPublishedError(fact)
    starts = rows["window_start"].cast(pl.Int64, strict=False).cast(pl.Datetime("ns", "UTC"))
    told = starts.unique().drop_nulls()
    days = told.dt.convert_time_zone(_EXCHANGE_ZONE).dt.date().unique()
    other = days.filter(days != session)
    if not other.is_empty():
        fact = f"The flat file of {session} has bars of {other[0]}."
        raise VendorAnswerError(fact)
    return rows, starts


def _read(text: bytes) -> pl.DataFrame:
    numbers = dict.fromkeys(_VALUES, pl.Float64()) | {"window_start": pl.Int64()}
    try:
        return pl.read_csv(text, schema_overrides={"ticker": pl.String(), **numbers})
    except PolarsError:
        pass
    # A value is not of its kind: as texts, rules judge each row.
    try:
        return pl.read_csv(text, infer_schema=False)
    except PolarsError as error:
        first_line = str(error).partition("\n")[0]
        fact = f"A flat file of {len(text):,} bytes cannot be read: {first_line}."
        raise VendorAnswerError(fact) from None
