"""Massive's own clients, given our URL alone: the bars of `/v1/bars` through their door."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import massive
import pytest

from batch_layer.bronze import listings, splits
from fiblake import Lake
from lake.interval import MINUTE_INTERVALS, SESSION_INTERVALS
from tests.conftest import NOW
from tests.dialects import DAY, EARLY, Doors, doors_of, milliseconds
from tests.frames import listing_rows, set_clock, split
from tests.live import NO_PRICES, bars_of
from tests.massive_doors import aggregates, client, expected, pages
from tests.merged import LAST, MON, WED, day
from tests.minutes import at


@pytest.mark.parametrize("adjusted", [True, False])
@pytest.mark.parametrize("interval", SESSION_INTERVALS, ids=str)
def test_bars_of_sessions_are_the_same(sample_doors: Doors, interval: Any, adjusted: Any) -> None:
    adjustment = "split" if adjusted else "raw"
    ours = expected(sample_doors, "AAPL", str(interval), adjustment=adjustment)

    assert ours == aggregates(sample_doors, "AAPL", str(interval), adjusted=adjusted)
    assert len(ours) > 90


@pytest.mark.parametrize("interval", MINUTE_INTERVALS, ids=str)
def test_bars_of_minutes_are_the_same(minute_doors: Doors, interval: Any) -> None:
    ours = expected(minute_doors, "AA", str(interval))
    found = aggregates(minute_doors, "AA", str(interval), from_="2024-11-27", to="2024-11-29")

    assert ours == found
    assert milliseconds(at(DAY, "09:30")) == found[0]["timestamp"]


def test_a_split_is_taken_out_unless_it_is_asked_not_to(sample_doors: Doors) -> None:
    last, first = {"from_": "2005-02-25", "to": "2005-02-25"}, {"from_": "2005-02-28"}

    assert 44.495 == aggregates(sample_doors, "AAPL", "1d", **last)[0]["close"]
    assert 88.99 == aggregates(sample_doors, "AAPL", "1d", **last, adjusted=False)[0]["close"]
    assert 44.86 == aggregates(sample_doors, "AAPL", "1d", **first, to="2005-02-28")[0]["close"]


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize(("interval", "limit", "each"), [("13d", 130, 10), ("34d", 1, 1)])
def test_a_page_has_as_many_base_bars_as_the_limit_and_all_make_the_whole(
    sample_doors: Doors, interval: str, limit: int, each: int, sort: str
) -> None:
    ours = expected(sample_doors, "AAPL", interval, start="2012-01-01", order=sort)
    path = f"/v2/aggs/ticker/AAPL/range/{interval[:-1]}/day/2012-01-01/2013-12-31"
    found = pages(sample_doors, path, limit=limit, sort=sort)
    theirs = aggregates(sample_doors, "AAPL", interval, from_="2012-01-01", limit=limit, sort=sort)

    assert ours == theirs
    assert [bar["timestamp"] for bar in ours] == [
        bar["t"] for page in found for bar in page["results"]
    ]
    assert {each} == {page["resultsCount"] for page in found[:-1]}
    sessions = [
        bar["sessions"]
        for bar in sample_doors.bars("AAPL", interval, start="2012-01-01", order=sort)
    ]
    assert [sum(sessions[n : n + each]) for n in range(0, len(sessions), each)] == [
        page["queryCount"] for page in found
    ]


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_of_minutes_make_the_whole(minute_doors: Doors, sort: str) -> None:
    asked = {"from_": "2024-11-27", "to": "2024-11-29", "sort": sort}

    assert expected(minute_doors, "AA", "5m", order=sort) == aggregates(
        minute_doors, "AA", "5m", **asked, limit=35
    )
    assert expected(minute_doors, "AA", "1m", order=sort) == aggregates(
        minute_doors, "AA", "1m", **asked, limit=100
    )


@pytest.mark.parametrize(
    ("first", "last", "ends"),
    [
        (at(DAY, "10:00"), at(DAY, "10:04"), ("10:00", "10:04")),
        (at(DAY, "09:59:59.5"), at(DAY, "10:04:59.9"), ("10:00", "10:04")),
        (at(DAY, "04:00"), at(DAY, "09:32"), ("09:30", "09:32")),
        (at(DAY, "15:58"), at(EARLY, "09:00"), ("15:58", "15:59")),
    ],
)
def test_times_are_kept_to_the_millisecond(
    minute_doors: Doors, first: Any, last: Any, ends: Any
) -> None:
    found = aggregates(minute_doors, "AA", "1m", from_=first, to=last)

    assert [milliseconds(at(DAY, time)) for time in ends] == [
        found[0]["timestamp"],
        found[-1]["timestamp"],
    ]


def test_a_time_amid_a_day_asks_for_its_bar(sample_doors: Doors) -> None:
    found = aggregates(sample_doors, "AAPL", "1d", from_=at(MON, "12:00"), to=at(WED, "00:00"))
    last = aggregates(sample_doors, "AAPL", "1d", from_=at(LAST, "12:00"), to=at(LAST, "13:00"))

    assert ([], [430.47]) == (found, [bar["close"] for bar in last])


def test_all_pages_are_on_the_basis_of_the_first(own_sample_lake: Lake) -> None:
    lake = own_sample_lake
    splits.commit(lake.store, split("IBM", dt.date(2026, 1, 6), 2), clock=lake.clock)
    with doors_of(lake) as opened:
        ours = expected(opened, "IBM", "13d", start="2013-01-01")
        path = "/v2/aggs/ticker/IBM/range/13/day/2013-01-01/2013-12-31"
        first = opened.get(path, params={"limit": 26}).json()
        set_clock(lake, NOW + dt.timedelta(days=2))
        second = opened.get(first["next_url"].removeprefix(opened.url)).json()
        later = expected(opened, "IBM", "13d", start="2013-01-01")

    assert [bar["close"] for bar in ours] == [
        bar["c"] for page in (first, second) for bar in page["results"]
    ]
    assert ours[0]["close"] == 2 * later[0]["close"]


def test_the_bar_that_is_forming_comes_last(sample_lake: Lake, open_memory: Any) -> None:
    view = open_memory()
    view.put(bars_of(day("AAPL", MON, 500.0, state="final"), day("AAPL", WED, 600.0)), NO_PRICES)
    with doors_of(sample_lake, view) as opened:
        found = aggregates(opened, "AAPL", "13d", from_="2013-02-19", to="2013-12-31")
        days = aggregates(opened, "AAPL", "1d", from_="2013-03-01")
        ours = expected(opened, "AAPL", "13d", start="2013-02-19")
        path = "/v2/aggs/ticker/AAPL/range/1/day/2013-03-01/2013-03-06"
        headers = opened.get(path).headers

    assert ours == found
    assert (600.0, [430.47, 500.0, 600.0]) == (found[-1]["high"], [bar["close"] for bar in days])
    assert ("2013-03-01", "merged") == (headers["fiblake-boundary"], headers["fiblake-live"])


def test_the_previous_close_is_of_the_last_session_that_is_over(
    sample_lake: Lake, open_memory: Any
) -> None:
    view = open_memory()
    view.put(bars_of(day("AAPL", MON, 500.0, state="final"), day("AAPL", WED, 600.0)), NO_PRICES)
    with doors_of(sample_lake, view) as opened:
        (found,) = client(opened).get_previous_close_agg("AAPL")
        none = client(opened).get_previous_close_agg("NOPE")

    stamp = milliseconds(at(MON, "16:00"))
    assert ("AAPL", 500.0, stamp) == (found.ticker, found.close, found.timestamp)
    assert [] == none


@pytest.mark.parametrize("adjusted", [True, False])
def test_a_session_of_the_whole_market_is_there_at_once(sample_doors: Doors, adjusted: Any) -> None:
    found = client(sample_doors).get_grouped_daily_aggs("2005-02-25", adjusted=adjusted)
    asked = {"start": "2005-02-25", "end": "2005-02-25"}
    asked["adjustment"] = "split" if adjusted else "raw"
    ours = {
        name: sample_doors.bars(name, "1d", **asked) for name in ("AAPL", "GOOG", "IBM", "MSFT")
    }

    assert {name: bars[0]["close"] for name, bars in ours.items()} == {
        each.ticker: each.close for each in found
    }
    assert {milliseconds(at(dt.date(2005, 2, 25), "16:00"))} == {each.timestamp for each in found}
    assert [] == client(sample_doors).get_grouped_daily_aggs("2005-02-26")


def test_the_new_client_of_massive_hands_over_the_same(sample_doors: Doors) -> None:
    ours = expected(sample_doors, "MSFT", "21d")

    assert ours == aggregates(sample_doors, "MSFT", "21d", kind=massive, limit=2100)
    (last,) = client(sample_doors, kind=massive).get_previous_close_agg("MSFT")
    assert 27.95 == last.close


def test_all_pages_of_raw_bars_are_of_the_listing_of_the_first(lake: Lake, bars_file: Path) -> None:
    lake.import_files(bars_file)
    told = listing_rows(
        ("L1", "C", dt.date(2012, 1, 1), dt.date(2012, 2, 28)),
        ("L1", "A", dt.date(2012, 2, 29), None),
        ("L2", "C", dt.date(2013, 1, 1), None),
    )
    listings.commit(lake.store, told, clock=lake.clock)
    asked = {"adjusted": False, "as_of": "2012-01-15", "limit": 60}
    with doors_of(lake) as opened:
        found = pages(opened, "/v2/aggs/ticker/C/range/1/day/2012-01-01/2012-12-31", **asked)

    assert [60, 25] == [page["resultsCount"] for page in found]


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_between_any_times_make_the_whole(sample_doors: Doors, sort: str) -> None:
    path = "/v2/aggs/ticker/AAPL/range/34/day/0001-01-02/9999-12-30"
    found = pages(sample_doors, path, limit=34 * 60, sort=sort)

    assert {"OK"} == {page["status"] for page in found}, found[-1]
    assert len(sample_doors.bars("AAPL", "34d")) == sum(page["resultsCount"] for page in found)
    assert len(found) > 1
