"""Bronze made anew from landing: what fetching made, revisions and instants and all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer.bronze import imports, ledger
from batch_layer.local_vendor import LocalVendor
from batch_layer.local_vendor.restatement import Restatement
from fiblake import Lake
from lake import keys
from lake.errors import BusyError
from lake.lease import leased
from tests.fetching import EVENING, Fetching, current, replaced

START = dt.date(2012, 12, 3)
END = dt.date(2013, 1, 31)
DAY = dt.date(2013, 1, 15)
CSV = "symbol,date,open,high,low,close,volume"


def state(lake: Lake) -> tuple[Any, ...]:
    """Return all that bronze and the ledger tell, instants and revisions among it."""
    entries = ledger.read(lake.store, "daily")
    told = [
        (source, day, *entry.reasons.items(), entry.rows, entry.landed)
        for source, of in sorted(entries.items())
        for day, entry in of.items()
    ]
    return current(lake.store).rows(), replaced(lake.store).rows(), told


def rich(fetching: Fetching, vendor: LocalVendor) -> Lake:
    """A lake whose bars came from two sources, and were restated twice."""
    fetching().fetch_daily(start=START, end=END)
    bars = current(fetching().store)
    of_day, of_end = (set(bars.filter(pl.col("session") == day)["symbol"]) for day in (DAY, END))
    # Not among the first two and the last, which are restated by themselves.
    symbol = sorted(of_day & of_end)[10]
    vendor.restate(DAY)
    fetching(EVENING + dt.timedelta(days=1)).fetch_daily(start=DAY, end=END, again=True)
    fetching(EVENING + dt.timedelta(days=2)).fetch_daily("flatfiles", start=START, end=DAY)
    vendor.restate(DAY, Restatement(corrected={symbol: {"close": 1.0, "low": 0.5}}))
    vendor.restate(END, Restatement(corrected={symbol: {"low": -1.0}}))
    lake = fetching(EVENING + dt.timedelta(days=3))
    lake.fetch_daily(start=START, end=END, again=True)
    assert replaced(lake.store).height > 2
    return lake


def destroy(lake: Lake, *prefixes: str) -> None:
    for prefix in prefixes:
        for key in lake.store.fingerprints(prefix):
            (Path(lake.store.location) / key).unlink()


@pytest.mark.parametrize("prefixes", [("bronze/",), ("bronze/", "meta/", "rejects/"), ()])
def test_bronze_is_what_fetching_made_of_it(
    fetching: Fetching, vendor: LocalVendor, prefixes: tuple[str, ...]
) -> None:
    lake = rich(fetching, vendor)
    before = state(lake)
    rejects = set(lake.store.fingerprints(keys.REJECTS))
    vendor.forget()
    destroy(lake, *prefixes)
    report = fetching(EVENING + dt.timedelta(days=30)).rebuild_bronze()

    assert before == state(lake)
    assert rejects == set(lake.store.fingerprints(keys.REJECTS))
    assert [] == vendor.requests
    bars = current(lake.store).height
    assert (bars, 0) == (
        (report.restored, report.unchanged) if prefixes else (report.unchanged, report.restored)
    )
    assert (41, 0, 0, 0) == (report.sessions, report.changed, report.dropped, report.kept)


def test_a_lake_that_was_rebuilt_has_nothing_to_fetch(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    lake = rich(fetching, vendor)
    destroy(lake, "bronze/", "meta/ledger/", "meta/index/")
    lake.rebuild_bronze()
    vendor.forget()

    assert 41 == lake.fetch_daily(start=START, end=END).already_there
    assert [] == vendor.requests


def test_what_landing_makes_of_a_bar_takes_its_place(fetching: Fetching) -> None:
    lake = fetching()
    lake.fetch_daily(start=START, end=END)
    before = state(lake)
    # As an older version of ours might have read the answers.
    key = keys.daily(2013)
    bars = pl.read_parquet(lake.store.uri(key))
    first = pl.col("symbol") == bars["symbol"][0]
    spoilt = bars.with_columns(
        pl.when(first).then(pl.lit("AAAA")).otherwise("symbol").alias("symbol"),
        close=pl.col("close") * 2,
    )
    spoilt.write_parquet(Path(lake.store.location) / key)
    report = lake.rebuild_bronze()

    assert before == state(lake)
    moved = bars.filter(first).height
    assert (moved, bars.height - moved, moved) == (report.restored, report.changed, report.dropped)


def told_by_hand(fetching: Fetching, csv_file: Callable[..., Path]) -> Lake:
    """A lake of a vendor's bars, some of which files correct, withdraw and add to."""
    lake = fetching()
    lake.fetch_daily(start=START, end=END)
    names = current(lake.store).filter(pl.col("session") == DAY)["symbol"].unique().sort().to_list()
    corrected, withdrawn = names[:2]
    later = fetching(EVENING + dt.timedelta(days=1))
    later.import_files(
        csv_file(
            CSV,
            f"{corrected},{DAY},10,12,9,11,5",
            f"MINE,{DAY},1,2,1,2,3",
            "MINE,2010-01-04,1,2,1,2,3",
        )
    )
    later.importer().withdraw_files(
        [csv_file("symbol,date", f"{withdrawn},{DAY}", name="gone.csv")]
    )
    return fetching(EVENING + dt.timedelta(days=30))


@pytest.mark.parametrize("prefixes", [("bronze/",), ("bronze/", "meta/", "rejects/"), ()])
def test_what_files_told_is_told_again_in_its_order(
    fetching: Fetching, csv_file: Callable[..., Path], prefixes: tuple[str, ...]
) -> None:
    lake = told_by_hand(fetching, csv_file)
    before, files = state(lake), imports.read(lake.store)
    destroy(lake, *prefixes)

    report = lake.rebuild_bronze()

    assert before == state(lake)
    assert files == imports.read(lake.store)
    assert (2, 0, 0) == (report.told, report.kept, report.dropped)
    assert 0 == (report.changed if prefixes else report.restored + report.changed)


def test_what_landing_does_not_know_of_is_left_as_it_is(
    fetching: Fetching, csv_file: Callable[..., Path]
) -> None:
    lake = told_by_hand(fetching, csv_file)
    before = state(lake)
    destroy(lake, "landing/files/")  # as of files that were imported before files landed

    report = lake.rebuild_bronze()

    assert before == state(lake)
    assert 2 == report.kept  # the withdrawn one is no bar any more


def test_an_empty_lake_is_rebuilt_to_nothing(fetching: Fetching) -> None:
    report = fetching().rebuild_bronze()

    assert (0, 0) == (report.answers, report.restored)


def test_a_rebuild_does_not_begin_while_a_fetch_is_at_work(fetching: Fetching) -> None:
    lake = fetching()
    with leased(lake.store, "fetch-massive", clock=lake.clock):
        with pytest.raises(BusyError, match="holds the lease fetch-massive"):
            lake.rebuild_bronze()
        with pytest.raises(BusyError, match="holds the lease fetch-massive"):
            lake.fetch_daily(start=START, end=END)
        assert 1 == lake.fetch_daily("flatfiles", start=END, end=END).fetched
