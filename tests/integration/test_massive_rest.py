"""Massive's own clients, given our URL alone: the bars of `/v1/bars` through their door."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import massive
import polars as pl
import polygon
import pytest
from polygon.exceptions import BadResponse
from pydantic import TypeAdapter

from batch_layer.bronze import dividends, listings, splits
from fiblake import Lake
from lake.interval import MINUTE_INTERVALS, SESSION_INTERVALS
from serving_layer.dialects.massive_reference import DividendsAnswer, SplitsAnswer, TickersAnswer
from serving_layer.dialects.massive_rest import Aggregates, LastTrade
from tests.access import FOREIGN, Guarded
from tests.conftest import NOW
from tests.dialects import DAY, EARLY, Doors, doors, doors_of, milliseconds, start_of
from tests.frames import dividend, listing_rows, set_clock, split
from tests.live import NO_BARS, NO_PRICES, OPEN, bars_of, price, prices_of
from tests.merged import FOUR, LAST, MON, WED, day
from tests.minutes import at

SPANS = {"m": "minute", "h": "hour", "d": "day"}
ALL = {"from_": "2000-01-01", "to": "2013-12-31"}
Row = dict[str, Any]


def client(at_: Doors, key: str = "any", kind: Any = polygon) -> Any:
    return kind.RESTClient(key, base=at_.url, retries=0)


def as_aggregate(bar: Row) -> Row:
    """Return a bar of ours as Massive's client hands one over."""
    same = {name: bar[name] for name in (*FOUR, "volume", "vwap")}
    stamp = milliseconds(start_of(bar))
    return {**same, "timestamp": stamp, "transactions": bar["trades"], "otc": None}


def expected(at_: Doors, symbol: str, interval: str, **asked: Any) -> list[Row]:
    return [as_aggregate(bar) for bar in at_.bars(symbol, interval, **asked)]


def aggregates(at_: Doors, symbol: str, interval: str, kind: Any = polygon, **asked: Any) -> Any:
    """Return what the client's pager hands over."""
    given = {**ALL, **asked}
    count, span = int(interval[:-1]), SPANS[interval[-1]]
    found = client(at_, kind=kind).list_aggs(symbol, count, span, **given)
    return [dict(vars(each)) for each in found]


def refusal(at_: Doors, path: str, **asked: Any) -> tuple[int, str, str]:
    """Return the status, Massive's word and the text of a refusal."""
    answer = at_.get(path, **asked)
    told = answer.json()
    assert {"status", "request_id"} < set(told)
    return answer.status_code, told["status"], told.get("error") or told["message"]


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


def pages(at_: Doors, path: str, **asked: Any) -> list[Row]:
    """Return all answers to a question, one page after the other."""
    found = [at_.get(path, params=asked).json()]
    while "next_url" in found[-1]:
        found.append(at_.get(found[-1]["next_url"].removeprefix(at_.url)).json())
    return found


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


def test_splits_are_filtered_sorted_and_paged(sample_doors: Doors) -> None:
    found = [
        (each.ticker, each.execution_date, each.split_from, each.split_to)
        for each in client(sample_doors).list_splits(limit=1)
    ]
    asked = {"execution_date_gt": "2000-06-21", "execution_date_lte": dt.date(2005, 2, 28)}

    assert [
        ("AAPL", "2005-02-28", 1, 2),
        ("MSFT", "2003-02-18", 1, 2),
        ("AAPL", "2000-06-21", 1, 2),
    ] == found
    assert ["2003-02-18", "2005-02-28"] == [
        each.execution_date
        for each in client(sample_doors).list_splits(**asked, sort="execution_date", order="asc")
    ]
    assert 2 == len(list(client(sample_doors).list_splits("AAPL")))
    assert [] == list(client(sample_doors).list_splits(reverse_split=True))


