"""When each symbol of bronze traded: its runs of bars, apart by months without any.

A symbol that another company takes over is idle in between, mostly: two runs may be two securities.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from lake import keys
from lake.parquet import decode_columns

if TYPE_CHECKING:
    from lake.store import ObjectStore

APART: Final = dt.timedelta(days=90)
_COLUMNS: Final = ("symbol", "session")


@dataclass(frozen=True, slots=True)
class Run:
    """The first and the last bar of some that follow each other."""

    first: dt.date
    last: dt.date


def read_runs(store: ObjectStore) -> dict[str, list[Run]]:
    """Return the runs of each symbol, in order.

    Raises:
        DamagedObjectError: If bronze cannot be read.
    """
    years = []
    for key in keys.by_year(store.fingerprints(keys.DAILY)).values():
        what = f"{key} in {store.location}"
        bars = pl.from_arrow(decode_columns(store.get(key).data, what, _COLUMNS))
        assert isinstance(bars, pl.DataFrame)  # noqa: S101 - a table makes a frame; tells mypy so
        years.append(_runs(bars.select("symbol", first="session", last="session")))
    found: defaultdict[str, list[Run]] = defaultdict(list)
    if years:
        for symbol, first, last in _runs(pl.concat(years)).iter_rows():
            found[symbol].append(Run(first, last))
    return dict(found)


def _runs(spans: pl.DataFrame) -> pl.DataFrame:
    """Return spans of a symbol that are not `APART` as one: symbol, first, last, in order."""
    ordered = spans.sort("symbol", "first")
    after = pl.col("first") - pl.col("last").shift(1).over("symbol")
    run = (after > APART).fill_null(value=False).cum_sum().over("symbol")
    grouped = ordered.with_columns(run=run).group_by("symbol", "run")
    rows = grouped.agg(pl.col("first").min(), pl.col("last").max())
    return rows.drop("run").sort("symbol", "first")
