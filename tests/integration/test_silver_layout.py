"""Silver as others read it: plain hive-style readers see each bar once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest

from fiblake import Lake
from lake.interval import FIBONACCI, Interval
from lake.schemas import BARS
from tests.frames import silver


def by_duckdb(folder: Path) -> pl.DataFrame:
    glob = f"{folder}/**/*.parquet"
    query = f"FROM read_parquet('{glob}', hive_partitioning=true)"
    with duckdb.connect() as connection:
        return connection.sql(query).pl()


def by_polars(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/**/*.parquet", hive_partitioning=True)


def by_pyarrow(folder: Path) -> pl.DataFrame:
    frame = pl.from_arrow(ds.dataset(folder, partitioning="hive").to_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


def by_pandas(folder: Path) -> pl.DataFrame:
    return pl.from_pandas(pd.read_parquet(folder))


@pytest.mark.parametrize("interval", FIBONACCI, ids=str)
@pytest.mark.parametrize("read", [by_duckdb, by_polars, by_pyarrow, by_pandas])
def test_a_plain_reader_sees_each_bar_exactly_once(
    sample_lake: Lake, interval: Interval, read: Callable[[Path], pl.DataFrame]
) -> None:
    rows = read(Path(sample_lake.store.uri("silver")) / f"interval={interval}")

    expected = silver(sample_lake.store, interval)
    assert expected.equals(rows.select(BARS.names).sort("listing", "start"))
    assert rows["start"].dt.year().to_list() == rows["year"].cast(pl.Int32).to_list()


def test_all_of_silver_reads_at_once_with_its_interval(sample_lake: Lake) -> None:
    rows = by_duckdb(Path(sample_lake.store.uri("silver")))

    assert {str(interval) for interval in FIBONACCI} == set(rows["interval"])
    assert not rows.select("interval", "listing", "start").is_duplicated().any()
