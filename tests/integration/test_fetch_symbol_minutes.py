"""The minutes of some symbols, from a local vendor's REST: nothing missed, nothing twice."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer import landing
from batch_layer.bronze import ledger, minute
from batch_layer.local_vendor import LocalVendor
from batch_layer.local_vendor.restatement import Restatement
from fiblake import Lake
from lake import keys
from lake.errors import (
    FiblakeError,
    InvalidRangeError,
    MisuseError,
    VendorKeyError,
    VendorRefusedError,
    VendorUnavailableError,
)
from lake.store import LocalStore, ObjectStore
from tests.fetching import EVENING, Fetching, current
from tests.integration.test_fetch_minutes import counts
from tests.minutes import assert_intraday_is_right
from tests.selling import minutes_in, minutes_sold

START = dt.date(2013, 1, 9)
END = dt.date(2013, 2, 15)
DAY = dt.date(2013, 1, 15)
SESSIONS = 27
_RANGE = re.compile(r"ticker/(.+)/range/1/minute/([^/]+)/([^/?]+)")


@pytest.fixture
def names(vendor_lake_folder: Path) -> tuple[str, str]:
    """Two symbols that trade on every session."""
    bars = current(LocalStore(vendor_lake_folder)).filter(pl.col("session").is_between(START, END))
    every = bars["symbol"].value_counts().filter(count=SESSIONS)["symbol"].sort()
    return every[0], every[1]


def asked(vendor: LocalVendor) -> list[tuple[str, ...]]:
    """Return the ranges that the vendor was asked for, in order."""
    matches = (_RANGE.search(request.path) for request in vendor.requests)
    return sorted(match.groups() for match in matches if match)


def of(store: ObjectStore, *symbols: str) -> pl.DataFrame:
    return minutes_in(store).filter(pl.col("symbol").is_in(symbols))


def test_what_the_vendor_sells_is_in_bronze_and_resampled_and_read(
    fetching: Fetching, vendor: LocalVendor, vendor_lake_folder: Path, names: tuple[str, str]
) -> None:
    lake = fetching()
    report = lake.fetch_minutes(names, start=START, end=END)
    sold = minutes_sold(vendor_lake_folder, START, END, *names)

    assert {"fetched": 2 * SESSIONS} == counts(report)
    assert ("minute", "massive", START, END) == (
        report.kind,
        report.source,
        report.start,
        report.end,
    )
    assert sold.height == report.added == report.rows
    assert sold.equals(minutes_in(lake.store))
    # A call for each month of each symbol.
    months = (("2013-01-09", "2013-01-31"), ("2013-02-01", "2013-02-15"))
    assert sorted((name, *month) for name in names for month in months) == asked(vendor)
    lake.resample()
    assert_intraday_is_right(lake)
    assert lake.bars(names[0], "5m").height > 100


def test_what_is_there_is_not_asked_for_again(
    fetching: Fetching, vendor: LocalVendor, names: tuple[str, str]
) -> None:
    fetching().fetch_minutes(names, start=START, end=END)
    vendor.forget()
    report = fetching().fetch_minutes(names, start=START, end=END)

    assert {"there": 2 * SESSIONS} == counts(report)
    assert [] == vendor.requests


def test_a_month_that_was_still_running_is_completed_and_no_more(
    fetching: Fetching, vendor: LocalVendor, vendor_lake_folder: Path, names: tuple[str, str]
) -> None:
    name = names[0]
    fetching(dt.datetime(2013, 1, 15, 22, tzinfo=dt.UTC)).fetch_minutes(name, start=START)
    vendor.forget()
    lake = fetching()
    report = lake.fetch_minutes(name, start=dt.date(2013, 1, 7), end=END)

    assert {"there": 5, "fetched": SESSIONS + 2 - 5} == counts(report)
    assert [
        (name, "2013-01-07", "2013-01-08"),
        (name, "2013-01-16", "2013-01-31"),
        (name, "2013-02-01", "2013-02-15"),
    ] == asked(vendor)
    assert minutes_sold(vendor_lake_folder, dt.date(2013, 1, 7), END, name).equals(
        minutes_in(lake.store)
    )


def test_what_is_not_published_yet_is_asked_for_later(
    fetching: Fetching, vendor: LocalVendor, names: tuple[str, str]
) -> None:
    vendor.published = dt.date(2013, 3, 26)
    lake = fetching()

    assert {"fetched": 3, "not yet": 2} == counts(lake.fetch_minutes(names[0], start="2013-03-22"))
    assert {"there": 3, "not yet": 2} == counts(lake.fetch_minutes(names[0], start="2013-03-22"))
    vendor.published = dt.date(2013, 3, 28)
    vendor.forget()
    assert {"there": 3, "fetched": 2} == counts(lake.fetch_minutes(names[0], start="2013-03-22"))
    assert [(names[0], "2013-03-27", "2013-03-28")] == asked(vendor)


def test_other_symbols_of_the_session_stay(
    fetching: Fetching, vendor_lake_folder: Path, names: tuple[str, str]
) -> None:
    lake = fetching()
    lake.fetch_minutes(start=DAY, end=DAY)
    others = minutes_in(lake.store).filter(~pl.col("symbol").is_in(names))
    report = lake.fetch_minutes(names, start=DAY, end=DAY)

    # The REST tells vwap, which flat files have not.
    assert (0, 0) == (report.added, report.withdrawn)
    assert report.rows == report.corrected + report.unchanged
    assert others.equals(minutes_in(lake.store).filter(~pl.col("symbol").is_in(names)))
    assert minutes_sold(vendor_lake_folder, DAY, DAY, *names).equals(of(lake.store, *names))
    assert {"there": 1} == counts(lake.fetch_minutes(start=DAY, end=DAY))


def test_what_had_landed_is_brought_without_asking(
    fetching: Fetching, vendor: LocalVendor, names: tuple[str, str]
) -> None:
    lake = fetching()
    lake.fetch_minutes(names, start=START, end=END)
    other = fetching(name="other")
    for key in lake.store.fingerprints(keys.LANDING):
        other.store.put(key, lake.store.get(key).data)
    vendor.forget()
    report = other.fetch_minutes(names, start=START, end=END)

    assert {"from landing": 2 * SESSIONS} == counts(report)
    assert [] == vendor.requests
    assert minutes_in(lake.store).equals(minutes_in(other.store))
    assert {"there": 2 * SESSIONS} == counts(other.fetch_minutes(names, start=START, end=END))


def test_bronze_that_is_gone_is_not_taken_for_there(
    fetching: Fetching, vendor: LocalVendor, names: tuple[str, str]
) -> None:
    lake = fetching()
    lake.fetch_minutes(names, start=START, end=END)
    before = minutes_in(lake.store)
    (Path(lake.store.location) / keys.minute(DAY)).unlink()
    vendor.forget()
    report = lake.fetch_minutes(names, start=START, end=END)

    assert (0, []) == (report.fetched, vendor.requests)
    assert report.from_landing > 0
    assert before.equals(minutes_in(lake.store))


def test_pages_are_followed_and_land_together(
    fetching: Fetching,
    vendor: LocalVendor,
    vendor_lake_folder: Path,
    names: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("batch_layer.vendors.massive._BARS_MOST", 1000)
    lake = fetching()
    lake.fetch_minutes(names[0], start=START, end=END)
    landed = landing.landed(lake.store, "massive", "minute")
    (key,) = landed[f"{names[0]}/2013-01-09_2013-01-31"]

    assert len(asked(vendor)) == sum(
        len(landing.read(lake.store, each)) for of_unit in landed.values() for each in of_unit
    )
    assert len(landing.read(lake.store, key)) > 1
    assert minutes_sold(vendor_lake_folder, START, END, names[0]).equals(minutes_in(lake.store))


def test_what_is_asked_for_again_is_corrected_and_what_is_gone_is_withdrawn(
    fetching: Fetching, vendor: LocalVendor, names: tuple[str, str]
) -> None:
    first, gone = names
    lake = fetching()
    lake.fetch_minutes(names, start=START, end=END)
    lake.resample()
    before = minute.read(lake.store, DAY)[0]
    vendor.restate(DAY, Restatement(corrected={first: {"volume": 1e6}}, withdrawn=[gone]))
    later = fetching(EVENING + dt.timedelta(days=9))
    report = later.fetch_minutes(names, start=START, end=END, again=True)
    after = minute.read(later.store, DAY)[0]

    assert {"fetched": 2 * SESSIONS} == counts(report)
    assert before.filter(symbol=gone).height == report.withdrawn > 0
    assert report.corrected > 0
    assert [first] == after["symbol"].unique().to_list()
    rebuilt = later.resample().intraday
    assert rebuilt is not None
    assert {str(DAY)} == {each.session for each in rebuilt.rebuilt}
    assert_intraday_is_right(later)
    assert {"there": 2 * SESSIONS} == counts(later.fetch_minutes(names, start=START, end=END))


def test_a_symbol_that_was_not_listed_yet_has_no_bars_and_is_asked_once(
    fetching: Fetching, vendor: LocalVendor, vendor_lake_folder: Path
) -> None:
    bars = current(LocalStore(vendor_lake_folder))
    since = bars.group_by("symbol").agg(pl.col("session").min())
    since = since.filter(pl.col("session").is_between(dt.date(2012, 5, 1), dt.date(2012, 9, 30)))
    symbol, first = since.sort("session").row(0)
    lake = fetching()
    report = lake.fetch_minutes(symbol, start="2012-03-01", end=first)

    assert report.sessions == report.fetched
    vendor.forget()
    assert (
        report.sessions == lake.fetch_minutes(symbol, start="2012-03-01", end=first).already_there
    )
    assert [] == vendor.requests


def test_a_symbol_that_there_is_not_fails_and_does_not_land(
    fetching: Fetching, names: tuple[str, str]
) -> None:
    lake = fetching()
    report = lake.fetch_minutes(["NONESUCH", names[0]], start=START, end=END)

    assert {"fetched": SESSIONS, "failed": SESSIONS} == counts(report)
    assert (
        "NONESUCH: Massive has no minutes of it from 2013-02-01 to 2013-02-15."
        == report.failed[0].why
    )
    assert not any("NONESUCH" in key for key in lake.store.fingerprints(""))


def test_a_unit_that_fails_does_not_hold_up_the_rest(
    fetching: Fetching, vendor: LocalVendor, names: tuple[str, str]
) -> None:
    vendor.fail("cut", path=f"{names[0]}/range.*2013-01-31", times=None)
    lake = fetching()
    report = lake.fetch_minutes(names, start=START, end=END)

    assert {"fetched": 2 * SESSIONS - 16, "failed": 16} == counts(report)
    assert f"{names[0]}: Massive's answer" in report.failed[0].why
    vendor.heal()
    assert {"there": 2 * SESSIONS - 16, "fetched": 16} == counts(
        lake.fetch_minutes(names, start=START, end=END)
    )


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("unauthorized", VendorKeyError),
        ("not_in_plan", VendorRefusedError),
        ("error", VendorUnavailableError),
    ],
)
def test_a_vendor_that_fails_for_good_ends_it_with_one_error(
    fetching: Fetching,
    vendor: LocalVendor,
    names: tuple[str, str],
    kind: Any,
    error: type[FiblakeError],
) -> None:
    vendor.fail(kind, times=None)
    lake = fetching()
    with pytest.raises(error):
        lake.fetch_minutes(names, start="2012-06-01", end=END)

    assert {} == lake.store.fingerprints(keys.LANDING) | lake.store.fingerprints("bronze/")


def test_the_ledger_and_quality_tell_of_each_session(
    fetching: Fetching, vendor: LocalVendor, names: tuple[str, str]
) -> None:
    vendor.restate(DAY, Restatement(corrected={names[0]: {"low": -1.0}}))
    lake = fetching()
    report = lake.fetch_minutes(names, start=START, end=END)
    entries = ledger.read(lake.store, "minute")
    (source,) = lake.quality(source="massive").sources

    assert {f"massive.{name}" for name in names} == set(entries)
    assert {SESSIONS} == {len(each) for each in entries.values()}
    assert {"price is not positive": report.rejected} == entries[f"massive.{names[0]}"][DAY].reasons
    assert report.rows == source.counts.rows
    assert report.rejected == source.counts.rejected > 0
    assert [keys.minute_rejects(f"massive.{names[0]}", DAY)] == list(
        lake.store.fingerprints(keys.REJECTS)
    )


def test_what_cannot_be_is_refused(fetching: Fetching) -> None:
    lake: Lake = fetching()
    with pytest.raises(MisuseError, match=r"massive sells minute bars by symbol") as caught:
        lake.fetch_minutes(source="massive")
    assert "name symbols, or take --source flatfiles" in str(caught.value)
    with pytest.raises(MisuseError, match="symbols are named"):
        lake.fetch_minutes("AAA", "flatfiles")
    with pytest.raises(MisuseError, match=r"'A/B/C' is no symbol"):
        lake.fetch_minutes("A/B/C")
    with pytest.raises(InvalidRangeError, match="2013-01-02 is after the end 2013-01-01"):
        lake.fetch_minutes("AAA", start="2013-01-02", end="2013-01-01")


@pytest.mark.parametrize(
    ("named", "ticker"),
    [("brk-b", "BRK.B"), ("BAC.PRL", "BACpL"), ("BACpL", "BACpL"), ("ABC.WS", "ABC.WS")],
)
def test_a_symbol_is_asked_for_as_massive_spells_it(
    fetching: Fetching, vendor: LocalVendor, named: str, ticker: str
) -> None:
    fetching().fetch_minutes(named, start=DAY, end=DAY)

    assert [(ticker, str(DAY), str(DAY))] == asked(vendor)
