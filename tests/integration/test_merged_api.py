"""Merged bars and prices over HTTP, in every form, with the view in memory and in Redis."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pytest

from fiblake import Lake
from lake.bar import Hours
from lake.instant import microseconds
from lake.interval import SESSION_INTERVALS, Interval
from lake.live import LiveBars
from lake.schemas import BARS, INTRADAY_BARS
from lake.settings import Settings
from serving_layer.answers import CSV_COLUMNS
from serving_layer.app import create_app
from serving_layer.merged import MergedReader
from serving_layer.query import BarsQuery
from serving_layer.routes import BarsAnswer, ManyBarsAnswer
from speed_layer.views import View, open_view
from tests.api import Api, problem
from tests.frames import tell
from tests.live import NO_BARS, NO_PRICES, bar, bars_of, day_bar, price, prices_of
from tests.minutes import at, every_minute
from tests.minutes import commit as commit_minutes
from tests.parts import RedisServer

LAST, MON, TUE, WED = (
    dt.date(2013, 3, 1),
    dt.date(2013, 3, 4),
    dt.date(2013, 3, 5),
    dt.date(2013, 3, 6),
)
CSV: Final = ("text/csv; charset=utf-8", "csv")
ARROW: Final = ("application/vnd.apache.arrow.stream", "arrow")
FOUR = ("open", "high", "low", "close")


class Served(Api):
    """An app to ask, with a view beside its lake."""

    def __init__(self, lake: Lake, view: LiveBars | None = None, **more: Any) -> None:
        self.app = create_app(lake.reader, view, **more)


def day(symbol: str, session: dt.date, close: float, **others: Any) -> dict[str, Any]:
    return day_bar(symbol, session, 7, **dict.fromkeys(FOUR, close), volume=100.0, **others)


@pytest.fixture
def view(open_memory: Any) -> View:
    """A view that was told of AAPL on Friday, which the lake has, and three sessions after it."""
    held: View = open_memory()
    days = [day("AAPL", LAST, 1.0), day("AAPL", MON, 500.0, state="final"), day("AAPL", WED, 600.0)]
    held.put(bars_of(*days, day("NEW", WED, 7.0)), NO_PRICES)
    return held


def test_bars_go_on_after_the_boundary(sample_lake: Lake, view: View) -> None:
    # lake     ... |02-19 ...          Fri|
    # live                             Fri  Mon  -  Wed       13 sessions to 03-07
    stored = sample_lake.bars("AAPL", "13d")
    answer = Served(sample_lake, view).get("/v1/bars/AAPL", interval="13d").json()

    assert ("merged", "2013-03-01") == (answer["live"], answer["boundary"])
    assert stored.height == len(answer["bars"])
    bar = answer["bars"][-1]
    before = stored.row(-1, named=True)
    assert ("2013-02-19", "2013-03-06", 11, 12, "forming") == (
        *(bar["start"], bar["through"]),
        *(bar["sessions"], bar["sessions_expected"], bar["state"]),
    )
    assert (before["open"], 600.0, 600.0) == (bar["open"], bar["high"], bar["close"])
    assert before["volume"] + 200 == bar["volume"]


def test_a_bar_of_a_new_bucket_begins_where_none_is_stored(sample_lake: Lake, view: View) -> None:
    bars = Served(sample_lake, view).bars("AAPL", interval="1d", start="2013-03-01")

    assert [("2013-03-01", 430.47), ("2013-03-04", 500.0), ("2013-03-06", 600.0)] == [
        (bar["start"], bar["close"]) for bar in bars
    ]
    assert ["final", "final", "forming"] == [bar["state"] for bar in bars]


@pytest.mark.parametrize("interval", SESSION_INTERVALS, ids=str)
def test_a_symbol_that_is_only_live_has_bars(sample_lake: Lake, view: View, interval: str) -> None:
    served = Served(sample_lake, view)

    (bar,) = served.bars("NEW", interval=interval)

    assert (7.0, 1, 0, "2013-03-06") == (
        *(bar["close"], bar["sessions"], bar["revision"]),
        bar["through"],
    )
    assert 404 == served.get("/v1/bars/NOPE", interval=interval).status_code


def test_a_symbol_that_is_only_live_is_found(sample_lake: Lake, view: View) -> None:
    view.put(NO_BARS, prices_of(price("NEW", session=WED)))
    served = Served(sample_lake, view)

    assert [{"symbol": "NEW", "listing": "NEW", "first": "2013-03-06", "last": "2013-03-06"}] == [
        {name: each[name] for name in ("symbol", "listing", "first", "last")}
        for each in served.get("/v1/symbols", query="NE").json()["symbols"]
    ]


def test_a_lake_that_is_empty_has_what_is_live(lake: Lake, view: View) -> None:
    view.put(NO_BARS, prices_of(price("AAPL", session=WED)))
    served = Served(lake, view)

    assert [500.0, 600.0] == [bar["close"] for bar in served.bars("AAPL")][1:]
    assert {"status": "ready"} == served.get("/health/ready").json()
    assert 404 == served.get("/v1/bars", symbols="AAPL,NOPE").status_code


def test_what_was_known_has_no_live_bars(sample_lake: Lake, view: View) -> None:
    asked: dict[str, Any] = {"interval": "13d", "known_at": "2026-01-05T12:00:00Z"}

    answer = Served(sample_lake, view).get("/v1/bars/AAPL", **asked).json()

    assert (None, "2013-03-01") == (answer["live"], answer["bars"][-1]["through"])


def test_it_moves_when_batch_commits_and_counts_nothing_twice(
    own_sample_lake: Lake, view: View, csv_file: Any
) -> None:
    served = Served(own_sample_lake, view)
    asked: dict[str, Any] = {"interval": "13d", "start": "2013-02-19"}
    live = served.bars("AAPL", **asked)
    rows = [f"{name},2013-03-04,500,500,500,500,100" for name in ("AAPL", "IBM")]
    own_sample_lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
    own_sample_lake.resample()
    committed = served.get("/v1/bars/AAPL", **asked).json()
    view.forget(daily=MON, minute=None)
    forgotten = served.bars("AAPL", **asked)

    assert "2013-03-04" == committed["boundary"]
    assert committed["bars"] == forgotten
    facts = ("open", "high", "low", "close", "volume", "sessions", "through", "state")
    assert [live[0][name] for name in facts] == [forgotten[0][name] for name in facts]


def test_a_session_that_is_told_again_counts_once(sample_lake: Lake, view: View) -> None:
    served = Served(sample_lake, view, told_again=LAST)
    view.forget(daily=None, minute=None)

    daily = served.bars("AAPL", start="2013-02-28")
    longer = served.get("/v1/bars/IBM", interval="13d", start="2013-02-19").json()

    assert [441.4, 1.0] == [bar["close"] for bar in daily][:2]
    assert ("2013-02-28", "2013-02-28", 8) == (
        *(longer["boundary"], longer["bars"][0]["through"]),
        longer["bars"][0]["sessions"],
    )


@pytest.mark.parametrize("interval", ["1d", "3d", "34d"])
@pytest.mark.parametrize("adjustment", ["raw", "split", "all"])
def test_newest_first_is_the_same_backwards(
    sample_lake: Lake, view: View, interval: str, adjustment: str
) -> None:
    served = Served(sample_lake, view)
    asked: dict[str, Any] = {"interval": interval, "adjustment": adjustment, "start": "2012-12-03"}

    forwards = served.bars("AAPL", **asked)

    assert forwards[::-1] == served.bars("AAPL", **asked, order="desc", limit=20)
    assert forwards == served.bars("AAPL", **asked, limit=20)
    last = served.get("/v1/bars/AAPL", **asked, order="desc", limit=1).json()["bars"]
    assert "2013-03-06" == last[0]["through"]


def many(served: Api, **asked: Any) -> list[dict[str, Any]]:
    """Return the bars of several symbols, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        answer = served.get("/v1/bars", **asked).json()
        found += answer["bars"]
        if answer["next_cursor"] is None:
            return found
        asked["cursor"] = answer["next_cursor"]


