"""`make bench`: measures the batch job and the reader, prints the tables, writes the docs."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from functools import partial
from pathlib import Path

import duckdb
import polars as pl

from batch_layer.bronze import daily
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from tests.bench.naive import resample_naively
from tests.bench.timing import Measured, machine, markdown, median_ms, timed

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"
CLOCK = SetClock(dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC))
COPIES = (1, 20, 40, 80)
INTERVAL = "13d"


def demo_job(folder: Path) -> list[Measured]:
    """The demo's own job, as `make demo` runs it: files into bronze, bronze into silver."""
    lake = Lake(folder, clock=CLOCK)
    sessions = timed("make the session table (once a lake)", 16_610, lake.importer().sessions)
    rows = 12_154
    return [
        sessions,
        timed("import the sample", rows, lake.import_sample),
        timed("resample six intervals", rows, lake.resample),
        timed("import it again: nothing to do", rows, lake.import_sample),
        timed("resample again: nothing to do", rows, lake.resample),
    ]


def copied_market(sample: Path, folder: Path, copies: int) -> Lake:
    """A lake of the sample's bars under many names."""
    bars = Lake(sample, clock=CLOCK).bars(["AAPL", "FB", "GOOG", "IBM", "MSFT"], adjustment="raw")
    market = pl.concat(
        bars.with_columns(pl.col("symbol", "listing") + f".{copy}") for copy in range(copies)
    )
    (folder / "meta").mkdir(parents=True)
    shutil.copy2(sample / keys.SESSIONS, folder / keys.SESSIONS)
    lake = Lake(folder, clock=CLOCK)
    columns = ["listing", "symbol", pl.col("start").alias("session"), *bars.columns[3:10]]
    daily.commit(lake.store, market.select(columns), clock=CLOCK)
    return lake


def growth(sample: Path, folder: Path) -> list[list[str]]:
    """Ours and the naive way side by side, on markets of growing size."""
    table = []
    for copies in COPIES:
        lake = copied_market(sample, folder / f"x{copies}", copies)
        rows = 12_154 * copies
        ours = timed("ours", rows, lake.resample)
        files = [lake.store.uri(key) for key in lake.store.fingerprints(keys.DAILY)]
        naive_folder = folder / f"naive{copies}"
        naive = timed("naive", rows, partial(resample_naively, files, naive_folder))
        table.append(
            [
                f"{rows:,}",
                f"{ours.seconds:.2f}",
                ours.pace,
                f"{naive.seconds:.2f}",
                f"{naive.seconds / ours.seconds:.1f}x",
            ]
        )
    return table


def readers(folder: Path) -> list[list[str]]:
    """One symbol's whole history of one interval, warm."""
    lake = Lake(folder, clock=CLOCK)
    symbol = "AAPL.7"
    glob = f"{folder}/{keys.SILVER}interval={INTERVAL}/**/*.parquet"
    query = f"FROM read_parquet('{glob}', hive_partitioning=true) WHERE symbol = '{symbol}'"
    runs = {
        "`Lake.bars`, splits applied": lambda: lake.bars(symbol, INTERVAL),
        "DuckDB `read_parquet`": lambda: duckdb.sql(query).pl(),
        "Polars `scan_parquet`": lambda: (
            pl.scan_parquet(glob, hive_partitioning=True).filter(symbol=symbol).collect()
        ),
    }
    return [[name, f"{median_ms(run):.1f}"] for name, run in runs.items()]


def report(folder: Path) -> str:
    """Run everything and return the page."""
    job = demo_job(folder / "demo")
    rows = growth(folder / "demo", folder)
    job_rows = [[row.what, f"{row.rows:,}", f"{row.seconds:.2f}", row.pace] for row in job]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Written by `make bench` on {machine()}.",
            "",
            "## The demo's job",
            "",
            markdown(["step", "rows", "seconds", "rows/s"], job_rows),
            "",
            "## Resampling six intervals, markets of growing size",
            "",
            "The sample's bars under many names. The naive way numbers rows per symbol and writes",
            "files by year and month, as the published system did; it knows",
            "no splits, vwap, trades, revisions or checkpoints, and builds all anew each time.",
            "",
            markdown(["daily bars", "seconds", "rows/s", "naive, seconds", "naive / ours"], rows),
            "",
            f"## Reading one symbol's {INTERVAL} bars out of {COPIES[-1] * 5} symbols, warm",
            "",
            markdown(["reader", "median ms"], readers(folder / f"x{COPIES[-1]}")),
            "",
        ]
    )


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="fiblake-bench-"))
    try:
        page = report(folder)
    finally:
        shutil.rmtree(folder)
    print(page)  # noqa: T201 - a benchmark's output
    DOCS.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
