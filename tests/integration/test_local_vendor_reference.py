"""The local vendor's tickers, events, splits and dividends, and what a story changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polygon.exceptions import BadResponse

from batch_layer.bronze import dividends, splits
from batch_layer.local_vendor import Listing, LocalVendor, Reference, Rename, Reuse, Story
from batch_layer.local_vendor.figi import figi
from batch_layer.local_vendor.story import read_story
from lake.conditions import bundled
from lake.errors import MisuseError
from lake.event import HIGH_LOW, OPEN_CLOSE, VOLUME
from lake.store import LocalStore
from tests.frames import bronze
from tests.vendor import ask, official_client

RENAMED = dt.date(2012, 9, 4)
REUSED = dt.date(2010, 1, 4)
STORY = Story(
    renames=(Rename("FB", "META", RENAMED),),
    reuses=(Reuse("IBM", REUSED),),
    classes=(("GOOG", "GOOGL"),),
    spellings={"MSFT": "MSFpL"},
)


@pytest.fixture
def sample_vendor(sample_lake_folder: Path) -> Iterator[LocalVendor]:
    with LocalVendor(LocalStore(sample_lake_folder), reference=STORY) as vendor:
        yield vendor


def spans(folder: Path) -> dict[str, tuple[dt.date, dt.date]]:
    bars = bronze(LocalStore(folder)).group_by("symbol")
    rows = bars.agg(first=pl.col("session").min(), last=pl.col("session").max())
    return {symbol: (first, last) for symbol, first, last in rows.iter_rows()}


def test_the_official_client_lists_all_tickers_page_by_page(
    vendor: LocalVendor, vendor_lake_folder: Path
) -> None:
    client = official_client(vendor)
    active = list(client.list_tickers(market="stocks", active=True, limit=30))
    gone = list(client.list_tickers(market="stocks", active=False, limit=30))
    expected = spans(vendor_lake_folder)
    alive = sorted(each for each, (_, last) in expected.items() if last >= vendor.sessions[-10])

    assert alive == [each.ticker for each in active]
    assert sorted(expected.keys() - set(alive)) == [each.ticker for each in gone]
    assert len({each.composite_figi for each in active + gone}) == len(expected)
    assert {True} == {each.active for each in active}
    assert {None} == {each.delisted_utc for each in active}
    for each in gone:
        assert each.delisted_utc.startswith(f"{expected[each.ticker][1]}T0")
    assert sum(-(-len(each) // 30) for each in (active, gone)) == len(vendor.requests)


def test_tickers_are_those_of_the_date_asked_for(
    vendor: LocalVendor, vendor_lake_folder: Path
) -> None:
    day = dt.date(2012, 7, 2)
    found = official_client(vendor).list_tickers(date=day, limit=1000)
    expected = spans(vendor_lake_folder).items()

    assert sorted(name for name, (first, last) in expected if first <= day <= last) == [
        each.ticker for each in found
    ]


def test_one_ticker_is_found_and_its_details_tell_when_it_was_listed(
    vendor: LocalVendor, vendor_lake_folder: Path
) -> None:
    client = official_client(vendor)
    ticker = next(iter(client.list_tickers(limit=1))).ticker
    details = client.get_ticker_details(ticker)

    assert [ticker] == [each.ticker for each in client.list_tickers(ticker=ticker)]
    assert spans(vendor_lake_folder)[ticker][0].isoformat() == details.list_date
    assert figi(ticker) == details.composite_figi
    with pytest.raises(BadResponse, match="Ticker not found"):
        client.get_ticker_details("NOBODY")


def test_splits_and_dividends_are_the_lakes(vendor: LocalVendor, vendor_lake_folder: Path) -> None:
    client, store = official_client(vendor), LocalStore(vendor_lake_folder)
    had = splits.read(store).sort("effective", "symbol")
    paid = dividends.read(store).sort("ex_date", "symbol")
    found = list(client.list_splits(limit=7, order="asc"))
    amounts = list(client.list_dividends(limit=100, order="asc"))

    assert had.select("symbol", pl.col("effective").cast(str)).rows() == [
        (each.ticker, each.execution_date) for each in found
    ]
    assert had.select("split_from", "split_to").rows() == [
        (each.split_from, each.split_to) for each in found
    ]
    assert paid.select("symbol", pl.col("ex_date").cast(str), "amount").rows() == [
        (each.ticker, each.ex_dividend_date, each.cash_amount) for each in amounts
    ]


def test_dates_narrow_splits_and_dividends(vendor: LocalVendor) -> None:
    client = official_client(vendor)
    first, last = dt.date(2012, 5, 1), dt.date(2012, 8, 31)
    every = [each.execution_date for each in client.list_splits(limit=1000)]
    some = client.list_splits(execution_date_gte=first, execution_date_lte=last, limit=2)
    day = every[0]

    assert sorted(every, reverse=True) == every
    assert [each for each in every if f"{first}" <= each <= f"{last}"] == [
        each.execution_date for each in some
    ]
    assert {day} == {each.execution_date for each in client.list_splits(execution_date=day)}
    assert [] == list(client.list_dividends(ex_dividend_date_gt="2013-03-28"))


def test_what_is_not_published_is_not_told(vendor: LocalVendor) -> None:
    vendor.published = dt.date(2012, 6, 29)
    client = official_client(vendor)

    assert "2012-06-29" >= max(each.execution_date for each in client.list_splits(limit=1000))
    assert "2012-06-29" >= max(
        client.get_ticker_details(each.ticker).list_date for each in client.list_tickers(limit=1000)
    )


@pytest.mark.parametrize("query", ["limit=1001", "limit=x", "sort=price", "cursor=%3F", "date=x"])
def test_a_parameter_that_cannot_be_is_refused(vendor: LocalVendor, query: str) -> None:
    assert 400 == ask(vendor, f"/v3/reference/tickers?{query}").status_code


def test_pages_may_repeat(vendor: LocalVendor) -> None:
    vendor.fail("repeated_page", times=2)
    client = official_client(vendor)
    found = [each.ticker for each in client.list_tickers(limit=10)]

    assert found[:10] == found[10:20] == found[20:30]
    assert len(set(found)) == len(found) - 20


def test_a_renamed_security_keeps_its_figi(sample_vendor: LocalVendor) -> None:
    client = official_client(sample_vendor)
    old = client.get_ticker_details("FB", date=RENAMED - dt.timedelta(days=1))
    new = client.get_ticker_details("META")
    expected = [("META", "2012-09-04"), ("FB", "2012-05-18")]

    assert old.composite_figi == new.composite_figi == figi("FB")
    assert "2012-05-18" == new.list_date
    assert [] == list(client.list_tickers(ticker="FB", active=False))
    for id_ in ("META", "FB", new.composite_figi):
        # The client leaves events as they come.
        events = client.get_ticker_events(id_).events
        assert expected == [(each["ticker_change"]["ticker"], each["date"]) for each in events]


def test_bars_are_sold_under_the_ticker_of_their_day(sample_vendor: LocalVendor) -> None:
    client = official_client(sample_vendor)
    before, after = dt.date(2012, 8, 31), RENAMED
    tickers = [
        {bar.ticker for bar in client.get_grouped_daily_aggs(day, adjusted=False)}
        for day in (before, after)
    ]
    old, new = (
        [bar.timestamp for bar in client.list_aggs(name, 1, "day", before, after, adjusted=False)]
        for name in ("FB", "META")
    )

    assert {"FB"} == tickers[0] - tickers[1]
    assert {"META"} == tickers[1] - tickers[0]
    assert (1, 1) == (len(old), len(new))
    assert old < new


def test_a_reused_ticker_is_another_security(sample_vendor: LocalVendor) -> None:
    client = official_client(sample_vendor)
    old = client.get_ticker_details("IBM", date=REUSED - dt.timedelta(days=1))
    new = client.get_ticker_details("IBM")
    gone = list(client.list_tickers(ticker="IBM", active=False))

    assert old.composite_figi != new.composite_figi
    assert ("2000-03-01", "2010-01-04") == (old.list_date, new.list_date)
    assert [old.composite_figi] == [each.composite_figi for each in gone]
    assert "2010-01-03T05:00:00Z" == gone[0].delisted_utc


def test_a_story_spells_as_the_vendor_does(sample_vendor: LocalVendor) -> None:
    client = official_client(sample_vendor)
    day = dt.date(2003, 2, 18)

    assert "PFD" == client.get_ticker_details("MSFpL").type
    assert "MSFpL" in {bar.ticker for bar in client.get_grouped_daily_aggs(day, adjusted=False)}
    assert ["2003-02-18"] == [each.execution_date for each in client.list_splits("MSFpL")]
    assert 1 == len(list(client.list_aggs("MSFpL", 1, "day", day, day, adjusted=False)))


def test_tests_may_bring_securities_of_their_own(vendor_lake_folder: Path) -> None:
    symbol = bronze(LocalStore(vendor_lake_folder))["symbol"][0]
    listing = Listing("BRK.B", figi("BRK"), dt.date(2012, 1, 3), None, symbol, "Berkshire")
    store = LocalStore(vendor_lake_folder)
    with LocalVendor(store, reference=Reference([listing])) as vendor:
        client = official_client(vendor)
        told = list(client.list_tickers())
        bars = list(client.list_aggs("BRK.B", 1, "day", "2012-01-01", "2013-12-31", adjusted=False))
        none = list(client.list_aggs(symbol, 1, "day", "2012-01-01", "2013-12-31", adjusted=False))

    assert [("BRK.B", "Berkshire Corporation")] == [(each.ticker, each.name) for each in told]
    assert bronze(store).filter(pl.col("symbol") == symbol)["close"].to_list() == [
        bar.close for bar in bars
    ]
    assert [] == none


def test_a_story_is_read_from_json(tmp_path: Path) -> None:
    path = tmp_path / "story.json"
    path.write_text(
        '{"renames": [{"old": "FB", "new": "META", "on": "2012-09-04"}],'
        ' "reuses": [{"ticker": "IBM", "on": "2010-01-04"}],'
        ' "classes": [["GOOG", "GOOGL"]], "spellings": {"MSFT": "MSFpL"}}',
        "utf-8",
    )
    assert STORY == read_story(path)

    path.write_text('{"renames": [{"old": "FB"}]}', "utf-8")
    with pytest.raises(MisuseError, match=r"renames\.0\.new: Field required"):
        read_story(path)
    with pytest.raises(MisuseError, match="cannot be read"):
        read_story(tmp_path / "nothing.json")


def test_a_figi_has_its_check_digit() -> None:
    assert "BBG" == figi("AAPL")[:3]
    assert 12 == len(figi("AAPL"))
    assert figi("AAPL") != figi("MSFT")


def test_the_official_client_lists_the_conditions_that_come_with_fiblake(
    vendor: LocalVendor,
) -> None:
    told = list(official_client(vendor).list_conditions("stocks", "trade", limit=10))
    rules = {each.id: each.update_rules.consolidated for each in told}
    moves = {
        code: OPEN_CLOSE * rule.updates_open_close
        + HIGH_LOW * rule.updates_high_low
        + VOLUME * rule.updates_volume
        for code, rule in rules.items()
    }

    assert bundled().moves == moves
    assert [] == list(official_client(vendor).list_conditions("crypto"))
