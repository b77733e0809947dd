"""A CSV file of splits: `symbol,effective,ratio`, the ratio as `2:1`, new shares for old."""

from __future__ import annotations

import csv
import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.fetching.sources import check_path, plain_csv
from lake.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

_SPELLINGS: Final = {
    "symbol": ("symbol", "ticker"),
    "effective": ("effective", "date", "execution_date", "ex_date", "effective_date"),
    "ratio": ("ratio", "split"),
    "split_from": ("split_from",),
    "split_to": ("split_to",),
}
_HINT: Final = "write the header symbol,effective,ratio and rows like AAPL,2005-02-28,2:1."


def read_splits(path: Path) -> pl.DataFrame:
    """Return the splits of a file: the columns of `SPLITS` but `known_from`.

    The vendors' columns `ticker, execution_date, split_from, split_to` will do as well.

    Raises:
        SourceError: If it cannot be read, or a row is not a split; the first bad row is named.
    """
    check_path(path)
    if path.name.lower().endswith(".parquet"):
        fact = f"{path} is not a CSV file."
        raise SourceError(fact, hint=_HINT)
    with plain_csv(path) as file, file.path.open(encoding="utf-8-sig", newline="") as lines:
        fields = _fields(file.columns, path)
        rows = list(csv.reader(lines, delimiter=file.separator))[1:]
    splits = [
        _split(_Row(values, fields, f"Row {number} of {path}"), len(file.columns))
        for number, values in enumerate(rows, start=1)
        if values
    ]
    if not splits:
        fact = f"{path} holds no rows."
        raise SourceError(fact, hint=_HINT)
    return _without_repeats(pl.DataFrame(splits), path)


def _fields(columns: tuple[str, ...], path: Path) -> dict[str, int]:
    """Return which column, by its number, holds which field."""
    names = {name.strip().lower().replace(" ", "_"): at for at, name in enumerate(columns)}
    found = {
        field: names[spelling]
        for field, spellings in _SPELLINGS.items()
        for spelling in spellings
        if spelling in names
    }
    has_ratio = "ratio" in found or {"split_from", "split_to"} <= found.keys()
    if not has_ratio or not {"symbol", "effective"} <= found.keys():
        fact = f"{path} is not a list of splits. Found: {', '.join(columns)}."
        raise SourceError(fact, hint=_HINT)
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    values: list[str]
    fields: dict[str, int]
    name: str

    def text(self, field: str) -> str:
        return self.values[self.fields[field]].strip()


def _refused(row: _Row, why: str) -> SourceError:
    return SourceError(f"{row.name} is not a split: {why}.", hint=_HINT)


def _split(row: _Row, columns: int) -> dict[str, object]:
    if len(row.values) != columns:
        raise _refused(row, f"it has {len(row.values)} values")
    symbol = row.text("symbol").upper()
    if not symbol:
        raise _refused(row, "it names no symbol")
    split_to, split_from = _ratio(row)
    return {
        "listing": symbol,
        "symbol": symbol,
        "effective": _effective(row),
        "split_from": split_from,
        "split_to": split_to,
    }


def _effective(row: _Row) -> dt.date:
    text = row.text("effective")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise _refused(row, f"{text!r} is not a date") from None


def _ratio(row: _Row) -> tuple[float, float]:
    """Return new shares and old."""
    if "ratio" in row.fields:
        text = row.text("ratio")
        new, colon, old = text.partition(":")
        pair = (new, old) if colon else (new, "1")
    else:
        pair = (row.text("split_to"), row.text("split_from"))
        text = ":".join(pair)
    try:
        numbers = float(pair[0]), float(pair[1])
    except ValueError:
        raise _refused(row, f"{text!r} is not a ratio") from None
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        raise _refused(row, f"{text!r} is not a ratio of positive numbers")
    return numbers


def _without_repeats(splits: pl.DataFrame, path: Path) -> pl.DataFrame:
    splits = splits.unique(maintain_order=True)
    twice = splits.filter(pl.struct("listing", "effective").is_duplicated())
    if not twice.is_empty():
        first = twice.row(0, named=True)
        fact = f"{path} has two ratios for {first['symbol']} on {first['effective']}."
        raise SourceError(fact, hint="keep the right one.")
    return splits
