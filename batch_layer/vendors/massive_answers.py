"""What Massive's answers say, and whether they are whole.

Source: https://massive.com/docs/rest/stocks/aggregates/daily-market-summary
Units: prices USD a share, `v` shares, `t` milliseconds (UTC) within the session at the exchange.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars.exceptions import PolarsError
from pydantic_core import from_json

from lake.errors import NotPublishedError, VendorAnswerError
from lake.massive_symbols import lake_symbols

if TYPE_CHECKING:
    import datetime as dt

_GOOD: Final = {"OK", "DELAYED"}
_FIELDS: Final = {
    "T": "symbol",
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
    "vw": "vwap",
    "n": "trades",
}
_NUMBERS: Final = tuple(name for name in _FIELDS if name != "T")
_BAR: Final = pl.Struct(
    {"T": pl.String(), **dict.fromkeys(_NUMBERS, pl.Float64()), "t": pl.Int64()}
)
_GROUPED: Final = pl.Struct(
    {"status": pl.String(), "resultsCount": pl.Int64(), "results": pl.List(_BAR)}
)
_EXCHANGE_ZONE: Final = "America/New_York"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an answer.

    Attributes:
        rows: How many results it has.
        next_url: Where the next page is; None: this is the last.
        marks: What no other page has: its cursor, and its results' digest.
    """

    rows: int
    next_url: str | None
    marks: frozenset[object]


def page_of(body: bytes) -> Page:
    """Return what a page of results says.

    Raises:
        VendorAnswerError: If it is not whole.
    """
    try:
        told = from_json(body)
    except ValueError as error:
        raise _cut(body, error) from None
    _check_status(told.get("status") if isinstance(told, dict) else None, body)
    results = told.get("results") or []
    rows = len(results) if isinstance(results, list) else 1
    count = told.get("resultsCount", told.get("count"))
    if count is not None and isinstance(results, list) and count != rows:
        raise _miscounted(count, rows)
    next_url = told.get("next_url") or None
    marks: set[object] = {next_url} if next_url else set()
    if results:
        marks.add(hashlib.sha256(json.dumps(results, sort_keys=True).encode()).digest())
    return Page(rows, next_url, frozenset(marks))


def results_of(body: bytes) -> list[dict[str, Any]]:
    """Return the results of an answer, one where it is about one thing; what is none is left out.

    Raises:
        VendorAnswerError: If it is not whole.
    """
    try:
        told = from_json(body)
    except ValueError as error:
        raise _cut(body, error) from None
    results = told.get("results") if isinstance(told, dict) else None
    rows = results if isinstance(results, list) else [results]
    return [row for row in rows if isinstance(row, dict)]


def daily_rows(body: bytes, session: dt.date) -> pl.DataFrame:
    """Return the bars of a grouped daily answer: one row a bar, the fields that validation knows.

    Raises:
        NotPublishedError: If it has none.
        VendorAnswerError: If it is not whole, or of another session.
    """
    status, count, bars = read_bars(body)
    _check_status(status, body)
    if bars.height != (count or 0):
        raise _miscounted(count, bars.height)
    if bars.is_empty():
        fact = "Massive has no bars of this session."
        raise NotPublishedError(fact)
    days = bars["t"].drop_nulls().cast(pl.Datetime("ms", "UTC"))
    other = [
        day
        for day in days.dt.convert_time_zone(_EXCHANGE_ZONE).dt.date().unique()
        if day != session
    ]
    if other:
        fact = f"Massive answers with bars of {other[0]} where those of {session} were asked for."
        raise VendorAnswerError(fact)
    return bars.select(
        lake_symbols(bars["T"]).alias("symbol"),
        pl.lit(session.isoformat()).alias("session"),
        *(pl.col(code).alias(name) for code, name in _FIELDS.items() if code != "T"),
    )


def read_bars(body: bytes) -> tuple[str | None, int | None, pl.DataFrame]:
    """Return status, count and bars of an answer.

    Raises:
        VendorAnswerError: If it is no JSON, or not of this shape.
    """
    try:
        told = pl.Series([body.decode()]).str.json_decode(_GROUPED).struct.unnest()
    except (PolarsError, UnicodeDecodeError):
        return _bars_of_any_kind(body)
    bars = told["results"].drop_nulls().explode().struct.unnest()
    return told["status"][0], told["resultsCount"][0], bars


def _bars_of_any_kind(body: bytes) -> tuple[str | None, int | None, pl.DataFrame]:
    """Return the same where a value is not of its kind: as texts, for rules to judge row by row."""
    try:
        told = json.loads(body)
        bars = told.get("results") or []
        texts = [{name: _text_of(bar.get(name)) for name in _FIELDS} for bar in bars]
        times = [bar.get("t") if isinstance(bar.get("t"), int) else None for bar in bars]
    except (ValueError, AttributeError, TypeError) as error:
        raise _cut(body, error) from None
    kinds = dict.fromkeys(_FIELDS, pl.String())
    frame = pl.DataFrame(texts, schema=kinds).with_columns(pl.Series("t", times, pl.Int64()))
    return told.get("status"), told.get("resultsCount"), frame


def _text_of(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON has there
    return None if value is None else str(value)


def _check_status(status: object, body: bytes) -> None:
    if status not in _GOOD:
        fact = f"Massive answers with status {status!r}: {body[:80]!r}. Allowed: OK, DELAYED."
        raise VendorAnswerError(fact)


def _cut(body: bytes, error: Exception) -> VendorAnswerError:
    first_line = str(error).partition("\n")[0]
    return VendorAnswerError(f"Massive's answer of {len(body):,} bytes is no JSON: {first_line}.")


def _miscounted(count: object, rows: int) -> VendorAnswerError:
    return VendorAnswerError(f"Massive's answer says it has {count} results, and has {rows}.")
