"""TradingView's UDF by its rules (`tests/udf.py`): the bars of `/v1/bars` through its door."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from batch_layer.bronze import listings
from fiblake import Lake
from lake.interval import MINUTE_INTERVALS, SESSION_INTERVALS, Interval
from tests.access import Guarded
from tests.dialects import DAY, EARLY, Doors, doors, doors_of, start_of
from tests.frames import listing_rows
from tests.live import NO_PRICES, bars_of
from tests.merged import LAST, MON, WED, day
from tests.minutes import at
from tests.udf import (
    check_config,
    check_error,
    check_history,
    check_search,
    check_symbol,
    check_time,
    seconds,
)

YEAR_2000, YEAR_2014 = seconds(dt.date(2000, 1, 1)), seconds(dt.date(2014, 1, 1))
DAYS = ["1D", "3D", "5D", "8D", "13D", "21D", "34D"]
MINUTES = ["1", "5", "15", "60", "120", "240"]
Bars = list[dict[str, float]]


def resolution(interval: Interval) -> str:
    return str(interval.minutes) if interval.is_intraday else f"{interval.sessions}D"


def ask(at_: Doors, symbol: str, resolution_: str, to: int, **more: Any) -> Bars:
    """Return the bars of an answer that keeps the rules."""
    asked = {"symbol": symbol, "resolution": resolution_, "to": to, **more}
    answer = at_.get("/udf/history", params=asked)
    assert 200 == answer.status_code
    return check_history(answer.text, resolution_, to)


def expected(at_: Doors, symbol: str, interval: str, **asked: Any) -> Bars:
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    return [
        {
            "t": int(start_of(bar, dt.UTC).timestamp()),
            **{short: bar[name] for short, name in names.items()},
        }
        for bar in at_.bars(symbol, interval, **asked)
    ]


@pytest.mark.parametrize("interval", SESSION_INTERVALS, ids=str)
def test_bars_of_sessions_are_the_same(sample_doors: Doors, interval: Interval) -> None:
    found = ask(sample_doors, "AAPL", resolution(interval), YEAR_2014, **{"from": YEAR_2000})

    assert expected(sample_doors, "AAPL", str(interval)) == found


@pytest.mark.parametrize("interval", MINUTE_INTERVALS, ids=str)
def test_bars_of_minutes_are_the_same(minute_doors: Doors, interval: Interval) -> None:
    to = int(at(EARLY, "20:00").timestamp())
    found = ask(minute_doors, "AA", resolution(interval), to, **{"from": YEAR_2000})

    assert expected(minute_doors, "AA", str(interval)) == found


def test_from_is_in_it_and_to_is_not(sample_doors: Doors, minute_doors: Doors) -> None:
    first, last = seconds(dt.date(2005, 2, 25)), seconds(dt.date(2005, 3, 1))
    days = ask(sample_doors, "AAPL", "D", last, **{"from": first})
    later = ask(sample_doors, "AAPL", "D", last + 1, **{"from": first + 1})
    begin, end = (int(at(DAY, time).timestamp()) for time in ("10:00", "10:05"))
    minutes = ask(minute_doors, "AA", "1", end, **{"from": begin})

    assert [(first, 44.495), (seconds(dt.date(2005, 2, 28)), 44.86)] == [
        (bar["t"], bar["c"]) for bar in days
    ]
    assert [seconds(dt.date(2005, 2, 28)), last] == [bar["t"] for bar in later]
    assert list(range(begin, end, 60)) == [bar["t"] for bar in minutes]


@pytest.mark.parametrize("first", [0, YEAR_2014, -(10**30)])
@pytest.mark.parametrize("count", [1, 3, 500])
def test_countback_beats_from(sample_doors: Doors, count: int, first: int) -> None:
    to = seconds(dt.date(2013, 3, 1))
    found = ask(sample_doors, "AAPL", "13D", to, countback=count, **{"from": first})
    ours = expected(sample_doors, "AAPL", "13d", end="2013-02-28")

    assert ours[-count:] == found


def test_charts_scroll_back_without_a_gap(minute_doors: Doors, sample_doors: Doors) -> None:
    def scrolled(at_: Doors, symbol: str, name: str, to: int) -> Bars:
        found: Bars = []
        while bars := ask(at_, symbol, name, int(found[0]["t"]) if found else to, countback=97):
            found = bars + found
        return found

    assert expected(sample_doors, "FB", "1d") == scrolled(sample_doors, "FB", "1D", YEAR_2014)
    end = int(at(EARLY, "20:00").timestamp())
    assert expected(minute_doors, "AA", "5m") == scrolled(minute_doors, "AA", "5", end)


@pytest.mark.parametrize(
    ("symbol", "first", "to", "told"),
    [
        ("AAPL", YEAR_2014, YEAR_2014 + 9 * 86_400, {"nextTime": seconds(LAST)}),
        ("AAPL", seconds(LAST) + 1, 10**30, {"nextTime": seconds(LAST)}),
        ("AAPL", 0, YEAR_2000, {}),
        ("AAPL", -(10**30), -(10**29), {}),
        ("AAPL", YEAR_2014, YEAR_2000, {}),
    ],
)
def test_no_data_tells_when_the_last_bar_before_it_is(
    sample_doors: Doors, symbol: str, first: int, to: int, told: dict[str, int]
) -> None:
    asked: dict[str, Any] = {"symbol": symbol, "resolution": "1D", "from": first, "to": to}
    answer = sample_doors.get("/udf/history", params=asked)

    assert {"s": "no_data", **told} == answer.json()
    assert [] == check_history(answer.text, "1D", to)


def test_the_bar_that_is_forming_comes_last(sample_lake: Lake, open_memory: Any) -> None:
    view = open_memory()
    view.put(bars_of(day("AAPL", MON, 500.0, state="final"), day("AAPL", WED, 600.0)), NO_PRICES)
    with doors_of(sample_lake, view) as opened:
        found = ask(opened, "AAPL", "13D", YEAR_2014, countback=2)
        ours = expected(opened, "AAPL", "13d")
        info = opened.get("/udf/symbols", params={"symbol": "AAPL"}).json()
        config = opened.get("/udf/config").json()

    assert ours[-2:] == found
    assert 600.0 == found[-1]["c"]
    check_symbol(info)
    check_config(config)
    assert ("streaming", MINUTES + DAYS) == (info["data_status"], config["supported_resolutions"])


def test_what_it_can_do_is_told(sample_doors: Doors, minute_doors: Doors) -> None:
    configs = [each.get("/udf/config").json() for each in (sample_doors, minute_doors)]

    for config in configs:
        check_config(config)
    assert [DAYS, MINUTES + DAYS] == [each["supported_resolutions"] for each in configs]
    assert 1_767_614_400 == check_time(sample_doors.get("/udf/time").text)


def test_a_symbol_is_told_with_its_hours_and_multipliers(sample_doors: Doors) -> None:
    told = sample_doors.get("/udf/symbols", params={"symbol": "NASDAQ:aapl"}).json()
    check_symbol(told)

    assert ("AAPL", "AAPL", "0930-1600", "America/New_York", 100, "endofday") == (
        *(told["name"], told["ticker"], told["session"], told["timezone"]),
        *(told["pricescale"], told["data_status"]),
    )
    assert ["1", "3", "5", "8", "13", "21", "34"] == told["daily_multipliers"]
    holidays = told["session_holidays"].split(",")
    assert {"20010911", "20121029", "20261225"} < set(holidays)
    assert not {"20130301", "20121031"} & set(holidays)
    corrections = dict(each.split(":") for each in told["corrections"].split(";"))
    early = corrections["0930-1300"].split(",")
    assert ("20000703", True) == (early[0], "20241129" in early)


def test_symbols_are_found_once_by_text_type_and_exchange(lake: Lake, bars_file: Path) -> None:
    lake.import_files(bars_file)
    told = listing_rows(("L1", "A", dt.date(2012, 4, 2), None), kind="ETF")
    listings.commit(lake.store, told, clock=lake.clock)
    with doors_of(lake) as opened:

        def found(**asked: Any) -> list[str]:
            told = opened.get("/udf/search", params={"limit": 30, "query": "", **asked}).json()
            check_search(told)
            return [each["full_name"] for each in told]

        info = opened.get("/udf/symbols", params={"symbol": "XNYS:A"}).json()
        assert ["XNYS:A", "US:B"] == found(type="", exchange="")
        assert ["US:B"] == found(query="b") == found(type="stock") == found(exchange="US")
        assert ["XNYS:A"] == found(type="fund") == found(limit=1)
        assert [] == found(query="Z")

    check_symbol(info)
    assert ("Acorn", "fund", "XNYS") == (info["description"], info["type"], info["exchange"])


def test_prices_below_a_dollar_have_smaller_steps(lake: Lake, csv_file: Any) -> None:
    lake.import_files(
        csv_file("symbol,date,open,high,low,close,volume", "P,2012-06-29,1,1,.5,.5,9")
    )
    with doors_of(lake) as opened:
        assert 10_000 == opened.get("/udf/symbols", params={"symbol": "P"}).json()["pricescale"]


OF_AAPL = "/udf/history?symbol=AAPL"
HISTORY = f"{OF_AAPL}&resolution=1D"
OFFERED = f"Allowed: {', '.join([*MINUTES, *DAYS, 'D'])}."


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "/udf/history?symbol=AAPL&resolution=2D&to=1",
            f"resolution '2D' is not offered. {OFFERED}",
        ),
        ("/udf/history?symbol=AAPL&resolution=W&to=1", f"resolution 'W' is not offered. {OFFERED}"),
        ("/udf/history?symbol=NOPE&resolution=1D&to=1", "NOPE: no such symbol in the lake"),
        ("/udf/history?symbol=%00&resolution=1D&to=1", "'\\x00' is no symbol."),
        (
            "/udf/history?symbol=AAPL&resolution=60&to=1",
            "holds no 1h bars yet. Hint: fiblake fetch",
        ),
        (HISTORY, "to: Field required"),
        (f"{HISTORY}&to=soon", "to='soon': Input should be a valid integer"),
        (f"{HISTORY}&to=1&countback=-1", "countback='-1': Input should be greater than or equal"),
        ("/udf/symbols?symbol=NOPE", "NOPE: no such symbol."),
        ("/udf/symbols", "symbol: Field required"),
        ("/udf/search?limit=0", "limit='0': Input should be greater than or equal to 1"),
    ],
)
def test_errors_come_with_200(sample_doors: Doors, path: str, text: str) -> None:
    answer = sample_doors.get(path)

    assert 200 == answer.status_code
    assert text in check_error(answer.text)


def test_errors_of_keys_and_paths_come_with_their_own_status(
    sample_doors: Doors, guarded: Guarded
) -> None:
    key, other = guarded.key("read").secret, guarded.key("live").secret
    with doors(guarded.app) as opened:
        answers = [
            opened.get("/udf/config", headers={"X-API-Key": each} if each else {})
            for each in (key, "", other)
        ]

    assert [200, 401, 403] == [answer.status_code for answer in answers]
    assert "No key was shown." in check_error(answers[1].text)
    nothing = sample_doors.get("/udf/quotes")
    assert (404, "Not Found. Hint: see /docs.") == (nothing.status_code, check_error(nothing.text))