def test_many_symbols_are_answered_together_and_page_by_page(sample_lake: Lake, view: View) -> None:
    served = Served(sample_lake, view)
    asked: dict[str, Any] = {"symbols": "new,MSFT,AAPL", "interval": "13d", "start": "2012-12-01"}
    each = [
        served.bars(name, interval="13d", start="2012-12-01") for name in ("AAPL", "MSFT", "NEW")
    ]
    backwards = [bar for bars in each for bar in bars[::-1]]

    answer = served.get("/v1/bars", **asked).json()

    assert ["NEW", "MSFT", "AAPL"] == answer["symbols"]
    assert (
        [bar for bars in each for bar in bars] == answer["bars"] == many(served, **asked, limit=2)
    )
    assert backwards == many(served, **asked, limit=2, order="desc")


def test_a_cursor_is_of_its_own_question(sample_lake: Lake) -> None:
    served = Served(sample_lake)
    one = served.get("/v1/bars/AAPL", limit=1).json()["next_cursor"]
    of_many = served.get("/v1/bars", symbols="AAPL,IBM", limit=1).json()["next_cursor"]

    told = [
        problem(served.get("/v1/bars/AAPL", cursor=of_many)),
        problem(served.get("/v1/bars", symbols="AAPL,IBM", cursor=one)),
    ]
    assert [400, 400] == [each["status"] for each in told]
    assert told[0]["detail"].endswith("is the cursor of another question.")


