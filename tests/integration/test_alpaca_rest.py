"""Alpaca's own client, given our URL alone: the bars of `/v1/bars` through its door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import StockBarsRequest, StockLatestBarRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetStatus
from alpaca.trading.requests import GetAssetsRequest
from pydantic import TypeAdapter

from batch_layer.bronze import listings
from fiblake import Lake
from lake.interval import MINUTE_INTERVALS, SESSION_INTERVALS
from serving_layer.dialects.alpaca_rest import (
    AlpacaBars,
    AlpacaBarsOfOne,
    Asset,
    LatestBarOfOne,
    LatestBars,
)
from tests.access import Guarded
from tests.dialects import DAY, EARLY, NEW_YORK, Doors, doors, doors_of, start_of
from tests.frames import listing_rows
from tests.live import NO_PRICES, bars_of
from tests.merged import FOUR, MON, WED, day
from tests.minutes import at

UNITS = {"m": TimeFrameUnit.Minute, "h": TimeFrameUnit.Hour, "d": TimeFrameUnit.Day}
ALL = {"start": dt.datetime(2000, 1, 1), "end": dt.datetime(2013, 12, 31)}  # noqa: DTZ001 - UTC, as they say
Row = dict[str, Any]
Connect = Callable[..., StockHistoricalDataClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make clients of a server; they are closed in the end."""
    made: list[StockHistoricalDataClient] = []

    def of(at_: Doors, key: str = "any") -> StockHistoricalDataClient:
        made.append(StockHistoricalDataClient("any id", key, url_override=at_.url))
        return made[-1]

    yield of
    for each in made:
        each._session.close()  # noqa: SLF001 - it has no other way to be closed


def timeframe(interval: str) -> TimeFrame:
    """Return an interval of ours as theirs, which knows no bars of several days."""
    frame = TimeFrame(1, UNITS[interval[-1]])
    frame.amount_value = int(interval[:-1])
    return frame


def asked(symbols: Any, interval: str, **others: Any) -> StockBarsRequest:
    given = {"symbol_or_symbols": symbols, "timeframe": timeframe(interval), **ALL, **others}
    return StockBarsRequest(**given)


def rows(found: Any, symbol: str) -> list[Row]:
    return [dict(each) for each in found.data.get(symbol, [])]


def expected(at_: Doors, symbol: str, interval: str, **others: Any) -> list[Row]:
    return [
        {
            "symbol": symbol,
            "timestamp": start_of(bar),
            **{name: bar[name] for name in (*FOUR, "volume", "vwap")},
            "trade_count": bar["trades"],
        }
        for bar in at_.bars(symbol, interval, **others)
    ]


@pytest.mark.parametrize("interval", ["1d", "13d", "34d"])
@pytest.mark.parametrize("adjustment", ["raw", "split", "all"])
def test_bars_of_sessions_are_the_same(
    sample_doors: Doors, connect: Connect, interval: str, adjustment: Any
) -> None:
    ours = expected(sample_doors, "AAPL", interval, adjustment=adjustment)
    request = asked("AAPL", interval, adjustment=adjustment)

    assert ours == rows(connect(sample_doors).get_stock_bars(request), "AAPL")


@pytest.mark.parametrize("interval", MINUTE_INTERVALS, ids=str)
def test_bars_of_minutes_are_the_same(minute_doors: Doors, connect: Connect, interval: Any) -> None:
    times = {"start": at(DAY, "00:00"), "end": at(EARLY, "20:00")}
    found = connect(minute_doors).get_stock_bars(asked("AA", str(interval), **times))

    assert expected(minute_doors, "AA", str(interval)) == rows(found, "AA")


def test_bars_are_as_they_were_traded_if_nothing_is_said(
    sample_doors: Doors, connect: Connect
) -> None:
    times = {
        "start": dt.datetime(2005, 2, 25, tzinfo=NEW_YORK),
        "end": at(dt.date(2005, 2, 28), "12:00"),
    }
    found = rows(connect(sample_doors).get_stock_bars(asked("AAPL", "1d", **times)), "AAPL")

    assert [
        (at(dt.date(2005, 2, 25), "00:00"), 88.99),
        (at(dt.date(2005, 2, 28), "00:00"), 44.86),
    ] == [(bar["timestamp"], bar["close"]) for bar in found]


