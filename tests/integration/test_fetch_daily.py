"""The smart backfill of daily bars, from a local vendor: nothing missed, nothing twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from batch_layer import landing
from batch_layer.bronze import ledger
from batch_layer.fetching.session_fetch import Order
from batch_layer.generating.trading import record
from batch_layer.local_vendor import LocalVendor
from batch_layer.local_vendor.restatement import Restatement
from batch_layer.trades import build_trades
from fiblake import Lake
from lake import keys
from tests.fetching import EVENING, FAST, Fetching, asked, bars_of, counts, current, replaced, sold
from tests.trading import frame, trade
from tests.vendor import FIRST, LAST

START = dt.date(2012, 12, 3)
END = dt.date(2013, 1, 31)
SESSIONS = 41
DAY = dt.date(2013, 1, 15)


@pytest.mark.parametrize("source", ["massive", "flatfiles"])
def test_what_the_vendor_sells_is_in_bronze_as_it_was_sold(
    fetching: Fetching, vendor: LocalVendor, vendor_lake_folder: Path, source: str
) -> None:
    lake = fetching()
    report = lake.fetch_daily(source, start=START, end=END)
    expected = sold(vendor_lake_folder, START, END)
    if source == "flatfiles":  # they have none
        expected = expected.with_columns(vwap=pl.lit(None, pl.Float64()))

    assert {"fetched": SESSIONS} == counts(report)
    assert expected.height == report.rows == report.added > 1000
    assert expected.equals(bars_of(lake.store, START, END))
    assert sorted(asked(vendor)) == sorted(vendor.sessions[230:271])


def test_what_is_there_is_not_asked_for_again(fetching: Fetching, vendor: LocalVendor) -> None:
    fetching().fetch_daily(start=START, end=END)
    vendor.forget()
    report = fetching().fetch_daily(start=START, end=END)

    assert {"there": SESSIONS} == counts(report)
    assert [] == vendor.requests


def test_a_gap_is_filled_and_nothing_else(fetching: Fetching, vendor: LocalVendor) -> None:
    lake = fetching()
    lake.fetch_daily(start=START, end="2012-12-14")
    lake.fetch_daily(start="2013-01-14", end=END)
    vendor.forget()
    report = lake.fetch_daily(start=START, end=END)

    assert {"there": 23, "fetched": 18} == counts(report)
    assert dt.date(2012, 12, 17) == min(asked(vendor))
    assert dt.date(2013, 1, 11) == max(asked(vendor))


def test_what_one_source_brought_is_not_asked_of_another(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    lake = fetching()
    lake.fetch_daily(start=START, end="2012-12-31")
    vendor.forget()

    report = lake.fetch_daily("flatfiles", start=START, end=END)

    assert {"there": 20, "fetched": 21} == counts(report)
    assert dt.date(2013, 1, 2) == min(asked(vendor))
    again = lake.fetch_daily("flatfiles", start=START, end=END, again=True)
    assert {"fetched": SESSIONS} == counts(again)


def test_the_latest_sessions_come_first(
    fetching: Fetching, vendor: LocalVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_FETCH_WORKERS", "1")
    fetching().fetch_daily(start=START, end=END)

    assert sorted(asked(vendor), reverse=True) == asked(vendor)


def test_what_had_landed_is_brought_without_asking(fetching: Fetching, vendor: LocalVendor) -> None:
    lake = fetching()
    lake.fetch_daily(start=START, end=END)
    other = fetching(name="other")
    for key in lake.store.fingerprints(keys.LANDING):
        other.store.put(key, lake.store.get(key).data)
    vendor.forget()
    report = other.fetch_daily(start=START, end=END)

    assert {"from landing": SESSIONS} == counts(report)
    assert [] == vendor.requests
    assert current(lake.store).equals(current(other.store))
    assert {"there": SESSIONS} == counts(other.fetch_daily(start=START, end=END))


def test_bronze_that_is_gone_is_not_taken_for_there(fetching: Fetching) -> None:
    lake = fetching()
    lake.fetch_daily(start=START, end=END)
    (Path(lake.store.location) / keys.daily(2012)).unlink()

    assert {"from landing": 20, "there": 21} == counts(lake.fetch_daily(start=START, end=END))


def test_a_bar_is_known_from_when_its_answer_came(fetching: Fetching) -> None:
    lake = fetching()
    lake.fetch_daily(start=DAY, end=DAY)
    (key,) = landing.landed(lake.store, "massive", "daily")[str(DAY)]

    assert [EVENING] == current(lake.store)["known_from"].unique().to_list()
    assert EVENING == landing.read(lake.store, key)[0].fetched_at


def test_the_ledger_tells_of_each_session(fetching: Fetching) -> None:
    lake = fetching()
    report = lake.fetch_daily(start=START, end=END)
    entries = ledger.read(lake.store, "daily")["massive"]

    assert SESSIONS == len(entries)
    assert report.rows == sum(entry.accepted for entry in entries.values())
    assert all(entry.landed and str(session) in entry.landed for session, entry in entries.items())


def test_what_is_not_published_yet_is_no_failure(fetching: Fetching, vendor: LocalVendor) -> None:
    vendor.published = dt.date(2013, 3, 26)
    lake = fetching()
    report = lake.fetch_daily(start="2013-03-18")

    assert {"fetched": 7, "not yet": 2} == counts(report)
    assert (dt.date(2013, 3, 27), LAST) == report.not_yet
    vendor.published = LAST
    assert {"there": 7, "fetched": 2} == counts(lake.fetch_daily(start="2013-03-18"))


def test_the_day_itself_may_be_refused_until_it_ends(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.fail("not_ended", session=LAST)

    assert {"fetched": 8, "not yet": 1} == counts(fetching().fetch_daily(start="2013-03-18"))


def test_a_session_that_is_not_over_is_not_asked_for(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    at_noon = fetching(EVENING.replace(hour=16))
    report = at_noon.fetch_daily(start="2013-03-26", end="2013-04-01")

    assert {"fetched": 2, "not yet": 2} == counts(report)
    assert {dt.date(2013, 3, 26), dt.date(2013, 3, 27)} == set(asked(vendor))


def test_an_old_session_without_bars_failed(fetching: Fetching) -> None:
    report = fetching().fetch_daily(start="2011-12-27", end="2012-01-06")

    assert {"fetched": 4, "failed": 4} == counts(report)
    assert {"Massive has no bars of this session."} == {each.why for each in report.failed}


def test_without_a_start_a_new_lake_reaches_back_to_the_vendor_s_first_session(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    lake = fetching()
    report = lake.fetch_daily()

    assert {"fetched": len(vendor.sessions)} == counts(report)
    assert (FIRST, LAST) == (report.start, report.end)
    # A few sessions before the first, and no more.
    assert len(asked(vendor)) < len(vendor.sessions) + 60


def test_without_a_start_a_vendor_that_ended_years_ago_is_found_as_well(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    report = fetching(EVENING + dt.timedelta(days=90)).fetch_daily()

    assert len(vendor.sessions) == report.fetched
    assert 5 == len(report.not_yet)
    assert {"Massive has no bars of this session."} == {each.why for each in report.failed}
    assert LAST < min(each.session for each in report.failed)


def test_without_a_start_what_files_brought_is_gone_on_from(
    fetching: Fetching, vendor: LocalVendor, bars_file: Path
) -> None:
    lake = fetching()
    lake.import_files(bars_file)  # to 2012-06-29
    report = lake.fetch_daily(end="2012-07-31")

    assert dt.date(2012, 7, 2) == report.start == min(asked(vendor))
    assert {"fetched": 21} == counts(report)


def test_without_a_start_a_session_made_of_live_trades_is_fetched_all_the_same(
    fetching: Fetching, bars_file: Path
) -> None:
    lake = fetching()
    lake.import_files(bars_file)  # to 2012-06-29
    session = dt.date(2012, 7, 31)
    record(lake.store, "generated", session, frame([trade(session, "10:00", symbol="LIVE")]))
    build_trades(lake.store, lake.clock, dt.timedelta())
    report = lake.fetch_daily(end=session)

    assert dt.date(2012, 7, 2) == report.start
    assert {"fetched": 21} == counts(report)


def test_without_a_start_a_gap_since_the_first_fetch_is_seen(fetching: Fetching) -> None:
    lake = fetching()
    lake.fetch_daily(start="2013-03-04", end="2013-03-04")
    lake.fetch_daily(start="2013-03-27")
    lake.store.put("bronze/x", b"")
    report = lake.fetch_daily(start="2013-03-01")

    assert {"there": 3, "fetched": 17} == counts(report)


def test_days_without_a_session_are_nothing_to_do(fetching: Fetching, vendor: LocalVendor) -> None:
    assert {} == counts(fetching().fetch_daily(start="2012-12-29", end="2012-12-30"))
    assert [] == vendor.requests


def check_restated(lake: Lake) -> None:
    """Hold a lake to a session that was published again, with three bars that differ."""
    bars = current(lake.store).filter(pl.col("session") == DAY)
    history = replaced(lake.store)

    assert ["LATE"] == bars.filter(pl.col("known_from") > EVENING, revision=0)["symbol"].to_list()
    assert 1 == bars.filter(revision=1).height
    assert 2 == history.height
    assert {DAY} == set(history["session"])
    corrected = bars.filter(revision=1)["known_from"].to_list()
    assert [*corrected, *corrected] == history["known_to"].to_list()


def test_a_session_asked_for_again_is_corrected_and_history_tells(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    fetching().fetch_daily(start=START, end=END)
    vendor.restate(DAY)
    lake = fetching(EVENING + dt.timedelta(days=9))
    report = lake.fetch_daily(start=START, end=END, again=True)

    assert {"fetched": SESSIONS} == counts(report)
    assert (1, 1, 1) == (report.added, report.corrected, report.withdrawn)
    assert 2 == len(landing.landed(lake.store, "massive", "daily")[str(DAY)])
    check_restated(lake)
    gone = replaced(lake.store).join(current(lake.store), on=["symbol", "session"], how="anti")
    symbol = gone["symbol"][0]
    before, after = EVENING, EVENING + dt.timedelta(days=9)
    assert 1 == lake.bars(symbol, start=DAY, end=DAY, known_at=before).height
    assert 0 == lake.bars(symbol, start=DAY, end=DAY, known_at=after).height


def test_the_same_answer_again_changes_nothing(fetching: Fetching) -> None:
    fetching().fetch_daily(start=START, end=END)
    lake = fetching(EVENING + dt.timedelta(days=9))
    before = current(lake.store)
    report = lake.fetch_daily(start=START, end=END, again=True)

    assert (0, 0, 0) == (report.added, report.corrected, report.withdrawn)
    assert before.equals(current(lake.store))


def test_a_flat_file_that_is_published_again_is_fetched_again(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    # The day after: the vendor's files are stamped a day later each time.
    first = dt.datetime(2013, 1, 16, 22, tzinfo=dt.UTC)
    fetching(first).fetch_daily("flatfiles", start=START, end=DAY)
    vendor.restate(DAY)
    vendor.forget()
    lake = fetching(EVENING)
    report = lake.fetch_daily("flatfiles", start=START, end=DAY)

    assert {"there": 29, "fetched": 1} == counts(report)
    assert [DAY] == asked(vendor)
    assert (1, 1, 1) == (report.added, report.corrected, report.withdrawn)
    assert {"there": 30} == counts(lake.fetch_daily("flatfiles", start=START, end=DAY))


def test_a_flat_file_that_is_not_listed_yet_is_no_failure(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.published = dt.date(2013, 3, 27)
    report = fetching().fetch_daily("flatfiles", start="2013-03-18")

    assert {"fetched": 8, "not yet": 1} == counts(report)


def test_symbols_are_spelt_as_the_lake_does_and_bad_rows_are_kept_apart(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    good = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 100.0}
    names = ["BACpL", "GEw", "BRK.B", "odd"]
    late = [{"symbol": name, **good} for name in names]
    vendor.restate(DAY, Restatement(added=[*late, {"symbol": "BAD", **good, "low": 11.5}]))
    lake = fetching()
    report = lake.fetch_daily(start=DAY, end=DAY)
    rejects = pl.read_csv(lake.store.uri(f"rejects/daily/massive-{DAY}.csv"))

    assert {"BAC.PRL", "GE.WI", "BRK.B"} <= set(current(lake.store)["symbol"])
    assert 2 == report.rejected
    assert {"?odd": "not a symbol", "BAD": "low is above open or close"} == dict(
        rejects.select("symbol", "reason").iter_rows()
    )
    entry = ledger.read(lake.store, "daily")["massive"][DAY]
    assert {"not a symbol": 1, "low is above open or close": 1} == entry.reasons
    assert report.rows == entry.rows == entry.accepted + 2


def test_a_bar_whose_new_version_is_bad_is_not_withdrawn(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    fetching().fetch_daily(start=DAY, end=DAY)
    symbol = current(fetching().store)["symbol"][0]
    vendor.restate(DAY, Restatement(corrected={symbol: {"low": -1.0}}))
    lake = fetching(EVENING + dt.timedelta(days=1))
    report = lake.fetch_daily(start=DAY, end=DAY, again=True)

    assert (1, 0, 0) == (report.rejected, report.withdrawn, report.corrected)
    assert symbol in current(lake.store)["symbol"].to_list()


def test_what_time_does_not_allow_is_left_for_the_next_run(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    lake = fetching()
    fetcher = replace(lake.fetcher(), workers=1, is_over=lambda: len(vendor.requests) >= 10)
    report = fetcher.fetch(Order("massive", START, END))

    assert (10, 31, SESSIONS) == (report.fetched, report.not_asked, report.sessions)
    assert {"there": 10, "fetched": 31} == counts(lake.fetch_daily(start=START, end=END))


def test_a_lake_on_s3_is_fetched_into_as_well(
    s3_lake: Lake, vendor: LocalVendor, vendor_lake_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**vendor.settings, **FAST}.items():
        monkeypatch.setenv(name, value)
    lake = Lake(clock=s3_lake.clock)
    first = dt.date(2013, 1, 22)

    assert {"fetched": 8} == counts(lake.fetch_daily(start=first, end=END))
    assert sold(vendor_lake_folder, first, END).equals(bars_of(lake.store, first, END))
    assert {"there": 8} == counts(lake.fetch_daily(start=first, end=END))
    assert {8} == {lake.rebuild_bronze().sessions}