def test_csv_has_the_columns_of_the_command(sample_lake: Lake, view: View) -> None:
    served = Served(sample_lake, view)
    asked: dict[str, Any] = {"interval": "13d", "start": "2013-01-10"}
    bars = served.bars("AAPL", **asked)

    answer = served.get("/v1/bars/AAPL", **asked, format="csv")
    rows = list(csv.reader(io.StringIO(answer.text)))

    assert CSV[0] == answer.headers["content-type"]
    assert list(CSV_COLUMNS) == rows[0]
    texts = [[str(bar[name]) for name in ("symbol", "start", "close", "state")] for bar in bars]
    places = [CSV_COLUMNS.index(name) for name in ("symbol", "start", "close", "state")]
    assert texts == [[row[place] for place in places] for row in rows[1:]]
    assert {"2013-03-01", "merged", "13d", "AAPL"} == {
        answer.headers[f"fiblake-{name}"] for name in ("boundary", "live", "interval", "symbol")
    }


def test_arrow_is_a_stream_whose_schema_says_what_there_is_to_say(
    sample_lake: Lake, view: View
) -> None:
    served = Served(sample_lake, view)
    asked: dict[str, Any] = {"symbols": "AAPL,IBM,NEW", "interval": "5d"}

    answer = served.get("/v1/bars", **asked, format="arrow")
    told = pa.ipc.open_stream(answer.content).read_all()

    assert ARROW[0] == answer.headers["content-type"]
    assert BARS.names == told.schema.names
    assert (b"2013-03-01", b"merged", b"AAPL,IBM,NEW") == tuple(
        told.schema.metadata[name] for name in (b"boundary", b"live", b"symbols")
    )
    assert json.loads(pl.DataFrame(told).write_json()) == many(served, **asked)


