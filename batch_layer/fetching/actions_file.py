"""A CSV file of reference data, one a row: what splits, dividends and listings have in common."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from batch_layer.fetching.sources import check_path, plain_csv
from lake.errors import SourceError
from lake.symbol import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Form:
    """How a file of one kind of action is written.

    Attributes:
        action: What a row is, as `split`.
        spellings: Which columns may hold which field, in lower case with `_` for a space.
        allowed: The sets of fields of which the file must have one.
        day: The field that holds the date; with the symbol it is the key.
        values: Reads a row's fields but symbol and date.
        twice: What there cannot be two of, as `ratios`.
        mend: What to do about two.
        hint: How to write the file.
    """

    action: str
    spellings: Mapping[str, tuple[str, ...]]
    allowed: tuple[frozenset[str], ...]
    day: str
    values: Callable[[Row], dict[str, float]]
    twice: str
    mend: str
    hint: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file, and what to call it."""

    fields: Mapping[str, str]
    name: str
    form: Form

    def refused(self, why: str) -> SourceError:
        """Return the error that says why this is no action."""
        return SourceError(f"{self.name} is not a {self.form.action}: {why}.", hint=self.form.hint)

    def symbol(self) -> str:
        """Return its symbol as the lake spells it."""
        symbol = canonical(self.fields["symbol"])
        if not symbol:
            raise self.refused("it names no symbol")
        return symbol

    def day(self, field: str) -> dt.date:
        """Return a field that is a date."""
        text = self.fields[field]
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            raise self.refused(f"{text!r} is not a date") from None


def read_actions(path: Path, form: Form) -> pl.DataFrame:
    """Return the actions of a file: symbol, the date and the form's values.

    Raises:
        SourceError: If it cannot be read, or a row is not an action; the first bad row is named.
    """
    actions = pl.DataFrame([_action(row) for row in read_rows(path, form)])
    return _without_repeats(actions, path, form)


def read_rows(path: Path, form: Form) -> list[Row]:
    """Return the rows of a file, at least one.

    Raises:
        SourceError: If it cannot be read, lacks a column, or has no rows or one of a wrong length.
    """
    check_path(path)
    if path.name.lower().endswith(".parquet"):
        fact = f"{path} is not a CSV file."
        raise SourceError(fact, hint=form.hint)
    with plain_csv(path) as file, file.path.open(encoding="utf-8-sig", newline="") as lines:
        places = _places(file.columns, path, form)
        values = list(csv.reader(lines, delimiter=file.separator))[1:]
    rows = [
        _row(each, places, len(file.columns), f"Row {number} of {path}", form)
        for number, each in enumerate(values, start=1)
        if each
    ]
    if not rows:
        fact = f"{path} holds no rows."
        raise SourceError(fact, hint=form.hint)
    return rows


def _places(columns: tuple[str, ...], path: Path, form: Form) -> dict[str, int]:
    """Return which column, by its number, holds which field."""
    names = {name.strip().lower().replace(" ", "_"): at for at, name in enumerate(columns)}
    found = {
        field: names[spelling]
        for field, spellings in form.spellings.items()
        for spelling in spellings
        if spelling in names
    }
    if not any(fields <= found.keys() for fields in form.allowed):
        fact = f"{path} is not a list of {form.action}s. Found: {', '.join(columns)}."
        raise SourceError(fact, hint=form.hint)
    return found


def _row(values: list[str], places: Mapping[str, int], columns: int, name: str, form: Form) -> Row:
    if len(values) != columns:
        raise Row({}, name, form).refused(f"it has {len(values)} values")
    return Row({field: values[at].strip() for field, at in places.items()}, name, form)


def _action(row: Row) -> dict[str, object]:
    return {"symbol": row.symbol(), row.form.day: row.day(row.form.day), **row.form.values(row)}


def _without_repeats(actions: pl.DataFrame, path: Path, form: Form) -> pl.DataFrame:
    actions = actions.unique(maintain_order=True)
    twice = actions.filter(pl.struct("symbol", form.day).is_duplicated())
    if not twice.is_empty():
        first = twice.row(0, named=True)
        fact = f"{path} has two {form.twice} for {first['symbol']} on {first[form.day]}."
        raise SourceError(fact, hint=form.mend)
    return actions
