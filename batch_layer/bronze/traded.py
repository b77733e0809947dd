"""When each symbol of bronze traded: its runs of bars, apart by months without any.

A symbol that another company takes over is idle in between, mostly: two runs may be two securities.

Years that have not changed are not read again: an object keeps their runs. It is derived.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa

from lake import keys
from lake.errors import DamagedObjectError, StoreError
from lake.parquet import decode_columns, encode_frame, read_frame

if TYPE_CHECKING:
    from lake.store import ObjectStore

APART: Final = dt.timedelta(days=90)
_COLUMNS: Final = ("symbol", "session")
_INDEX: Final = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("first", pa.date32(), nullable=False),
        pa.field("last", pa.date32(), nullable=False),
    ]
)


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
    rows = _of_years(store)
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for symbol, first, last in _runs(rows.select("symbol", "first", "last")).iter_rows():
        found[symbol].append(Run(first, last))
    return dict(found)


def _of_years(store: ObjectStore) -> pl.DataFrame:
    """Return the runs of each year's object."""
    there = store.fingerprints(keys.DAILY)
    known = _known(store)
    is_there = [there.get(key) == at for key, at in known.select("key", "fingerprint").iter_rows()]
    kept = known.filter(pl.Series(is_there, dtype=pl.Boolean()))
    missing = [key for key in keys.by_year(there).values() if key not in set(kept["key"])]
    if not missing and kept.height == known.height:
        return known
    rows = pl.concat([kept, *(_read(store, key) for key in missing)])
    with suppress(StoreError):  # a lake may be there to be read alone
        store.put(keys.RUNS_INDEX, encode_frame(rows, _INDEX))
    return rows


def _known(store: ObjectStore) -> pl.DataFrame:
    try:
        return read_frame(store, keys.RUNS_INDEX, _INDEX)[0]
    except DamagedObjectError:
        frame = pl.from_arrow(_INDEX.empty_table())
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - tells mypy so
        return frame


def _read(store: ObjectStore, key: str) -> pl.DataFrame:
    stored = store.get(key)
    found = pl.from_arrow(decode_columns(stored.data, f"{key} in {store.location}", _COLUMNS))
    assert isinstance(found, pl.DataFrame)  # noqa: S101 - a table makes a frame; tells mypy so
    runs = _runs(found.select("symbol", first="session", last="session"))
    told = (pl.lit(key).alias("key"), pl.lit(stored.fingerprint).alias("fingerprint"))
    return runs.select(*told, "symbol", "first", "last")


def _runs(spans: pl.DataFrame) -> pl.DataFrame:
    """Return spans of a symbol that are not `APART` as one: symbol, first, last, in order."""
    ordered = spans.sort("symbol", "first")
    after = pl.col("first") - pl.col("last").shift(1).over("symbol")
    run = (after > APART).fill_null(value=False).cum_sum().over("symbol")
    grouped = ordered.with_columns(run=run).group_by("symbol", "run")
    rows = grouped.agg(pl.col("first").min(), pl.col("last").max())
    return rows.drop("run").sort("symbol", "first")