def test_the_whole_market_streams_and_is_not_paged(sample_lake: Lake, view: View) -> None:
    view.put(NO_BARS, prices_of(price("NEW", session=WED)))
    served = Served(sample_lake, view)

    answer = served.get("/v1/bars", symbols="*", interval="34d", format="csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert ["AAPL", "FB", "GOOG", "IBM", "MSFT", "NEW"] == sorted({row["symbol"] for row in rows})
    assert sample_lake.bars(None, "34d").height + 1 == len(rows)
    assert 400 == problem(served.get("/v1/bars", symbols="*"))["status"]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("symbols", ["AAPL,FB,GOOG,IBM,MSFT,NEW", "*"])
def test_what_is_behind_a_cursor_is_whole_in_every_piece(
    *,
    sample_lake: Lake,
    view: View,
    monkeypatch: pytest.MonkeyPatch,
    symbols: str,
    order: str,
) -> None:
    # pieces    AAPL FB | GOOG IBM | MSFT NEW
    # cursor                 ^ amid its bars
    monkeypatch.setattr("serving_layer.reader._LISTINGS_A_PIECE", 2)
    view.put(NO_BARS, prices_of(price("NEW", session=WED)))
    served = Served(sample_lake, view)
    asked: dict[str, Any] = {"symbols": symbols, "interval": "34d", "order": order, "format": "csv"}
    whole = list(csv.DictReader(io.StringIO(served.get("/v1/bars", **asked).text)))
    before = next(n for n, row in enumerate(whole) if row["symbol"] == "IBM") + 9
    named = f"IBM {whole[before]['start']}"
    cursor = urlsafe_b64encode(named.encode()).decode()

    behind = csv.DictReader(io.StringIO(served.get("/v1/bars", **asked, cursor=cursor).text))

    assert whole[before + 1 :] == list(behind)


def test_a_limit_of_csv_tells_the_next_cursor(sample_lake: Lake) -> None:
    served = Served(sample_lake)
    first = served.get("/v1/bars/AAPL", format="csv", limit=2)
    cursor = first.headers["fiblake-next-cursor"]
    second = served.get("/v1/bars/AAPL", format="csv", limit=2, cursor=cursor)

    rows = [row for page in (first, second) for row in csv.DictReader(io.StringIO(page.text))]
    assert [bar["start"] for bar in served.bars("AAPL")[:4]] == [row["start"] for row in rows]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("text/csv", CSV[0]),
        ("application/json;q=0.1, text/*", CSV[0]),
        ("application/vnd.apache.arrow.stream", ARROW[0]),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
    ],
)
def test_accept_chooses_the_form(sample_lake: Lake, accept: str, kind: str) -> None:
    answer = Served(sample_lake).accepting(accept, "/v1/bars/AAPL")

    assert (kind, "Accept") == (answer.headers["content-type"], answer.headers["vary"])


def test_a_form_that_is_not_offered_is_a_problem(sample_lake: Lake) -> None:
    told = problem(Served(sample_lake).accepting("text/html", "/v1/bars/AAPL"))

    assert (406, "leave Accept out, or add format=csv.") == (told["status"], told["hint"])


DAY, AFTER = dt.date(2024, 11, 27), dt.date(2024, 11, 29)


def minute(time: str, session: dt.date, close: float, **others: Any) -> dict[str, Any]:
    start = microseconds(at(session, time))
    values: dict[str, Any] = dict.fromkeys(FOUR, close) | others
    return bar("AA", session=session, start=start, **values)


@pytest.fixture
def minute_lake(lake: Lake) -> Lake:
    """A session of minutes that batch has covered."""
    commit_minutes(lake, *every_minute("AA", DAY, "09:30", "10:00"))
    lake.resample()
    return lake