@pytest.fixture
def renamed(lake: Lake, bars_file: Path) -> Iterator[Doors]:
    """A lake of A, which was C before, and of BAC.PRL, which is listed no more."""
    lake.import_files(bars_file)
    told = listing_rows(
        ("BBG000000001", "C", dt.date(2012, 3, 1), dt.date(2012, 3, 30)),
        ("BBG000000001", "A", dt.date(2012, 3, 31), None),
        ("L2", "B", dt.date(2012, 3, 1), dt.date(2012, 6, 29)),
        name="Acorn Inc",
    )
    listings.commit(lake.store, told, clock=lake.clock)
    paid = [dividend("C", dt.date(2012, 3, 15), 0.25), dividend("A", dt.date(2012, 6, 15), 1)]
    dividends.commit(lake.store, pl.concat([*paid, dividend("B", MON, 0.5)]), clock=lake.clock)
    with doors_of(lake) as opened:
        yield opened


def test_dividends_of_a_ticker_are_its_listing_s(renamed: Doors) -> None:
    ask = client(renamed).list_dividends
    found = [(each.ticker, each.ex_dividend_date, each.cash_amount) for each in ask("A", limit=1)]

    assert [("A", "2012-06-15", 1), ("C", "2012-03-15", 0.25)] == found
    assert ["B", "A", "C"] == [each.ticker for each in ask()]
    assert ["C", "B"] == [
        each.ticker for each in ask(cash_amount_lt=1, sort="cash_amount", order="asc")
    ]


def test_tickers_are_those_of_a_day(renamed: Doors) -> None:
    ask = client(renamed).list_tickers
    (active,) = ask()
    then = list(ask(date="2012-06-01", limit=1))

    assert ("A", "Acorn Inc", "XNYS", "CS", True, "BBG000000001") == (
        *(active.ticker, active.name, active.primary_exchange, active.type),
        *(active.active, active.composite_figi),
    )
    assert ["A", "B"] == [each.ticker for each in then]
    # What had the ticker A before that company is listed no more, either.
    assert ["A", "B"] == [each.ticker for each in ask(active=False)]
    assert [[], ["B"], ["A", "B"], []] == [
        [each.ticker for each in ask(date="2012-06-01", **how)]
        for how in ({"market": "crypto"}, {"ticker_gt": "A"}, {"search": "acorn"}, {"type": "ETF"})
    ]


def test_the_last_trade_is_the_live_one_or_none(sample_lake: Lake, open_memory: Any) -> None:
    view = open_memory()
    view.put(NO_BARS, prices_of(price("AAPL", version=9)))
    with doors_of(sample_lake, view) as opened:
        found = client(opened).get_last_trade("AAPL")
        told = opened.get("/v2/last/trade/AAPL")
        refused = refusal(opened, "/v2/last/trade/IBM")

    assert ("AAPL", 9.0, (OPEN + 9) * 1000, None) == (
        *(found.ticker, found.price, found.sip_timestamp, found.size),
    )
    TypeAdapter(LastTrade).validate_json(told.content, strict=True)
    assert (404, "NOT_FOUND") == refused[:2]
    assert refused[2].startswith("No trade of 'IBM' is known")


