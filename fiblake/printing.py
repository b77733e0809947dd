"""Bars as a table, CSV, JSON or Parquet, on standard output or in a file."""

from __future__ import annotations

import datetime as dt
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import polars as pl
from pydantic_core import to_json

from fiblake.output import Output, table_of
from lake.errors import MisuseError, StoreError
from lake.instant import written
from lake.parquet import encode

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS: Final = (
    *("symbol", "interval", "start", "open", "high", "low", "close", "volume", "vwap", "trades"),
    *("sessions", "through", "state", "revision"),
)
_INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"
_PRICES: Final = ("open", "high", "low", "close", "vwap")


class Format(StrEnum):
    """The forms in which bars are printed."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def form_of(given: Format | None, path: Path | None) -> Format:
    """Return the form that was asked for, or else that of the file's ending, or else a table.

    Raises:
        MisuseError: If the file's ending says another form than the one asked for.
    """
    ending = path.suffix.removeprefix(".").lower() if path else ""
    told = next((form for form in Format if form == ending), None)
    if path and not given and not told:
        fact = f"The ending of {path} tells no form. Allowed: {', '.join(Format)}."
        raise MisuseError(fact, hint="add --format, or change the ending.")
    if given and told and given is not told:
        fact = f"--format {given} and the ending of {path} contradict each other."
        raise MisuseError(fact, hint="leave --format out, or change the ending.")
    return given or told or Format.table


def write_bars(
    bars: pl.DataFrame, interval: str, *, form: Format | None, path: Path | None
) -> None:
    """Print bars, or write them to a file.

    Raises:
        MisuseError: If Parquet was to be printed on a terminal, or form and file contradict.
        StoreError: If the file cannot be written.
    """
    chosen = form_of(form, path)
    if path is None and chosen is Format.parquet and sys.stdout.isatty():
        fact = "Parquet is not for a terminal."
        raise MisuseError(fact, hint="add --output FILE.")
    rows = bars.with_columns(interval=pl.lit(interval)).select(COLUMNS)
    data = _encoded(rows, chosen)
    if path is None:
        Output().raw(data)
        return
    try:
        path.write_bytes(data)
    except OSError as error:
        fact = f"Could not write {path}: {error.strerror}."
        raise StoreError(fact) from error


def bars_table(rows: pl.DataFrame) -> str:
    """Return bars as a table to look at: prices to four places, whole shares."""
    return table_of(rows.columns, (_cells(row) for row in rows.to_dicts()), left=3)


def _cells(row: dict[str, object]) -> list[str]:
    return [_cell(name, value) for name, value in row.items()]


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return written(value)
    if name in _PRICES:
        return f"{value:.4f}"
    if name in {"volume", "trades"}:
        return f"{value:,.0f}"
    return str(value)


def _encoded(rows: pl.DataFrame, form: Format) -> bytes:
    if form is Format.csv:
        return rows.write_csv(datetime_format=_INSTANT).encode()
    if form is Format.json:
        return to_json(rows.to_dicts())
    if form is Format.parquet:
        return encode(rows.to_arrow())
    return f"{bars_table(rows)}\n".encode()
