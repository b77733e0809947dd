"""The published way, to compare with: rows numbered per symbol, files by year and month.

It numbers the bars that a symbol happens to have, so that few of its bars are ours; it knows no
splits, vwap, trades or revisions.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from lake.interval import FIBONACCI, Interval

_SQL = """
COPY (
    WITH numbered AS (
        SELECT *, (row_number() OVER (PARTITION BY symbol ORDER BY session) - 1) // $n AS bucket
        FROM read_parquet($files, hive_partitioning = false)
    )
    SELECT
        symbol, min(session) AS start, arg_min(open, session) AS open, max(high) AS high,
        min(low) AS low, arg_max(close, session) AS close, sum(volume) AS volume,
        year(min(session)) AS year, month(min(session)) AS month
    FROM numbered
    GROUP BY symbol, bucket
) TO '{folder}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (year, month))
"""


def read_naive(folder: Path, interval: Interval) -> pl.DataFrame:
    """Return all bars of an interval."""
    pattern = folder / f"interval={interval}" / "**" / "*.parquet"
    return pl.read_parquet(pattern, hive_partitioning=False)


def resample_naively(files: list[str], folder: Path) -> None:
    """Write all six intervals below `folder`."""
    with duckdb.connect() as connection:
        for interval in FIBONACCI:
            target = folder / f"interval={interval}"
            target.mkdir(parents=True)
            connection.execute(_SQL.format(folder=target), {"files": files, "n": interval.sessions})
