"""Reference data from a local vendor: one history a company, and nothing asked for twice."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer import landing
from batch_layer.bronze import dividends, listings, splits
from batch_layer.fetching.reference_report import Part, ReferenceReport
from batch_layer.local_vendor import LocalVendor
from batch_layer.local_vendor.figi import figi
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.errors import VendorKeyError
from lake.session import EPOCH
from lake.store import LocalStore
from tests.fetching import EVENING, FAST, Fetching
from tests.frames import assert_silver_is_right
from tests.reference import CLASS, DAY, NEW, RENAMED, REUSED, Cast, cast_of, known

START = dt.date(2012, 6, 1)


@pytest.fixture(scope="module")
def cast(vendor_lake_folder: Path) -> Cast:
    return cast_of(vendor_lake_folder)


@pytest.fixture
def vendor(vendor_lake_folder: Path, cast: Cast) -> Iterator[LocalVendor]:
    with LocalVendor(LocalStore(vendor_lake_folder), reference=cast.story) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def daily(
    vendor_lake_folder: Path,
    cast: Cast,
    blank_lake: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A lake with the vendor's daily bars; not to be written to."""
    folder = tmp_path_factory.mktemp("daily") / "lake"
    shutil.copytree(blank_lake, folder)
    with (
        LocalVendor(LocalStore(vendor_lake_folder), reference=cast.story) as vendor,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in {**vendor.settings, **FAST, "FIBLAKE_CACHE": "off"}.items():
            patch.setenv(name, value)
        Lake(folder, clock=SetClock(EVENING)).fetch_daily(start=START)
    return folder


@pytest.fixture
def opened(fetching: Fetching, daily: Path, tmp_path: Path) -> Fetching:
    """Return a lake that has the daily bars, and asks the local vendor, by its clock."""
    shutil.copytree(daily, tmp_path / "lake", copy_function=shutil.copy2)
    return fetching


def part(report: ReferenceReport, what: str) -> Part:
    return next(each for each in report.parts if each.what == what)


def rows_of(lake: Lake, *symbols: str) -> list[tuple[Any, ...]]:
    rows = listings.read(lake.store).filter(pl.col("symbol").is_in(symbols))
    return rows.sort("symbol", "first").select("symbol", "listing", "first", "last").rows()


def days(lake: Lake, name: str) -> list[dt.date]:
    return lake.bars(name, "1d")["start"].to_list()


def test_a_renamed_company_has_one_history(
    opened: Fetching, cast: Cast, vendor_lake_folder: Path
) -> None:
    lake = opened()
    report = lake.fetch_reference()
    lake.resample()

    assert 0 == report.failed
    listing = figi(cast.renamed)
    assert [(cast.renamed, listing, cast.first[cast.renamed], RENAMED - DAY)] == rows_of(
        lake, cast.renamed
    )
    assert [(NEW, listing, RENAMED, None)] == rows_of(lake, NEW)
    assert_silver_is_right(lake)
    bars = lake.bars(NEW, "1d", adjustment="raw")
    source = Lake(vendor_lake_folder).bars(cast.renamed, "1d", start=START, adjustment="raw")
    assert source["close"].to_list() == bars["close"].to_list()
    assert {listing} == set(bars["listing"])
    assert bars["start"].to_list() == lake.bars(cast.renamed, "1d")["start"].to_list()


def test_a_symbol_used_again_is_another_listing(opened: Fetching, cast: Cast) -> None:
    lake = opened()
    lake.fetch_reference()
    lake.resample()

    old, new = figi(cast.reused), figi(f"{cast.reused} {REUSED.year}")
    assert [
        (cast.reused, old, cast.first[cast.reused], REUSED - DAY),
        (cast.reused, new, REUSED, None),
    ] == rows_of(lake, cast.reused)
    assert REUSED == days(lake, cast.reused)[0]
    assert REUSED > days(lake, old)[-1]


def test_a_class_of_shares_is_one_in_any_spelling(opened: Fetching, cast: Cast) -> None:
    lake = opened()
    lake.fetch_reference()
    lake.resample()

    expected = lake.bars(CLASS, "13d").to_dicts()
    assert {figi(cast.spelt)} == {bar["listing"] for bar in expected}
    for spelling in ("BRK/B", "brk-b", "BRK B"):
        assert expected == lake.bars(spelling, "13d").to_dicts()


def test_delisted_ones_keep_their_bars(opened: Fetching, cast: Cast) -> None:
    lake = opened()
    lake.fetch_reference()
    lake.resample()
    had = [(symbol, last) for symbol, last in sorted(cast.delisted.items()) if last > START]

    assert had
    for symbol, last in had:
        assert [(symbol, figi(symbol), EPOCH, last)] == rows_of(lake, symbol)
        assert last == days(lake, symbol)[-1]


def test_splits_and_dividends_are_the_vendors(
    opened: Fetching, cast: Cast, vendor_lake_folder: Path
) -> None:
    lake, sold = opened(), LocalStore(vendor_lake_folder)
    report = lake.fetch_reference()
    names = {cast.spelt: CLASS}

    for table, day in ((splits, "effective"), (dividends, "ex_date")):
        expected = table.read(sold).with_columns(
            pl.when((pl.col("symbol") == cast.renamed) & (pl.col(day) >= RENAMED))
            .then(pl.lit(NEW))
            .otherwise(pl.col("symbol").replace(names))
            .alias("symbol")
        )
        told = [name for name in expected.columns if name != "known_from"]
        assert sorted(expected.select(told).rows()) == sorted(
            table.read(lake.store).select(told).rows()
        )
        assert {EVENING} == set(table.read(lake.store)["known_from"])
    assert splits.read(lake.store).height == part(report, "splits").changed
    lake.resample()
    assert_silver_is_right(lake)


def test_what_landed_is_not_asked_for_again_the_same_day(
    opened: Fetching, vendor: LocalVendor
) -> None:
    first = opened().fetch_reference()
    vendor.forget()
    again = opened().fetch_reference()

    assert [] == vendor.requests
    assert 0 == again.changed
    assert [each.asked + each.there for each in first.parts] == [each.there for each in again.parts]


def test_on_another_day_what_may_have_changed_is_asked_for(
    opened: Fetching, vendor: LocalVendor
) -> None:
    opened().fetch_reference()
    vendor.forget()
    report = opened(EVENING + DAY).fetch_reference()

    assert 0 == report.changed
    # Two snapshots; this year and the next of splits and of dividends; last year's is over.
    assert [2, 0, 0, 0, 2, 2, 1] == [each.asked for each in report.parts]
    assert [] == [each for each in vendor.requests if "2012-01-01" in each.query]


def test_in_january_the_year_before_is_asked_for_as_well(
    opened: Fetching, vendor: LocalVendor
) -> None:
    vendor.published = dt.date(2012, 12, 31)
    opened(dt.datetime(2013, 1, 2, 22, tzinfo=dt.UTC)).fetch_reference()
    vendor.published = dt.date(2013, 1, 31)
    in_january = opened(dt.datetime(2013, 1, 31, 22, tzinfo=dt.UTC)).fetch_reference()
    in_february = opened(dt.datetime(2013, 2, 4, 22, tzinfo=dt.UTC)).fetch_reference()
    later = opened(dt.datetime(2013, 2, 5, 22, tzinfo=dt.UTC)).fetch_reference()

    assert [3, 3, 2] == [part(each, "splits").asked for each in (in_january, in_february, later)]


def test_again_asks_for_all_and_changes_nothing(opened: Fetching, vendor: LocalVendor) -> None:
    first = opened().fetch_reference()
    vendor.forget()
    again = opened(EVENING + dt.timedelta(hours=1)).fetch_reference(again=True)

    assert [each.asked for each in first.parts] == [each.asked for each in again.parts]
    assert 0 == again.changed


def test_bronze_is_rebuilt_from_landing_alone(opened: Fetching, vendor: LocalVendor) -> None:
    vendor.published = dt.date(2013, 2, 28)
    opened(dt.datetime(2013, 2, 28, 22, tzinfo=dt.UTC)).fetch_reference()
    vendor.published = dt.date(2013, 3, 28)
    lake = opened()
    lake.fetch_reference()
    expected = known(lake.store)
    past = lake.store.get(keys.LISTINGS_HISTORY).data
    shutil.rmtree(Path(lake.store.location) / "bronze")
    vendor.forget()
    report = lake.rebuild_bronze()

    assert [] == vendor.requests
    assert [len(each) for each in expected] == [
        report.reference.splits,
        report.reference.dividends,
        report.reference.listings,
    ]
    assert expected == known(lake.store)
    assert past == lake.store.get(keys.LISTINGS_HISTORY).data
    assert 0 == lake.rebuild_bronze().reference.changed
    assert 0 == lake.fetch_reference().changed


def test_a_wrong_key_is_one_error(opened: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBLAKE_MASSIVE_KEY", "wrong")

    with pytest.raises(VendorKeyError, match="Massive refuses the key: Unknown API Key"):
        opened().fetch_reference()
    assert {} == landing.landed(opened().store, "massive", "tickers")
    assert {} == opened().store.fingerprints(keys.SPLITS)