def pages(at_: Doors, path: str, **given: Any) -> list[Any]:
    """Return all answers to a question, one page after the other."""
    found = [at_.get(path, params=given).json()]
    while token := found[-1]["next_page_token"]:
        found.append(at_.get(path, params={**given, "page_token": token}).json())
    return found


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_of_several_symbols_make_the_whole(sample_doors: Doors, sort: str) -> None:
    names = ("AAPL", "FB", "MSFT")
    given = {"timeframe": "13Day", "start": "2012-01-01", "end": "2013-12-31", "sort": sort}
    found = pages(sample_doors, "/v2/stocks/bars", symbols="MSFT,AAPL,NOPE,FB", limit=7, **given)
    whole = {name: [bar for page in found for bar in page["bars"].get(name, [])] for name in names}
    ours = {
        name: expected(sample_doors, name, "13d", start="2012-01-01", adjustment="raw", order=sort)
        for name in names
    }

    assert {name: [bar["close"] for bar in bars] for name, bars in ours.items()} == {
        name: [bar["c"] for bar in bars] for name, bars in whole.items()
    }
    assert [7] * (len(found) - 1) == [sum(map(len, page["bars"].values())) for page in found[:-1]]
    assert len(found) > 8


def test_pages_of_minutes_between_two_instants_make_the_whole(minute_doors: Doors) -> None:
    given = {"timeframe": "1T", "start": "2024-11-27T15:30:00.000001Z", "limit": 50}
    given["end"] = "2024-11-29T10:00:00.000000000-05:00"
    found = pages(minute_doors, "/v2/stocks/bars", symbols="AA,NOPE", **given)
    ours = expected(minute_doors, "AA", "1m")
    first, last = at(DAY, "10:31"), at(EARLY, "10:00")

    assert [bar["close"] for bar in ours if first <= bar["timestamp"] <= last] == [
        bar["c"] for page in found for bar in page["bars"]["AA"]
    ]
    assert 8 == len(found)


def test_the_client_pages_by_itself(minute_doors: Doors, connect: Connect) -> None:
    request = asked("AA", "1m", start=at(DAY, "09:30"), end=at(EARLY, "13:00"), limit=500)

    found = rows(connect(minute_doors).get_stock_bars(request), "AA")

    assert expected(minute_doors, "AA", "1m")[:500] == found


def test_today_is_meant_where_nothing_is_said(sample_lake: Lake, open_memory: Any) -> None:
    view = open_memory()
    today = dt.date(2026, 1, 5)
    view.put(bars_of(day("AAPL", MON, 500.0), day("AAPL", today, 600.0)), NO_PRICES)
    with doors_of(sample_lake, view) as opened:
        told = opened.get("/v2/stocks/AAPL/bars", params={"timeframe": "1D"})

    (bar,) = told.json()["bars"]
    assert ("2026-01-05T05:00:00Z", 600.0) == (bar["t"], bar["c"])
    assert "merged" == told.headers["fiblake-live"]
    TypeAdapter(AlpacaBarsOfOne).validate_json(told.content)


def test_the_bar_that_is_forming_comes_last(
    sample_lake: Lake, open_memory: Any, connect: Connect
) -> None:
    view = open_memory()
    view.put(bars_of(day("AAPL", MON, 500.0, state="final"), day("AAPL", WED, 600.0)), NO_PRICES)
    with doors_of(sample_lake, view) as opened:
        found = rows(connect(opened).get_stock_bars(asked("AAPL", "13d")), "AAPL")
        ours = expected(opened, "AAPL", "13d", adjustment="raw")

    assert ours == found
    assert 600.0 == found[-1]["high"]


def test_the_latest_bar_is_the_last_minute_in_the_lake_or_live(
    minute_doors: Doors, sample_lake: Lake, open_memory: Any, connect: Connect
) -> None:
    stored = connect(minute_doors).get_stock_latest_bar(
        StockLatestBarRequest(symbol_or_symbols=["AA", "NOPE"])
    )
    view = open_memory()
    live = {
        **day("IBM", MON, 7.0),
        "interval": "1m",
        "start": int(at(MON, "09:30").timestamp() * 1e6),
    }
    view.put(bars_of(live), NO_PRICES)
    with doors_of(sample_lake, view) as opened:
        of_one = opened.get("/v2/stocks/IBM/bars/latest")
        of_none = opened.get("/v2/stocks/NOPE/bars/latest")
        told = opened.get("/v2/stocks/bars/latest", params={"symbols": "IBM,AAPL", "feed": "iex"})

    last = expected(minute_doors, "AA", "1m")[-1]
    assert {"AA": last} == {name: dict(bar) for name, bar in stored.items()}
    assert ("2013-03-04T14:30:00Z", 7.0) == (of_one.json()["bar"]["t"], of_one.json()["bar"]["c"])
    assert {"bar": None, "symbol": "NOPE"} == of_none.json()
    assert ["IBM"] == list(told.json()["bars"])
    for answer, model in ((of_one, LatestBarOfOne), (of_none, LatestBarOfOne), (told, LatestBars)):
        TypeAdapter(model).validate_json(answer.content)


