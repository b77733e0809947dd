"""A client answers what the lake itself answers: the same frames, and the same errors."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from fiblake import Bars, Client, Lake
from lake.clock import SetClock
from lake.errors import FiblakeError
from lake.instant import from_microseconds, written
from lake.session import EPOCH
from serving_layer.app import create_app
from speed_layer.views import MemoryView
from tests.access import serving
from tests.conftest import NOW
from tests.frames import tell
from tests.live import OPEN, SESSION, bar, bars_of, price, prices_of
from tests.minutes import commit, every_minute

SAME = ["bars", "pieces", "prices", "symbols", "sessions", "splits", "dividends"]
BOTH = [*SAME, "backtest", "matrix"]
Asked = Callable[[Lake | Client], pl.DataFrame]
QUESTIONS: dict[str, Asked] = {
    "a bar a session": lambda one: one.bars("aapl"),
    "several, some twice": lambda one: one.bars(["MSFT", "AAPL", " msft"], "13d"),
    "between dates": lambda one: one.bars("AAPL", "34d", start="2005-01-03", end="2006-12-29"),
    "nothing between them": lambda one: one.bars("FB", start="2001-01-01", end="2001-12-31"),
    "raw": lambda one: one.bars("AAPL", "5d", adjustment="raw"),
    "less dividends": lambda one: one.bars("AAPL", "5d", adjustment="all", as_of="2010-01-04"),
    "as was known": lambda one: one.bars("AAPL", "8d", known_at=NOW),
    "as was known, as text": lambda one: one.bars("AAPL", "8d", known_at=written(NOW)),
    "the whole market": lambda one: one.bars(None, "21d"),
    "symbols": lambda one: one.symbols(),
    "some symbols": lambda one: one.symbols("oo"),
    "sessions": lambda one: one.sessions("2012-11-01", "2012-12-31"),
    "all sessions": lambda one: one.sessions(),
    "splits": lambda one: one.splits("AAPL"),
    "splits as was known": lambda one: one.splits("MSFT", known_at=NOW),
    "no dividends": lambda one: one.dividends("IBM"),
    "backtest": lambda one: one.backtest(
        ["IBM", "AAPL"], ["5d", "13d"], start="2005-01-03", indicators=["sma_20", "rsi_14"]
    ),
    "backtest of a market": lambda one: one.backtest(
        {"listed_on": "2005-03-01"}, "34d", include_forming=True, columns=["close", "state"]
    ),
    "matrix": lambda one: one.matrix("AAPL", ["1d", "13d"], end="2003-12-31", adjustment="all"),
}
MISTAKES: dict[str, Callable[[Lake | Client], object]] = {
    "unknown symbol": lambda one: one.bars(["AAPL", "NOPE"]),
    "unknown symbol, in pieces": lambda one: one.pieces("NOPE"),
    "a comma": lambda one: one.bars("AAPL,IBM"),
    "an asterisk": lambda one: one.bars("*"),
    "no symbol": lambda one: one.bars([]),
    "no interval": lambda one: one.bars("AAPL", "7d"),
    "no date": lambda one: one.bars("AAPL", start="2012"),
    "no instant": lambda one: one.bars("AAPL", known_at="2012-01-01"),
    "known before all": lambda one: one.bars("AAPL", known_at="2001-01-01T00:00:00Z"),
    "end before start": lambda one: one.bars("AAPL", start="2012-01-03", end="2012-01-02"),
    "no minutes": lambda one: one.bars("AAPL", "5m"),
    "no argument": lambda one: one.bars("AAPL", begin="2012-01-03"),  # type: ignore[call-arg]
    "market of the past": lambda one: one.bars(None, known_at=NOW),
    "no price": lambda one: one.prices(["AAPL", "NOPE", "ZZZ"]),
    "no symbol to price": lambda one: one.prices(""),
    "unknown in a backtest": lambda one: one.backtest(["AAPL", "NOPE"], "5d"),
    "no indicator": lambda one: one.backtest(["AAPL"], "5d", indicators=["macd_9"]),
    "no column": lambda one: one.matrix(["AAPL"], "5d", columns=["price"]),
}


@pytest.fixture(scope="module")
def sample_client(sample_lake_folder: Any) -> Iterator[tuple[Lake, Client]]:
    """The sample, and a server of it."""
    lake = Lake(sample_lake_folder, clock=SetClock(NOW))
    with serving(create_app(lake.reader)) as at, Client(f"http://{at}") as client:
        yield lake, client


@pytest.mark.parametrize("name", BOTH)
def test_what_both_have_has_one_signature(name: str) -> None:
    ours, theirs = (getattr(each, name) for each in (Client, Lake))

    assert inspect.signature(theirs) == inspect.signature(ours)


def test_each_method_of_a_client_is_one_of_a_lake_or_of_the_present() -> None:
    methods = {name for name, _ in inspect.getmembers(Client, callable) if name[0] != "_"}

    assert {*BOTH, "close", "stream", "watch"} == methods


@pytest.mark.parametrize("asked", QUESTIONS.values(), ids=QUESTIONS)
def test_a_server_answers_as_its_lake_does(
    sample_client: tuple[Lake, Client], asked: Asked
) -> None:
    expected, found = (asked(each) for each in sample_client)

    assert expected.schema == found.schema
    assert type(expected) is type(found)
    assert expected.equals(found)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_the_same_error(
    sample_client: tuple[Lake, Client], mistake: Callable[[Lake | Client], object]
) -> None:
    told = []
    for each in sample_client:
        with pytest.raises((FiblakeError, TypeError)) as error:
            mistake(each)
        told.append(error)

    assert told[0].type is told[1].type
    if "symbol" not in str(told[0].value):
        assert str(told[0].value) == str(told[1].value)


def test_prices_are_the_last_closes_of_a_lake(sample_client: tuple[Lake, Client]) -> None:
    expected, found = (each.prices(["MSFT", "aapl"]).drop("age_seconds") for each in sample_client)

    assert expected.schema == found.schema
    assert expected.equals(found)
    assert [("AAPL", 430.47, "lake")] == found.select("symbol", "price", "source").rows()[:1]


def test_more_symbols_than_fit_into_one_request(lake: Lake, csv_file: Any) -> None:
    names = [f"S{number:04}" for number in range(602)]
    rows = [f"{name},2013-01-02,{1 + n},{900 + n},1,{2 + n},5" for n, name in enumerate(names)]
    lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
    # A listing of two symbols, each in another request: its bars are told once.
    tell(
        lake,
        ("L1", names[0], EPOCH, dt.date(2013, 1, 2)),
        ("L1", names[-1], dt.date(2013, 1, 3), None),
    )
    lake.resample()
    with serving(create_app(lake.reader)) as at, Client(f"http://{at}") as client:
        expected, priced = lake.bars(names), lake.prices(names[1:212])
        assert expected.equals(client.bars(names))
        assert priced.drop("age_seconds").equals(client.prices(names[1:212]).drop("age_seconds"))
        assert expected.equals(Bars(pa.concat_tables(client.pieces(names))))
    assert 1 == expected.filter(listing="L1").height


def test_minutes_come_as_they_are_in_the_lake(lake: Lake) -> None:
    day = dt.date(2024, 11, 27)
    commit(lake, *every_minute("AA", day, "08:00", "17:00"))
    lake.resample()
    with serving(create_app(lake.reader)) as at, Client(f"http://{at}") as client:
        for hours in ("regular", "extended"):
            expected = lake.bars("AA", "5m", session=hours)
            assert expected.schema == client.bars("AA", "5m", session=hours).schema
            assert expected.equals(client.bars("AA", "5m", session=hours))
        matrix = lake.matrix(["AA"], ["15m", "4h"])
        assert matrix.equals(client.matrix(["AA"], ["15m", "4h"]))


def test_pieces_are_the_bars_and_no_listing_is_in_two(
    sample_client: tuple[Lake, Client],
) -> None:
    lake, client = sample_client
    pieces = list(client.pieces(None, "1d"))
    listings = [name for piece in pieces for name in set(piece["listing"].to_pylist())]

    assert lake.bars(None).equals(Bars(pa.concat_tables(pieces)))
    assert sorted(listings) == sorted(set(listings))
    assert next(lake.pieces("AAPL")).schema.equals(pieces[0].schema, check_metadata=True)


def test_live_prices_and_bars_are_among_those_of_a_server(
    sample_lake: Lake, clock: SetClock
) -> None:
    view = MemoryView(clock)
    day = bar(interval="1d", session=SESSION, state="forming")
    view.put(bars_of(day), prices_of(price(price=11.0)))
    with serving(create_app(sample_lake.reader, view)) as at, Client(f"http://{at}") as client:
        told = client.prices(["AAPL", "IBM"])
        last = client.bars("AAPL", "1d").tail(1)

    assert ["live", "lake"] == told["source"].to_list()
    assert [("AAPL", 11.0, from_microseconds(OPEN + 1), SESSION, "live", "massive")] == (
        told.drop("age_seconds").rows()[:1]
    )
    assert [(SESSION, 11.0, "forming")] == last.select("start", "close", "state").rows()