def test_bars_of_minutes_are_the_lake_s_up_to_the_boundary_and_live_after(
    minute_lake: Lake, open_memory: Any
) -> None:
    view: View = open_memory()
    view.put(bars_of(minute("09:35", DAY, 1.0), minute("12:58", AFTER, 2.0)), NO_PRICES)
    view.put(bars_of(minute("12:58", AFTER, 3.0, interval="4h", minutes=9)), NO_PRICES)
    served = Served(minute_lake, view)

    bars = served.bars("AA", interval="1m")
    (longer,) = served.bars("AA", interval="4h", start="2024-11-29")

    assert minute_lake.bars("AA", "1m").height + 1 == len(bars)
    assert list(INTRADAY_BARS.names) == list(bars[-1])
    assert ("2024-11-29T17:58:00Z", 2.0, 1, 1, "forming", "2024-11-29") == (
        *(bars[-1]["start"], bars[-1]["close"], bars[-1]["minutes"]),
        *(bars[-1]["minutes_expected"], bars[-1]["state"], bars[-1]["through"]),
    )
    # An early close: the session's one 4h bar is cut at 13:00.
    assert (9, 210) == (longer["minutes"], longer["minutes_expected"])
    assert bars == served.bars("AA", interval="1m", limit=7)
    assert bars[::-1] == served.bars("AA", interval="1m", limit=7, order="desc")


def test_of_a_session_that_batch_has_not_covered_live_bars_stand_for_stored_ones(
    minute_lake: Lake, open_memory: Any
) -> None:
    view: View = open_memory()
    served = Served(minute_lake, view)
    commit_minutes(minute_lake, *every_minute("AA", AFTER, "09:30", "09:50"))
    before = served.bars("AA", interval="1m", start="2024-11-29")
    view.put(bars_of(*(minute(time, AFTER, 2.0) for time in ("09:40", "09:58"))), NO_PRICES)

    asked: dict[str, Any] = {"interval": "1m", "start": "2024-11-29"}
    live = served.bars("AA", **asked)
    paged = served.bars("AA", interval="1m", limit=35)
    minute_lake.resample()
    after = served.bars("AA", **asked)

    assert [20, 2, 20] == [len(before), len(live), len(after)]
    assert live == paged[-2:]
    assert before == after


def test_bars_of_minutes_begin_live_where_the_lake_has_none(
    sample_lake: Lake, open_memory: Any
) -> None:
    view: View = open_memory()
    served = Served(sample_lake, view)
    none = served.get("/v1/bars/AAPL", interval="5m").json()
    view.put(bars_of({**minute("09:30", MON, 2.0, interval="5m"), "symbol": "AAPL"}), NO_PRICES)

    assert ([], "merged", None) == (none["bars"], none["live"], none["boundary"])
    assert [2.0] == [bar["close"] for bar in served.bars("AAPL", interval="5m")]
    assert 404 == served.get("/v1/bars/NOPE", interval="5m").status_code
    assert 404 == Served(sample_lake).get("/v1/bars/AAPL", interval="5m").status_code


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis server that a test may kill."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()


def redis_view(server: RedisServer, views: list[View]) -> View:
    settings = {"view": "redis", "redis_url": server.url, "redis_attempts": 2, "redis_retry_ms": 1}
    views.append(open_view(Settings.model_validate(settings)))
    return views[-1]


def test_without_redis_the_lake_answers_and_says_so(
    sample_lake: Lake, own_redis: RedisServer, views: list[View]
) -> None:
    view = redis_view(own_redis, views)
    told = bars_of(day("AAPL", MON, 500.0)), prices_of(price("AAPL", version=9, session=MON))
    view.put(*told)
    served = Served(sample_lake, view)
    asked: dict[str, Any] = {"interval": "13d", "start": "2013-02-19"}
    merged = served.get("/v1/bars/AAPL", **asked).json()
    prices = served.get("/v1/prices/AAPL").json()
    own_redis.stop()

    away = served.get("/v1/bars/AAPL", **asked).json()
    streamed = served.get("/v1/bars/AAPL", **asked, format="csv")
    closes = served.get("/v1/prices", symbols="AAPL").json()

    assert ("merged", 10) == (merged["live"], merged["bars"][0]["sessions"])
    assert ("away", 9) == (away["live"], away["bars"][0]["sessions"])
    assert "away" == streamed.headers["fiblake-live"]
    assert sample_lake.bars("AAPL", **asked).height == len(away["bars"])
    assert ("live", 9.0) == (prices["source"], prices["price"])
    assert ("away", "lake", 430.47) == (
        *(closes["live"], closes["prices"][0]["source"]),
        closes["prices"][0]["price"],
    )


