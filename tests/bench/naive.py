"""Plain ways, to compare with.

The published one numbers the rows of each symbol and writes files by year and month: few of its
bars are ours, and it knows no splits, vwap, trades or revisions. That of minutes groups by time:
its hours begin when the clock's do, and so straddle the open.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from lake import keys
from lake.interval import FIBONACCI, INTRADAY, Interval

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

_INTRADAY_SQL = """
COPY (
    SELECT
        symbol, time_bucket(to_minutes($minutes), start) AS bucket, arg_min(open, start) AS open,
        max(high) AS high, min(low) AS low, arg_max(close, start) AS close, sum(volume) AS volume,
        sum(volume * vwap) / sum(volume) AS vwap, sum(trades) AS trades
    FROM read_parquet($file, hive_partitioning = false)
    GROUP BY symbol, bucket
    ORDER BY symbol, bucket
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
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


def resample_minutes_naively(folder: Path, target: Path) -> None:
    """Write bars of five intervals of each session of a lake's minutes below `target`."""
    with duckdb.connect() as connection:
        for path in sorted((folder / keys.MINUTE).rglob("*.parquet")):
            for interval in INTRADAY:
                written = target / f"interval={interval}" / path.parent.name / path.name
                written.parent.mkdir(parents=True)
                binds = {"file": str(path), "minutes": interval.minutes}
                connection.execute(_INTRADAY_SQL.format(path=written), binds)
