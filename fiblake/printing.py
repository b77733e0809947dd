"""Bars as a table, CSV, JSON or Parquet, on standard output or in a file."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import polars as pl
from pydantic_core import to_json

from fiblake.output import Output, rendered, table_of
from lake.errors import MisuseError, StoreError
from lake.parquet import encode

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

COLUMNS: Final = (
    *("symbol", "interval", "start", "open", "high", "low", "close", "volume", "vwap", "trades"),
    *("sessions", "through", "state", "revision"),
)
_PRICES: Final = ("open", "high", "low", "close", "vwap")


class Format(StrEnum):
    """The forms in which bars are printed."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def write_bars(bars: pl.DataFrame, interval: str, *, form: Format, path: Path | None) -> None:
    """Print bars, or write them to a file.

    Raises:
        MisuseError: If Parquet was to be printed on a terminal.
        StoreError: If the file cannot be written.
    """
    rows = bars.with_columns(interval=pl.lit(interval)).select(COLUMNS)
    if path is not None:
        try:
            path.write_bytes(_encoded(rows, form))
        except OSError as error:
            fact = f"Could not write {path}: {error.strerror}."
            raise StoreError(fact) from error
        return
    if form is Format.table:
        Output().show(bars_table(rows))
        return
    if form is Format.parquet and sys.stdout.isatty():
        fact = "Parquet is not for a terminal."
        raise MisuseError(fact, hint="add --output FILE.")
    Output().raw(_encoded(rows, form))


def bars_table(rows: pl.DataFrame) -> Table:
    """Return bars as a table to look at: prices to four places, whole shares."""
    return table_of(rows.columns, (_cells(row) for row in rows.to_dicts()), left=3)


def _cells(row: dict[str, object]) -> list[str]:
    return [_cell(name, value) for name, value in row.items()]


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in _PRICES:
        return f"{value:.4f}"
    if name in {"volume", "trades"}:
        return f"{value:,.0f}"
    return str(value)


def _encoded(rows: pl.DataFrame, form: Format) -> bytes:
    if form is Format.csv:
        return rows.write_csv().encode()
    if form is Format.json:
        return to_json(rows.to_dicts())
    if form is Format.parquet:
        return encode(rows.to_arrow())
    return rendered(bars_table(rows)).encode()
