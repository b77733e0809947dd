"""What a lake holds, as frames to compare: free of when it was learnt, and in a fixed order."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any

import polars as pl
import pytest

from batch_layer.bronze import daily, listings, splits
from batch_layer.bronze.year import read_year
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.exchange import load_sessions
from lake.interval import FIBONACCI, Interval
from lake.parquet import read_frame
from lake.schemas import BARS
from lake.store import ObjectStore
from tests.oracle import bars_of

_SCALED = ("open", "high", "low", "close", "volume", "vwap")
KNOWN = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


def bronze_years(store: ObjectStore) -> list[int]:
    return list(keys.by_year(store.fingerprints(keys.DAILY)))


def bronze(store: ObjectStore) -> pl.DataFrame:
    """All current daily bars, without the instant at which they were learnt."""
    years = [read_year(store, year).bars for year in bronze_years(store)]
    return pl.concat(years).drop("known_from").sort("symbol", "session")


def history(store: ObjectStore) -> pl.DataFrame:
    """All replaced daily bars, without instants."""
    years = [read_year(store, year).history for year in bronze_years(store)]
    rows = pl.concat(years).drop("known_from", "known_to")
    return rows.sort("symbol", "session", "revision")


def withdrawn(store: ObjectStore) -> pl.DataFrame:
    return pl.concat([read_year(store, year).withdrawn() for year in bronze_years(store)])


def silver(store: ObjectStore, interval: Interval) -> pl.DataFrame:
    """All bars of an interval."""
    objects = store.fingerprints(keys.silver_prefix(interval))
    years = [read_frame(store, key, BARS)[0] for key in objects]
    return pl.concat(years).sort("listing", "start")


def expected_silver(lake: Lake, interval: Interval) -> list[dict[str, Any]]:
    """What the oracle makes of the lake's bronze."""
    rows = listed(lake, bronze(lake.store), "session")
    committed = lake.status().committed
    assert committed
    bars = bars_of(
        rows.to_dicts(),
        listed(lake, splits.read(lake.store), "effective").to_dicts(),
        n=interval.sessions,
        table=load_sessions(lake.store),
        through=committed,
        withdrawn=listed(lake, withdrawn(lake.store), "session").to_dicts(),
    )
    return [asdict(bar) for bar in bars]


def listed(lake: Lake, rows: pl.DataFrame, day: str) -> pl.DataFrame:
    """Rows by symbol with the listing of each, found the plain way: one range at a time."""
    said = listings.read(lake.store).sort("first").rows(named=True)
    found = [_listing(said, symbol, on) for symbol, on in rows.select("symbol", day).iter_rows()]
    return rows.with_columns(listing=pl.Series(found, dtype=pl.String()))


def _listing(said: list[dict[str, Any]], symbol: str, on: dt.date) -> str:
    found = symbol
    if any(row["listing"] == symbol for row in said):
        found = f"{symbol}~"  # unless a row tells of the symbol
    for row in said:
        if row["symbol"] == symbol:
            if on < row["first"]:
                return f"{symbol}<{row['first']}" if found in {symbol, f"{symbol}~"} else found
            last = row["last"] or dt.date.max
            found = row["listing"] if on <= last else f"{symbol}>{last}"
    return found


def assert_silver_is_right(lake: Lake) -> None:
    """Every field of every bar of every interval equals the oracle's."""
    for interval in FIBONACCI:
        assert_bars_equal(expected_silver(lake, interval), silver(lake.store, interval).to_dicts())


def assert_bars_equal(expected: list[dict[str, Any]], actual: list[dict[str, Any]]) -> None:
    """Rows are equal; vwap to 1e-9, since sums of products depend on their order."""
    assert [_without_vwap(row) for row in expected] == [_without_vwap(row) for row in actual]
    for left, right in zip(expected, actual, strict=True):
        if left["vwap"] is None or right["vwap"] is None:
            assert left["vwap"] is right["vwap"]
        else:
            assert abs(left["vwap"] - right["vwap"]) <= 1e-9 * left["vwap"]


def _without_vwap(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "vwap"}


def commit(lake: Lake, bars: pl.DataFrame, *, at: dt.datetime | None = None) -> daily.Changes:
    """Bring bars into bronze past the files, learnt at an instant; by default now."""
    known_from = pl.lit(at or lake.clock.now())
    return daily.commit(lake.store, bars.with_columns(known_from=known_from))


def dividend(symbol: str, ex_date: dt.date, amount: float) -> pl.DataFrame:
    """One dividend, as bronze takes it."""
    row = (symbol, ex_date, float(amount))
    return pl.DataFrame([row], schema=["symbol", "ex_date", "amount"], orient="row")


def assert_bars_close(expected: list[dict[str, Any]], actual: list[dict[str, Any]]) -> None:
    """Rows are equal; prices and volumes to 1e-9, since factors may be applied in any order."""
    assert [_exact(row) for row in expected] == [_exact(row) for row in actual]
    for left, right in zip(expected, actual, strict=True):
        for name in _SCALED:
            value = left[name]
            assert (value if value is None else pytest.approx(value, rel=1e-9)) == right[name], name


def _exact(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _SCALED}


def set_clock(lake: Lake, instant: dt.datetime) -> None:
    assert isinstance(lake.clock, SetClock)
    lake.clock.instant = instant


def split(symbol: str, effective: dt.date, split_to: float, split_from: float = 1) -> pl.DataFrame:
    """One split, as bronze takes it."""
    row = (symbol, effective, float(split_from), float(split_to))
    names = ["symbol", "effective", "split_from", "split_to"]
    return pl.DataFrame([row], schema=names, orient="row")


def listing_rows(*spans: tuple[str, str, dt.date, dt.date | None], **told: str) -> pl.DataFrame:
    """Return listings, symbols and when they had them, as bronze takes them, and what is told."""
    names = ("listing", "symbol", "first", "last")
    kinds = dict(zip(names, (pl.String(), pl.String(), pl.Date(), pl.Date()), strict=True))
    same = {"name": "Acorn", "exchange": "XNYS", "kind": "CS", **told}
    rows = pl.DataFrame(spans, pl.Schema(kinds), orient="row")
    return rows.with_columns(pl.lit(value).alias(name) for name, value in same.items())


def said(*rows: tuple[str, str, dt.date, dt.date | None]) -> pl.DataFrame:
    """Return listings, symbols and when they had them, of which nothing else is known."""
    kinds = {"listing": pl.String(), "symbol": pl.String(), "first": pl.Date(), "last": pl.Date()}
    frame = pl.DataFrame(list(rows), kinds, orient="row")
    texts = (pl.lit(None, pl.String()).alias(name) for name in ("name", "exchange", "kind"))
    return frame.with_columns(*texts)


def tell(lake: Lake, *rows: tuple[str, str, dt.date, dt.date | None]) -> int:
    """Tell a lake of them; return how many of its rows changed."""
    return listings.commit(lake.store, said(*rows), clock=lake.clock)