OFFERED = "Allowed: minute 1, 5, 15; hour 1, 2, 4; day 1, 3, 5, 8, 13, 21, 34."
RANGE = "/v2/aggs/ticker/AAPL/range"
TIME = "is no time. Allowed: YYYY-MM-DD, or milliseconds since 1970."


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{RANGE}/2/day/2005-01-01/2005-12-31", f"2 day is not offered. {OFFERED}"),
        (f"{RANGE}/1/week/2005-01-01/2005-12-31", f"1 week is not offered. {OFFERED}"),
        (f"{RANGE}/99999999999999999999/day/2005-01-01/2005-12-31", OFFERED),
        (f"{RANGE}/1/day/2005-02-30/2005-12-31", f"'2005-02-30' {TIME}"),
        (f"{RANGE}/1/day/2005-01-01/9999-12-31", f"'9999-12-31' {TIME}"),
        (f"{RANGE}/1/day/99999999999999999999/2005-12-31", TIME),
        (f"{RANGE}/1/day/%00/2005-12-31", TIME),
        (f"{RANGE}/1/day/2005-12-31/2005-01-01", "2005-12-31 is after 2005-01-01."),
        (f"{RANGE}/1/day/2005-01-01/2005-12-31?limit=50001", "less than or equal to 50000"),
        (f"{RANGE}/1/day/2005-01-01/2005-12-31?sort=up", "sort='up': Input should be 'asc'"),
        (f"{RANGE}/1/day/2005-01-01/2005-12-31?adjust=1", "'adjust' is not offered. Allowed: adj"),
        (f"{RANGE}/1/day/2005-01-01/2005-12-31?cursor=zz", "'zz' is not a cursor. Allowed: that"),
        (f"{RANGE}/1/day/2005-01-01/2005-12-31?cursor=bGltaXQ9MA==", "is not a cursor"),
        ("/v2/aggs/ticker/A%00/prev", "'A\\x00' is no symbol. Hint: write it as AAPL."),
        ("/v2/aggs/grouped/locale/us/market/stocks/2005-02-30", "'2005-02-30' is not a date."),
        ("/v3/reference/dividends?frequency=4", "'frequency' is not offered. Allowed: ticker,"),
        ("/v3/reference/splits?limit=1001", "less than or equal to 1000"),
        ("/v3/reference/tickers?date=soon", "a date is written YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_is_one_clear_error(sample_doors: Doors, path: str, text: str) -> None:
    status, word, told = refusal(sample_doors, path)

    assert (400, "ERROR") == (status, word)
    assert text in told


def test_what_is_not_there_is_not_found(sample_doors: Doors, lake: Lake) -> None:
    with doors_of(lake) as empty:
        of_none = refusal(empty, f"{RANGE}/1/day/2005-01-01/2005-12-31")

    assert (404, "NOT_FOUND", "Not Found. Hint: see /docs.") == refusal(
        sample_doors, "/v2/aggs/nothing"
    )
    assert (404, "NOT_FOUND") == of_none[:2]
    assert "is empty. Hint: fiblake import" in of_none[2]
    assert [] == aggregates(sample_doors, "NOPE", "13d")
    assert (414, "ERROR") == refusal(sample_doors, f"/v2/aggs/ticker/{'A' * 20_000}/prev")[:2]


def test_answers_are_as_the_schema_tells(sample_doors: Doors) -> None:
    models: dict[str, Any] = {
        f"{RANGE}/13/day/2012-01-01/2013-12-31": Aggregates,
        "/v2/aggs/ticker/AAPL/prev": Aggregates,
        "/v2/aggs/grouped/locale/us/market/stocks/2005-02-25": Aggregates,
        "/v3/reference/tickers": TickersAnswer,
        "/v3/reference/splits": SplitsAnswer,
        "/v3/reference/dividends": DividendsAnswer,
    }
    for path, model in models.items():
        answer = sample_doors.get(path)
        told: Any = TypeAdapter(model).validate_json(answer.content)
        assert set(json.loads(answer.content)) <= {each.name for each in fields(model)}
        assert "OK" == told.status


def test_a_key_is_shown_as_their_clients_show_it(guarded: Guarded) -> None:
    read, alerts = guarded.key("read").secret, guarded.key("alerts").secret
    path = f"{RANGE}/13/day/2005-01-01/2005-12-31"
    with doors(guarded.app) as opened:
        found = list(client(opened, read).list_aggs("AAPL", 34, "day", **ALL, limit=1700))
        in_query = opened.get(path, params={"apiKey": read, "limit": 13})
        with pytest.raises(BadResponse, match="The key is not one of this server's"):
            list(client(opened, FOREIGN).list_aggs("AAPL", 13, "day", **ALL))
        none = refusal(opened, path)
        lacking = [
            refusal(opened, each, headers={"Authorization": f"Bearer {key}"})
            for each, key in ((path, alerts), ("/v2/last/trade/AAPL", read))
        ]

    assert 97 == len(found)
    assert 200 == in_query.status_code
    assert read not in in_query.text
    assert (401, "ERROR") == none[:2]
    assert none[2].startswith("No key was shown.")
    assert [(403, "NOT_AUTHORIZED")] * 2 == [each[:2] for each in lacking]


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
