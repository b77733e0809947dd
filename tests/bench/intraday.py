"""Minutes into bars of minutes and hours, beside a plain `time_bucket`, and a year of 5m read."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from batch_layer.bronze import minute
from lake import keys
from lake.exchange import compute_sessions, encode_sessions, load_sessions
from lake.hours import hours_of
from lake.interval import Interval
from lake.session import SessionTable
from tests.bench.lakes import lake_at
from tests.bench.naive import resample_minutes_naively
from tests.bench.timing import BenchmarkError, latencies_ms, markdown, run_alone, seconds_of, warm

FIRST: Final = dt.date(2024, 11, 18)
LAST: Final = dt.date(2024, 11, 27)
"""Eight sessions, none of them short."""
FIVE: Final = Interval.parse("5m")
_YEAR: Final = 2024
_WARM_UP: Final = 2
_KNOWN: Final = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


def minutes_of(session: dt.date, table: SessionTable, symbols: int) -> pl.DataFrame:
    """Return a random walk of each symbol through the regular minutes of a session."""
    hours = hours_of(session, table)
    random = np.random.default_rng(session.toordinal())
    minute_ = np.arange(*hours.edges)
    count = symbols * len(minute_)
    steps = random.normal(0, 0.001, (symbols, len(minute_) + 1)).cumsum(1)
    price = (np.exp(steps) * random.uniform(5, 500, (symbols, 1))).round(2)
    open_, close = price[:, :-1].ravel(), price[:, 1:].ravel()
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    starts = np.tile(int(hours.dawn.timestamp()) * 10**6 + minute_ * 60 * 10**6, symbols)
    columns = {
        "symbol": np.repeat([f"S{number:05d}" for number in range(symbols)], len(minute_)),
        "open": open_,
        "high": high,
        "low": low,
        "close": close,
        "volume": random.integers(1, 10**5, count).astype(float),
        "vwap": (high + low) / 2,
        "trades": random.integers(1, 500, count),
    }
    instant = pl.Datetime("us", "UTC")
    return pl.DataFrame(columns).with_columns(
        start=pl.Series(starts).cast(instant), known_from=pl.lit(_KNOWN).cast(instant)
    )


def commit_task(folder: str, symbols: int) -> dict[str, Any]:
    """Make minutes, and commit them; the seconds are those of the commits."""
    store = lake_at(folder).store
    table = compute_sessions(dt.date(2025, 12, 31))
    store.put(keys.SESSIONS, encode_sessions(table))
    seconds, rows = 0.0, 0
    for ordinal in table.ordinals(FIRST, LAST):
        bars = minutes_of(table[ordinal], table, symbols)
        seconds += seconds_of(partial(minute.commit, store, bars))
        rows += bars.height
    return {"seconds": seconds, "rows": rows}


def ours_task(folder: str) -> dict[str, Any]:
    """Resample all minutes."""
    report = lake_at(folder).resample()
    assert report.intraday
    return {"seconds": report.intraday.seconds, "bars": report.intraday.bars}


def naive_task(folder: str, target: str) -> dict[str, Any]:
    """Let DuckDB group all minutes anew for each interval."""
    return {"seconds": seconds_of(lambda: resample_minutes_naively(Path(folder), Path(target)))}


def read_task(folder: str, reader: str, queries: int, symbols: int) -> dict[str, Any]:
    """Return p50 and p95 of a symbol's year of 5m."""
    read = READERS[reader]
    names = [f"S{number % symbols:05d}" for number in range(0, 997 * (queries + _WARM_UP), 997)]
    first = read(folder, names[0])
    runs = [partial(read, folder, name) for name in names]
    return {"bars": len(first), "ms": latencies_ms(runs, warm_up=_WARM_UP)}


def _with_lake(folder: str, symbol: str) -> pl.DataFrame:
    return lake_at(folder).bars(symbol, str(FIVE))


def _with_duckdb(folder: str, symbol: str) -> pa.Table:
    statement = (
        "SELECT * FROM read_parquet($files, hive_partitioning = false) "
        "WHERE symbol = $symbol AND hours = 'regular' ORDER BY start"
    )
    files = f"{folder}/{keys.silver_prefix(FIVE)}*/*/*.parquet"
    with duckdb.connect() as connection:
        return connection.execute(statement, {"files": files, "symbol": symbol}).to_arrow_table()


def _with_polars(folder: str, symbol: str) -> pl.DataFrame:
    rows = pl.scan_parquet(f"{folder}/{keys.silver_prefix(FIVE)}", hive_partitioning=False)
    is_asked = (pl.col("symbol") == symbol) & (pl.col("hours") == "regular")
    return rows.filter(is_asked).sort("start").collect()


READERS: Final[dict[str, Callable[[str, str], Any]]] = {
    "fiblake": _with_lake,
    "DuckDB": _with_duckdb,
    "Polars": _with_polars,
}


def intraday(work: Path, symbols: int, queries: int) -> str:
    """Return the tables of commits and resampling, and of reading."""
    folder = work / "minutes"
    committed = run_alone(commit_task, folder=folder, symbols=symbols)
    warm(folder)
    ours = run_alone(ours_task, folder=folder)
    naive = run_alone(naive_task, folder=folder, target=work / "naive-minutes")
    rows = committed.result["rows"]
    runs = {
        "commit into bronze": committed,
        "fiblake resample": ours,
        "DuckDB, `time_bucket` for each interval": naive,
    }
    built = [
        [name, f"{ran.seconds:.1f}", f"{rows / ran.seconds:,.0f}", f"{ran.peak_gib:.1f}"]
        for name, ran in runs.items()
    ]
    _make_a_year(folder)
    warm(folder)
    read = []
    for reader in READERS:
        asked = {"folder": folder, "reader": reader, "queries": queries, "symbols": symbols}
        told = run_alone(read_task, **asked).result
        read.append([reader, f"{told['bars']:,}", " / ".join(f"{ms:.0f}" for ms in told["ms"])])
    shutil.rmtree(folder)
    if len({bars for _, bars, _ in read}) > 1:
        msg = f"readers answer with different numbers of bars: {read}"
        raise BenchmarkError(msg)
    return "\n\n".join(
        [
            markdown([f"{rows:,} minutes", "seconds", "minutes/s", "peak GiB"], built),
            markdown(["reader", "bars", "ms"], read),
        ]
    )


def _make_a_year(folder: Path) -> None:
    """Make each session of a year one of those there are, by links."""
    table = load_sessions(lake_at(folder).store)
    there = [
        folder / keys.intraday(FIVE, table[ordinal]) for ordinal in table.ordinals(FIRST, LAST)
    ]
    year = table.ordinals(dt.date(_YEAR, 1, 1), dt.date(_YEAR, 12, 31))
    for ordinal in year:
        path = folder / keys.intraday(FIVE, table[ordinal])
        if not path.exists():
            path.parent.mkdir(parents=True)
            os.link(there[ordinal % len(there)], path)