def test_another_view_answers_while_redis_does_not(
    sample_lake: Lake, own_redis: RedisServer, views: list[View], view: View
) -> None:
    served = Served(sample_lake, redis_view(own_redis, views), fallbacks=[view])
    own_redis.stop()

    answer = served.get("/v1/bars/AAPL", interval="13d", start="2013-02-19").json()

    assert ("merged", 11) == (answer["live"], answer["bars"][0]["sessions"])


class Noticed:
    """A view that lets know when it is first asked for bars."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.is_asked = threading.Event()

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        return self.view.price(symbols)

    def bars(self, symbol: str, interval: Interval, hours: Hours = "regular") -> pl.DataFrame:
        self.is_asked.set()
        return self.view.bars(symbol, interval, hours)


def test_while_redis_hangs_the_lake_answers_all_but_those_that_wait_for_it(
    sample_lake: Lake, own_redis: RedisServer, views: list[View]
) -> None:
    hung = redis_view(own_redis, views)
    hung.put(bars_of(day("AAPL", MON, 500.0)), prices_of(price("AAPL", version=9, session=MON)))
    noticed = Noticed(hung)
    served = Served(sample_lake, noticed)
    asked: dict[str, Any] = {"interval": "13d", "start": "2013-02-19"}
    served.get("/v1/bars/AAPL", **asked)  # the first one reads more of the lake before it waits

    own_redis.pause()
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(served.get, "/v1/bars/AAPL", **asked)
        assert noticed.is_asked.wait(30)
        time.sleep(0.6)
        began = time.monotonic()
        away = served.get("/v1/bars/AAPL", **asked).json()
        closes = served.get("/v1/prices", symbols="AAPL").json()
        live = served.get("/v1/live/AAPL")
        lasted_s = time.monotonic() - began
        own_redis.resume()
        told = waits.result().json()

    # The one that waits has another nine seconds to.
    assert lasted_s < 5
    assert ("away", "away", 503) == (away["live"], closes["live"], problem(live)["status"])
    assert "merged" == told["live"] == served.get("/v1/bars/AAPL", **asked).json()["live"]


def test_live_bars_are_those_of_another_view_while_redis_does_not_answer(
    sample_lake: Lake, own_redis: RedisServer, views: list[View], view: View
) -> None:
    served = Served(sample_lake, redis_view(own_redis, views), fallbacks=[view])
    own_redis.stop()

    answer = served.get("/v1/live/AAPL").json()

    assert [1.0, 500.0, 600.0] == [each["close"] for each in answer["bars"]]


def test_prices_tell_their_source_and_age(sample_lake: Lake, open_memory: Any) -> None:
    view: View = open_memory()
    view.put(NO_BARS, prices_of(price("AAPL", version=1)))
    now = sample_lake.clock.now()
    answer = Served(sample_lake, view).get("/v1/prices", symbols="ibm,AAPL,NOPE").json()
    live, close = answer["prices"]

    assert (["NOPE"], "merged") == (answer["unknown"], answer["live"])
    assert ("AAPL", 1.0, "live", "massive", "2026-01-05") == (
        *(live["symbol"], live["price"], live["source"], live["feed"]),
        live["session"],
    )
    assert live["age_seconds"] == (now - dt.datetime.fromisoformat(live["time"])).total_seconds()
    assert ("IBM", 202.91, "lake", None, "2013-03-01", "2013-03-01T21:00:00Z") == (
        *(close["symbol"], close["price"], close["source"], close["feed"]),
        *(close["session"], close["time"]),
    )
    assert (now - dt.datetime(2013, 3, 1, 21, tzinfo=dt.UTC)).total_seconds() == (
        close["age_seconds"]
    )


def test_a_live_price_that_batch_has_overtaken_is_none(sample_lake: Lake, open_memory: Any) -> None:
    view: View = open_memory()
    view.put(NO_BARS, prices_of(price("AAPL", session=dt.date(2013, 2, 28))))

    assert "lake" == Served(sample_lake, view).get("/v1/prices/AAPL").json()["source"]


def test_closes_are_found_in_one_look_a_year_whatever_is_asked_beside_them(
    own_sample_lake: Lake, csv_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ["GONE,2005-02-28,1,1,1,1,9", "OLD,2005-03-01,2,2,2,2,9"]
    own_sample_lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
    looks: list[BarsQuery] = []
    stored = MergedReader.stored

    def looked(reader: MergedReader, query: BarsQuery) -> pa.Table:
        looks.append(query)
        return stored(reader, query)

    monkeypatch.setattr(MergedReader, "stored", looked)

    answer = Served(own_sample_lake).get("/v1/prices", symbols="AAPL,GONE,IBM,NOPE,OLD").json()

    assert [430.47, 1.0, 202.91, 2.0] == [each["price"] for each in answer["prices"]]
    assert (["NOPE"], 2) == (answer["unknown"], len(looks))


def test_names_of_one_listing_all_have_its_price(lake: Lake, csv_file: Any, view: View) -> None:
    rows = ["FB,2020-06-08,1,1,1,1,9", "META,2020-06-09,2,2,2,2,9"]
    lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
    renamed = dt.date(2020, 6, 9)
    tell(
        lake,
        ("L1", "FB", dt.date(2012, 5, 18), renamed - dt.timedelta(days=1)),
        ("L1", "META", renamed, None),
    )

    asked = {"symbols": "FB,L1,META,NOPE"}
    told = Served(lake).get("/v1/prices", **asked).json()
    view.put(NO_BARS, prices_of(price("META", 9, session=lake.clock.now().date())))
    live = Served(lake, view).get("/v1/prices", **asked).json()

    assert [dict.fromkeys(("FB", "L1", "META"), close) for close in (2.0, 9.0)] == [
        {each["symbol"]: each["price"] for each in answer["prices"]} for answer in (told, live)
    ]


def test_a_price_of_nothing_is_a_problem(sample_lake: Lake) -> None:
    served = Served(sample_lake)

    assert 404 == problem(served.get("/v1/prices/NOPE"))["status"]
    several = problem(served.get("/v1/prices/AAPL,NOPE"))
    assert (400, "'AAPL,NOPE' names several symbols: here is the price of one.") == (
        *(several["status"], several["detail"]),
    )
    assert [400, 400, 422] == [
        problem(answer)["status"]
        for answer in (
            served.get("/v1/prices", symbols="A,,B"),
            served.get("/v1/prices", symbols=",".join(f"S{n}" for n in range(501))),
            served.get("/v1/prices"),
        )
    ]


def test_the_schema_tells_the_forms(sample_lake: Lake) -> None:
    schema = Served(sample_lake).get("/openapi.json").json()
    many_bars = schema["paths"]["/v1/bars"]["get"]

    assert {"application/json", "text/csv", "application/vnd.apache.arrow.stream"} == set(
        many_bars["responses"]["200"]["content"]
    )
    assert {"200", "400", "404", "406", "422", "503"} == set(many_bars["responses"])
    assert list(ManyBarsAnswer.__dataclass_fields__) == (
        list(schema["components"]["schemas"]["ManyBarsAnswer"]["properties"])
    )
    assert (
        list(BarsAnswer.__dataclass_fields__)[1:] == list(ManyBarsAnswer.__dataclass_fields__)[1:]
    )
