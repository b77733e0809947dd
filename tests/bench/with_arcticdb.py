"""Resampling with ArcticDB, in its own LMDB: a symbol per ticker, read by a query, written back.

It groups by time and knows no calendar. Where each session's ordinal is given as a day after
1970-01-01, its buckets of n days are ours of n sessions. It applies no split inside a bucket.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import polars as pl

from lake import keys
from lake.exchange import arrow_sessions, load_sessions
from lake.interval import FIBONACCI, Interval
from lake.store import LocalStore

if TYPE_CHECKING:
    import pandas as pd

    from lake.session import SessionTable

T = TypeVar("T")

_BATCH: Final = 500
_DAILY: Final = "1d"
_HOW: Final = {
    "open": "first",
    "high": "max",
    "low": "min",
    "close": "last",
    "volume": "sum",
    "notional": "sum",
    "trades": "sum",
    "revision": "sum",
}
_AGGREGATES: Final = {
    **{name: (name, how) for name, how in _HOW.items()},
    "sessions": ("close", "count"),
}


def open_arctic(folder: Path) -> Any:
    """Return the ArcticDB in a folder, which is made where it is not."""
    from arcticdb import Arctic  # noqa: PLC0415 - installed for benchmarks alone

    return Arctic(f"lmdb://{folder}?map_size=40GB")


def in_batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values by the hundred: what is worked on at once must fit in memory."""
    yield from (values[start : start + _BATCH] for start in range(0, len(values), _BATCH))


def write_frames(library: Any, frames: dict[str, pd.DataFrame]) -> None:
    """Write a frame a symbol."""
    from arcticdb import WritePayload  # noqa: PLC0415

    library.write_batch([WritePayload(name, frame) for name, frame in frames.items()])


def frames_by_listing(bars: pl.DataFrame, instant: str) -> dict[str, pd.DataFrame]:
    """Return a frame a listing, as ArcticDB takes it: in order of time, by an index of instants."""
    rows = bars.sort("listing", instant).with_columns(pl.col(instant).cast(pl.Datetime("ns")))
    parts = rows.partition_by("listing", as_dict=True, include_key=False)
    return {str(name): part.to_pandas().set_index(instant) for (name,), part in parts.items()}


def load_daily(source: Path, folder: Path) -> None:
    """Write bronze into a library, a symbol per ticker, by ordinals as days."""
    store = LocalStore(source)
    files = keys.by_year(store.fingerprints(keys.DAILY)).values()
    ordinals = pl.DataFrame(arrow_sessions(load_sessions(store))).select("session", "ordinal")
    bars = (
        pl.scan_parquet([source / file for file in files], hive_partitioning=False)
        .join(ordinals.lazy(), on="session")
        .with_columns(
            notional=pl.col("volume") * pl.col("vwap"),
            day=pl.lit(0).cast(pl.Date()) + pl.duration(days=pl.col("ordinal")),
        )
        .select(pl.col("symbol").alias("listing"), "day", *_HOW)
        .collect()
    )
    library = open_arctic(folder).get_library(_DAILY, create_if_missing=True)
    for names in in_batches(bars["listing"].unique().to_list()):
        write_frames(library, frames_by_listing(bars.filter(pl.col("listing").is_in(names)), "day"))


def resample_with_arcticdb(folder: Path) -> None:
    """Resample the library of daily bars into one library an interval."""
    arctic = open_arctic(folder)
    daily = arctic.get_library(_DAILY)
    names = daily.list_symbols()
    for interval in FIBONACCI:
        target = arctic.get_library(str(interval), create_if_missing=True)
        for some in in_batches(names):
            write_frames(target, _resampled(daily, some, interval))


def _resampled(daily: Any, names: Sequence[str], interval: Interval) -> dict[str, pd.DataFrame]:
    from arcticdb import QueryBuilder, ReadRequest  # noqa: PLC0415

    query = QueryBuilder().resample(f"{interval.sessions}D").agg(_AGGREGATES)
    answers = daily.read_batch([ReadRequest(name, query_builder=query) for name in names])
    frames = {answer.symbol: answer.data for answer in answers}
    for frame in frames.values():
        frame["vwap"] = frame["notional"] / frame["volume"]
    return frames


def read_resampled(folder: Path, interval: Interval, table: SessionTable) -> pl.DataFrame:
    """Return all bars of an interval."""
    library = open_arctic(folder).get_library(str(interval))
    names = library.list_symbols()
    frames = [pl.DataFrame(library.read(name).data.reset_index()) for name in names]
    bars = pl.concat(
        frame.with_columns(symbol=pl.lit(name)) for name, frame in zip(names, frames, strict=True)
    )
    ordinals = bars["day"].cast(pl.Date()).to_physical()
    return bars.drop("day").with_columns(start=pl.Series(table.dates).gather(ordinals))