@pytest.fixture
def renamed(lake: Lake, bars_file: Path) -> Iterator[Doors]:
    """A lake of A, which was C before, and of B, which is listed no more."""
    lake.import_files(bars_file)
    told = listing_rows(
        ("L1", "C", dt.date(2012, 1, 1), dt.date(2012, 2, 28)),
        ("L1", "A", dt.date(2012, 2, 29), None),
        ("L2", "B", dt.date(2012, 3, 1), dt.date(2012, 6, 29)),
        ("L3", "C", dt.date(2013, 1, 1), None),
    )
    is_b = pl.col("symbol") == "B"
    told = told.with_columns(exchange=pl.when(is_b).then(pl.lit("XFOO")).otherwise("exchange"))
    listings.commit(lake.store, told, clock=lake.clock)
    with doors_of(lake) as opened:
        yield opened


def test_a_symbol_means_what_it_did_on_a_day(renamed: Doors, connect: Connect) -> None:
    now = connect(renamed).get_stock_bars(asked("C", "1d"))
    then = connect(renamed).get_stock_bars(asked(["B", "C"], "1d", asof="2012-01-15"))

    assert [] == rows(now, "C")
    assert [85, 85] == [len(rows(then, name)) for name in ("B", "C")]
    assert ["C"] == list({each["symbol"] for each in rows(then, "C")})


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_all_names_of_a_listing_have_its_bars_page_by_page(renamed: Doors, sort: str) -> None:
    given = {"symbols": "A,B,C,L1", "timeframe": "1Day", "asof": "2012-01-15", "sort": sort}
    when = {"start": "2012-01-01", "end": "2012-12-31"}
    found = pages(renamed, "/v2/stocks/bars", **given, **when, limit=90)
    times = {
        name: [bar["t"] for page in found for bar in page["bars"].get(name, [])]
        for name in ("A", "B", "C", "L1")
    }

    assert [85] * 4 == [len(set(each)) for each in times.values()]
    assert [sorted(times["B"], reverse=sort == "desc")] * 4 == list(times.values())
    assert max(sum(map(len, page["bars"].values())) for page in found) <= 90
    assert all(list(page["bars"]) == sorted(page["bars"]) for page in found)


def test_a_day_of_names_leaves_another_security_s_bars_out(lake: Lake, bars_file: Path) -> None:
    # The id of what C named on that day is the symbol of another today.
    lake.import_files(bars_file)
    told = listing_rows(
        ("A", "C", dt.date(2012, 1, 1), dt.date(2012, 2, 28)),
        ("A", "D", dt.date(2012, 2, 29), None),
        ("L2", "A", dt.date(2012, 2, 29), None),
    )
    listings.commit(lake.store, told, clock=lake.clock)
    asked_ = {"timeframe": "1Day", "start": "2012-01-01", "end": "2012-12-31"}
    with doors_of(lake) as opened:
        then = opened.get("/v2/stocks/C/bars", params=asked_ | {"asof": "2012-01-15"}).json()
        today = opened.get("/v2/stocks/A/bars", params=asked_).json()

    assert ([], 85) == (then["bars"], len(today["bars"]))


def test_assets_are_the_symbols(renamed: Doors) -> None:
    trading = TradingClient("any id", "any", url_override=renamed.url)
    found: Any = trading.get_all_assets()
    active = trading.get_all_assets(GetAssetsRequest(status=AssetStatus.ACTIVE))
    trading._session.close()  # noqa: SLF001 - it has no other way to be closed

    assert [("A", "active", "NYSE", "Acorn"), ("B", "inactive", "", "Acorn")] == [
        (each.symbol, each.status.value, each.exchange.value, each.name) for each in found
    ]
    assert [found[0]] == active
    assert [] == renamed.get("/v2/assets", params={"asset_class": "crypto"}).json()
    TypeAdapter(list[Asset]).validate_json(renamed.get("/v2/assets").content)


