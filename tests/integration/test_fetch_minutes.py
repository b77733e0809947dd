"""A whole market's minutes, from a local vendor's flat files: nothing missed, nothing twice."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from batch_layer import landing
from batch_layer.bronze import ledger, minute
from batch_layer.fetching.fetch_report import FetchReport
from batch_layer.local_vendor import LocalVendor
from batch_layer.local_vendor.restatement import Restatement
from fiblake import Lake
from lake import keys
from lake.errors import InvalidRangeError, MisuseError, VendorKeyError
from lake.exchange import load_sessions
from lake.interval import Interval
from tests.fetching import EVENING, Fetching, asked
from tests.frames import assert_bars_equal
from tests.minutes import assert_intraday_is_right, expected_bars, silver
from tests.selling import minutes_in, minutes_sold

START = dt.date(2013, 1, 9)
END = dt.date(2013, 1, 16)
DAY = dt.date(2013, 1, 15)
SESSIONS = 6


def counts(report: FetchReport) -> dict[str, int]:
    told = {
        "fetched": report.fetched,
        "from landing": report.from_landing,
        "there": report.already_there,
        "not yet": len(report.not_yet),
        "failed": len(report.failed),
    }
    assert report.sessions == sum(told.values())
    return {what: count for what, count in told.items() if count}


def test_what_the_vendor_sells_is_in_bronze_as_it_was_sold(
    fetching: Fetching, vendor: LocalVendor, vendor_lake_folder: Path
) -> None:
    lake = fetching()
    report = lake.fetch_minutes(start=START, end=END)
    expected = minutes_sold(vendor_lake_folder, START, END).with_columns(
        vwap=pl.lit(None, pl.Float64())  # flat files have none
    )

    assert {"fetched": SESSIONS} == counts(report)
    assert ("minute", "flatfiles") == (report.kind, report.source)
    assert expected.height == report.rows == report.added > 50_000
    assert expected.equals(minutes_in(lake.store))
    assert SESSIONS == len(asked(vendor)) == len(set(asked(vendor)))


def test_what_was_fetched_is_resampled_into_the_bars_that_were_sold(
    fetching: Fetching, vendor_lake_folder: Path
) -> None:
    lake = fetching()
    lake.fetch_minutes(start=DAY, end=END)
    lake.resample()
    sold = minutes_sold(vendor_lake_folder, DAY, END)
    symbol = sold["symbol"].value_counts(sort=True)["symbol"][0]
    table = load_sessions(lake.store)
    rows = sold.filter(symbol=symbol).with_columns(vwap=pl.lit(None, pl.Float64())).to_dicts()
    expected = [
        row
        for day in (DAY, END)
        for row in expected_bars(
            [each for each in rows if each["start"].date() == day], day, Interval.parse("5m"), table
        )
        if row["hours"] == "regular"
    ]
    names = ["start", "open", "high", "low", "close", "volume", "vwap", "trades"]

    found = lake.bars(symbol, "5m").select(names).to_dicts()

    assert_bars_equal([{name: row[name] for name in names} for row in expected], found)
    assert len(found) > 100
    assert_intraday_is_right(lake)


def test_what_is_there_is_not_asked_for_again(fetching: Fetching, vendor: LocalVendor) -> None:
    fetching().fetch_minutes(start=START, end=END)
    vendor.forget()
    report = fetching().fetch_minutes(start=START, end=END)

    assert {"there": SESSIONS} == counts(report)
    assert [] == asked(vendor)


def test_without_a_start_the_last_week_is_fetched_and_then_gone_on_from(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    report = fetching().fetch_minutes(end=END)

    assert {"fetched": SESSIONS} == counts(report)
    assert (START, END) == (report.start, report.end)
    vendor.forget()
    assert {"there": SESSIONS, "fetched": 3} == counts(fetching().fetch_minutes(end="2013-01-22"))
    assert dt.date(2013, 1, 17) == min(asked(vendor))


def test_what_had_landed_is_brought_without_asking(fetching: Fetching, vendor: LocalVendor) -> None:
    lake = fetching()
    lake.fetch_minutes(start=START, end=END)
    other = fetching(name="other")
    for key in lake.store.fingerprints(keys.LANDING):
        other.store.put(key, lake.store.get(key).data)
    vendor.forget()
    report = other.fetch_minutes(start=START, end=END)

    assert {"from landing": SESSIONS} == counts(report)
    assert [] == vendor.requests
    assert minutes_in(lake.store).equals(minutes_in(other.store))


def test_bronze_that_is_gone_is_not_taken_for_there(fetching: Fetching) -> None:
    lake = fetching()
    lake.fetch_minutes(start=START, end=END)
    (Path(lake.store.location) / keys.minute(DAY)).unlink()

    assert {"from landing": 1, "there": 5} == counts(lake.fetch_minutes(start=START, end=END))


def test_a_file_lands_as_it_is_and_the_ledger_tells_of_it(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    lake = fetching()
    report = lake.fetch_minutes(start=START, end=END)
    landed = landing.landed(lake.store, "flatfiles", "minute")
    (answer,) = landing.read(lake.store, landed[str(DAY)][0])
    entries = ledger.read(lake.store, "minute")["flatfiles"]

    assert answer.request.endswith("us_stocks_sip/minute_aggs_v1/2013/01/2013-01-15.csv.gz")
    assert landed[str(DAY)][0].endswith(".csv.gz")
    assert (SESSIONS, SESSIONS) == (len(landed), len(entries))
    assert report.rows == sum(entry.accepted for entry in entries.values())
    assert [EVENING] == minute.read(lake.store, DAY)[0]["known_from"].unique().to_list()
    assert vendor.requests


def test_a_file_that_is_published_again_corrects_and_withdraws_and_silver_notices(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    # The day after: the vendor's files are stamped a day later each time.
    lake = fetching(dt.datetime(2013, 1, 16, 22, tzinfo=dt.UTC))
    lake.fetch_minutes(start=START, end=DAY)
    lake.resample()
    before = minute.read(lake.store, DAY)[0]
    first, gone = before["symbol"].unique().sort()[[0, -1]]
    vendor.restate(DAY, Restatement(corrected={first: {"volume": 1e6}}, withdrawn=[gone]))
    vendor.forget()
    later = fetching(EVENING)
    report = later.fetch_minutes(start=START, end=DAY)
    after = minute.read(later.store, DAY)[0]

    assert {"there": 4, "fetched": 1} == counts(report)
    assert [DAY] == asked(vendor)
    assert before.filter(symbol=gone).height == report.withdrawn > 0
    assert report.corrected > 0
    assert gone not in after["symbol"].to_list()
    assert {first} == set(after.filter(pl.col("revision") > 0)["symbol"])
    rebuilt = later.resample().intraday
    assert rebuilt is not None
    assert 5 == len(rebuilt.rebuilt)
    assert_intraday_is_right(later)
    assert [] == [
        row for row in silver(later.store, Interval.parse("5m"), DAY) if row["symbol"] == gone
    ]
    assert {"there": 5} == counts(later.fetch_minutes(start=START, end=DAY))


def test_the_same_file_again_changes_nothing(fetching: Fetching) -> None:
    fetching().fetch_minutes(start=DAY, end=DAY)
    lake = fetching(EVENING + dt.timedelta(days=9))
    before = minute.read(lake.store, DAY)
    report = lake.fetch_minutes(start=DAY, end=DAY, again=True)

    assert {"fetched": 1} == counts(report)
    assert (0, 0, 0) == (report.added, report.corrected, report.withdrawn)
    assert before[1] == minute.read(lake.store, DAY)[1]


def test_a_file_that_is_not_published_yet_is_no_failure(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.published = dt.date(2013, 3, 27)

    assert {"fetched": 5, "not yet": 1} == counts(fetching().fetch_minutes())


def test_a_file_that_stays_cut_does_not_hold_up_the_rest(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.fail("truncated", session=DAY, times=None)
    lake = fetching()
    report = lake.fetch_minutes(start=START, end=END)

    assert {"fetched": SESSIONS - 1, "failed": 1} == counts(report)
    assert "is no whole gzip file" in report.failed[0].why
    assert str(DAY) not in landing.landed(lake.store, "flatfiles", "minute")
    vendor.heal()
    assert {"there": 5, "fetched": 1} == counts(lake.fetch_minutes(start=START, end=END))


def test_minutes_that_break_a_rule_are_kept_apart_and_are_not_gone(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    lake = fetching(dt.datetime(2013, 1, 16, 22, tzinfo=dt.UTC))
    lake.fetch_minutes(start=DAY, end=DAY)
    before = minute.read(lake.store, DAY)[0]
    symbol = before["symbol"][0]
    vendor.restate(DAY, Restatement(corrected={symbol: {"low": -1.0}}))
    report = fetching(EVENING).fetch_minutes(start=DAY, end=DAY)
    entry = ledger.read(lake.store, "minute")["flatfiles"][DAY]

    assert report.rejected > 0
    assert 0 == report.withdrawn
    assert symbol in minute.read(lake.store, DAY)[0]["symbol"].to_list()
    assert {"price is not positive": report.rejected} == entry.reasons
    assert [keys.minute_rejects("flatfiles", DAY)] == list(lake.store.fingerprints(keys.REJECTS))


def test_daily_bars_do_not_move_where_minutes_begin(fetching: Fetching) -> None:
    lake = fetching()
    lake.fetch_daily("flatfiles", start=START, end=END)
    report = lake.fetch_minutes(start=END, end=END)

    assert {"fetched": 1} == counts(report)
    assert {"there": SESSIONS} == counts(lake.fetch_daily("flatfiles", start=START, end=END))


def test_what_cannot_be_is_refused(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    lake: Lake = fetching()
    with pytest.raises(InvalidRangeError, match="2013-01-02 is after the end 2013-01-01"):
        lake.fetch_minutes(start="2013-01-02", end="2013-01-01")
    with pytest.raises(MisuseError, match=r"'yahoo' is no source of minute bars"):
        lake.fetch_minutes(source="yahoo")
    monkeypatch.delenv("FIBLAKE_FLATFILES_ACCESS_KEY_ID")
    with pytest.raises(VendorKeyError, match="no keys for Massive's flat files"):
        fetching().fetch_minutes(start=START, end=END)
