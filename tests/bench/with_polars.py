"""Resampling with Polars, a year at a time: the same bars in the same files as the floor's."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from pathlib import Path

import polars as pl

from batch_layer.bronze import splits
from lake import keys
from lake.exchange import arrow_sessions, load_sessions
from lake.interval import FIBONACCI, Interval
from lake.parquet import ROW_GROUP_ROWS
from lake.schemas import BARS
from lake.session import SessionTable
from lake.store import LocalStore

_STEP = 2**20
_PRICES = ("open", "high", "low", "close", "vwap")


def resample_with_polars(source: Path, target: Path) -> None:
    """Resample the bronze of a lake into the silver of the folder `target`."""
    store = LocalStore(source)
    years = keys.by_year(store.fingerprints(keys.DAILY))
    table = load_sessions(store)
    ordinals = pl.DataFrame(arrow_sessions(table)).select("session", "ordinal")
    files = [source / file for file in years.values()]
    names = pl.scan_parquet(files, hive_partitioning=False).select("symbol").unique().collect()
    listings = pl.Enum(names["symbol"].sort())
    known = _splits(splits.read(store), table)
    read = lru_cache(2)(lambda year: _bars(source / years[year], ordinals, listings))
    last = read(max(years))["ordinal"].max()
    assert isinstance(last, int)
    for year in sorted({*years, min(years) - 1}):
        of_year = table.ordinals(dt.date(year, 1, 1), dt.date(year, 12, 31))
        end = pl.col("ordinal") < of_year.stop + max(each.sessions for each in FIBONACCI)
        found = [read(each).filter(end) for each in (year, year + 1) if each in years]
        bars = pl.concat(found).sort("number")
        for interval in FIBONACCI:
            n = interval.sessions
            first, beyond = (-(-ordinal // n) * n for ordinal in (of_year.start, of_year.stop))
            covered = bars.filter(pl.col("ordinal").is_between(first, min(beyond - 1, last)))
            if not covered.is_empty():
                merged = _merged(_rebased(covered, known, n, last), n, last)
                _write(_dated(merged, n, ordinals), interval, year, target)


def _bars(file: Path, ordinals: pl.DataFrame, listings: pl.Enum) -> pl.DataFrame:
    """Return a year's bars with `number`: of the listing, then of the session."""
    listing = pl.col("listing").cast(listings).to_physical().cast(pl.Int64())
    return (
        pl.scan_parquet(file, hive_partitioning=False)
        .drop("known_from")
        .with_columns(listing="symbol")
        .join(ordinals.lazy(), on="session")
        .with_columns(number=listing * _STEP + pl.col("ordinal"))
        .collect()
    )


def _splits(known: pl.DataFrame, table: SessionTable) -> pl.DataFrame:
    effective = [table.ordinals(day, table.last).start for day in known["effective"]]
    return known.select(
        pl.col("symbol").alias("listing"),
        pl.Series("effective", effective, pl.Int32()),
        factor=pl.col("split_to") / pl.col("split_from"),
    )


def _rebased(bars: pl.DataFrame, known: pl.DataFrame, n: int, last: int) -> pl.DataFrame:
    """Return bars on the basis of their bucket's end; few have a split behind them in it."""
    through = pl.min_horizontal((pl.col("ordinal") // n + 1) * n - 1, pl.lit(last))
    factors = (
        bars.lazy()
        .select("listing", "ordinal")
        .join(known.lazy(), on="listing")
        .filter(pl.col("effective") > pl.col("ordinal"), pl.col("effective") <= through)
        .group_by("listing", "ordinal")
        .agg(pl.col("factor").product())
        .collect()
    )
    if factors.is_empty():
        return bars
    factor = pl.col("factor").fill_null(1)
    return bars.join(
        factors, on=["listing", "ordinal"], how="left", maintain_order="left"
    ).with_columns(*(pl.col(name) / factor for name in _PRICES), volume=pl.col("volume") * factor)


def _merged(bars: pl.DataFrame, n: int, last: int) -> pl.DataFrame:
    """Return one row a (listing, bucket): groups of a number, in the order of the rows."""
    return (
        bars.lazy()
        .with_columns(bucket=pl.col("ordinal") // n)
        .group_by(pl.col("number") // _STEP * _STEP + pl.col("bucket"), maintain_order=True)
        .agg(
            pl.col("listing", "open", "bucket").first(),
            pl.col("symbol", "close").last(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("volume", "trades", "revision").sum(),
            notional=(pl.col("volume") * pl.col("vwap")).sum(),
            sessions=pl.len().cast(pl.Int32()),
        )
        .with_columns(
            vwap=pl.col("notional") / pl.col("volume"),
            first=pl.col("bucket") * n,
            last=pl.min_horizontal(pl.col("bucket") * n + n - 1, pl.lit(last)),
        )
        .collect()
    )


def _dated(merged: pl.DataFrame, n: int, ordinals: pl.DataFrame) -> pl.DataFrame:
    dates = ordinals["session"]
    is_final = pl.col("last") == pl.col("first") + n - 1
    return merged.with_columns(
        start=dates.gather(merged["first"]),
        through=dates.gather(merged["last"]),
        sessions_expected=(pl.col("last") - pl.col("first") + 1).cast(pl.Int32()),
        state=pl.when(is_final).then(pl.lit("final")).otherwise(pl.lit("forming")),
    ).select(BARS.names)


def _write(bars: pl.DataFrame, interval: Interval, year: int, target: Path) -> None:
    path = target / keys.silver(interval, year)
    path.parent.mkdir(parents=True, exist_ok=True)
    bars.write_parquet(path, compression="zstd", row_group_size=ROW_GROUP_ROWS)