OFFERED = (
    "Allowed: 1Min, 5Min, 15Min, 1Hour, 2Hour, 4Hour, 1Day, 3Day, 5Day, 8Day, 13Day, 21Day, 34Day."
)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("bars?symbols=AAPL&timeframe=1Week", f"timeframe '1Week' is not offered. {OFFERED}"),
        ("bars?symbols=AAPL&timeframe=2D", f"timeframe '2D' is not offered. {OFFERED}"),
        ("bars?symbols=AAPL", "timeframe: Field required"),
        ("bars?timeframe=1D", "symbols: Field required"),
        ("bars?symbols=AAPL,,B&timeframe=1D", "does not name 1 to 500 symbols."),
        ("bars?symbols=A%00&timeframe=1D", "'A\\x00' is no symbol. Hint: write it as AAPL."),
        (
            "AAPL/bars?timeframe=1D&adjustment=dividend",
            "adjustment 'dividend' is not offered. Allowed: raw, split, all. Hint: dividends alone",
        ),
        ("AAPL/bars?timeframe=1D&start=soon", "'soon' is not an instant. Allowed: ISO 8601"),
        ("AAPL/bars?timeframe=1D&start=2005-02-30", "'2005-02-30' is not a date."),
        ("AAPL/bars?timeframe=1D&end=9999-12-31", "9999-12-31 has no end."),
        ("AAPL/bars?timeframe=1D&start=2005-02-03&end=2005-02-02", "is after the end 2005-02-02."),
        ("AAPL/bars?timeframe=1D&limit=10001", "less than or equal to 10000"),
        ("AAPL/bars?timeframe=1D&limit=99999999999999999999", "less than or equal to 10000"),
        ("AAPL/bars?timeframe=1D&page_token=zz", "page_token 'zz' is none. Allowed: the next_page"),
        ("AAPL/bars?timeframe=1D&feed=otc", "feed='otc': Input should be 'sip', 'iex' or"),
        ("AAPL/bars?timeframe=1D&currency=EUR", "currency='EUR': Input should be 'USD'"),
        ("AAPL/bars?timeframe=1D&symbols=IBM", "'symbols' is not offered. Allowed: timeframe,"),
        ("bars/latest?symbols=", "does not name 1 to 500 symbols."),
    ],
)
def test_what_cannot_be_is_one_clear_error(sample_doors: Doors, path: str, text: str) -> None:
    answer = sample_doors.get(f"/v2/stocks/{path}")
    told = answer.json()

    assert (400, 40_010_000, {"code", "message"}) == (answer.status_code, told["code"], set(told))
    assert text in told["message"]


def test_what_is_not_there_is_empty_or_not_found(sample_doors: Doors, connect: Connect) -> None:
    assert [] == rows(connect(sample_doors).get_stock_bars(asked("NOPE", "13d")), "NOPE")
    none = sample_doors.get("/v2/stocks/bars", params={"symbols": "NOPE", "timeframe": "13Day"})
    assert {"bars": {}, "next_page_token": None} == none.json()
    TypeAdapter(AlpacaBars).validate_json(none.content)
    with pytest.raises(APIError) as of_minutes:
        connect(sample_doors).get_stock_bars(asked("AAPL", "1h"))
    assert (404, 40_410_000) == (of_minutes.value.status_code, of_minutes.value.code)
    assert "holds no 1h bars yet. Hint: fiblake fetch minutes" in of_minutes.value.message
    assert 40_410_000 == sample_doors.get("/v2/stocks/AAPL/trades").json()["code"]


def test_our_key_is_their_secret(guarded: Guarded, connect: Connect) -> None:
    read, live = guarded.key("read").secret, guarded.key("live").secret
    with doors(guarded.app) as opened:
        found = connect(opened, read).get_stock_bars(asked("AAPL", "34d"))
        with pytest.raises(APIError) as wrong:
            connect(opened, "foreign").get_stock_bars(asked("AAPL", "34d"))
        with pytest.raises(APIError) as lacking:
            connect(opened, read).get_stock_latest_bar(
                StockLatestBarRequest(symbol_or_symbols="AAPL")
            )
        latest = connect(opened, live).get_stock_latest_bar(
            StockLatestBarRequest(symbol_or_symbols="AAPL")
        )

    assert (97, {}) == (len(rows(found, "AAPL")), latest)
    assert (401, 40_110_000) == (wrong.value.status_code, wrong.value.code)
    assert (403, 40_310_000) == (lacking.value.status_code, lacking.value.code)


def test_all_our_intervals_have_a_timeframe(sample_doors: Doors) -> None:
    schema = sample_doors.get("/openapi.json").json()
    told = schema["paths"]["/v2/stocks/bars"]["get"]["parameters"]
    (frames,) = [each["schema"]["enum"] for each in told if each["name"] == "timeframe"]

    assert [str(timeframe(str(each))) for each in (*MINUTE_INTERVALS, *SESSION_INTERVALS)] == frames
