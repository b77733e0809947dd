"""A CSV file of splits: `symbol,effective,ratio`, the ratio as `2:1`, new shares for old."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.fetching.sources import check_path
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
    try:
        rows = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        fact = f"{path} cannot be read: {error}"
        raise SourceError(fact, hint=_HINT) from error
    names = {name.strip().lower().replace(" ", "_"): name for name in rows.columns}
    picked = {
        field: names[spelling]
        for field, spellings in _SPELLINGS.items()
        for spelling in spellings
        if spelling in names
    }
    has_ratio = "ratio" in picked or {"split_from", "split_to"} <= picked.keys()
    if not has_ratio or not {"symbol", "effective"} <= picked.keys():
        fact = f"{path} is not a list of splits. Found: {', '.join(rows.columns) or 'nothing'}."
        raise SourceError(fact, hint=_HINT)
    fields = rows.select(pl.col(column).alias(field) for field, column in picked.items())
    splits = [_split(row, number, path) for number, row in enumerate(fields.to_dicts(), start=1)]
    return _without_repeats(pl.DataFrame(splits), path)


def _split(row: dict[str, str | None], number: int, path: Path) -> dict[str, object]:
    try:
        symbol = (row["symbol"] or "").strip().upper()
        effective = dt.date.fromisoformat((row["effective"] or "").strip())
        split_to, split_from = _ratio(row)
    except ValueError as error:
        fact = f"Row {number} of {path} is not a split: {error}."
        raise SourceError(fact, hint=_HINT) from None
    if not symbol:
        fact = f"Row {number} of {path} is not a split: it names no symbol."
        raise SourceError(fact, hint=_HINT)
    return {
        "listing": symbol,
        "symbol": symbol,
        "effective": effective,
        "split_from": split_from,
        "split_to": split_to,
    }


def _ratio(row: dict[str, str | None]) -> tuple[float, float]:
    if "ratio" in row:
        new, _, old = (row["ratio"] or "").partition(":")
        numbers = float(new), float(old or 1)
    else:
        numbers = float(row["split_to"] or ""), float(row["split_from"] or "")
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        msg = f"{numbers[0]:g}:{numbers[1]:g} is not a ratio of positive numbers"
        raise ValueError(msg)
    return numbers


def _without_repeats(splits: pl.DataFrame, path: Path) -> pl.DataFrame:
    if splits.is_empty():
        fact = f"{path} holds no rows."
        raise SourceError(fact, hint=_HINT)
    splits = splits.unique(maintain_order=True)
    twice = splits.filter(pl.struct("listing", "effective").is_duplicated())
    if not twice.is_empty():
        first = twice.row(0, named=True)
        fact = f"{path} has two ratios for {first['symbol']} on {first['effective']}."
        raise SourceError(fact, hint="keep the right one.")
    return splits
