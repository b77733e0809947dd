"""What an engine tells, as lines of JSON."""

from __future__ import annotations

import datetime as dt
import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.live import BARS_SCHEMA, PRICES_SCHEMA
from lake.live_wire import Poison, Told, decode_told, encode_told
from tests.events import OPEN_US, trades

DAY = dt.date(2026, 1, 5)
BAR = {
    "symbol": "BRK.B",
    "interval": "5m",
    "session": DAY,
    "hours": "regular",
    "start": OPEN_US,
    "open": 0.1,
    "high": 0.3,
    "low": 0.1,
    "close": 0.2,
    "volume": 12.5,
    "vwap": None,
    "trades": 3,
    "minutes": 2,
    "state": "forming",
    "version": 6,
}
PRICE = {
    "symbol": "BRK.B",
    "session": DAY,
    "price": 0.2,
    "time": OPEN_US + 1,
    "received": OPEN_US + 2,
    "source": "test",
    "version": 3,
}


def bars(*changes: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([BAR | change for change in changes], schema=BARS_SCHEMA)


def prices(*changes: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([PRICE | change for change in changes], schema=PRICES_SCHEMA)


def line(**changes: object) -> bytes:
    told = {"row": "bar", **BAR, "session": "2026-01-05", **changes}
    return json.dumps({name: value for name, value in told.items() if value != ""}).encode()


@pytest.mark.parametrize(
    "told",
    [
        Told(),
        Told(bars=bars({}, {"vwap": 1.5, "state": "final"})),
        Told(bars=bars({"open": None, "high": None, "low": None, "close": None})),
        Told(prices=prices({}, {"symbol": "A", "price": None})),
        Told(late=trades(["A", "B"])),
        Told(bars({}), prices({}), trades(["A"]), [Poison(b"{", "not a line of JSON")]),
    ],
)
def test_what_was_told_comes_back_as_it_was(told: Told) -> None:
    found = decode_told(encode_told(told))

    assert_frame_equal(told.bars, found.bars)
    assert_frame_equal(told.prices, found.prices)
    assert_frame_equal(told.late, found.late)
    assert told.poison == found.poison


def test_a_line_says_which_row_it_is() -> None:
    told = Told(bars({}), prices({}), trades(["A"]), [Poison(b"x", "y")])
    lines = [json.loads(each) for each in encode_told(told)]

    assert ["bar", "price", "late", "poison"] == [each["row"] for each in lines]
    assert "2026-01-05" == lines[0]["session"]
    assert OPEN_US == lines[0]["start"]
    assert "vwap" not in lines[0]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "not a line of JSON"),
        (b"{", "error parsing line"),
        (b"[]", "JSON object"),
        (b"\xff", "Utf8"),
        (b"{}", "its row is unknown"),
        (line(row="tick"), "its row is unknown"),
        (line(symbol=None), "a bar without its symbol"),
        (line(symbol=" ").replace(b'" "', b'""'), "a bar without a symbol"),
        (line(interval="7m"), "a bar whose interval is unknown"),
        (line(hours="lunch"), "a bar whose hours is unknown"),
        (line(state="open"), "a bar whose state is unknown"),
        (line(session="2026-13-01"), "a bar without its session"),
        (line(version=None), "a bar without its version"),
        (line(version=2**53), "a bar whose version cannot be"),
        (line(start=-1), "a bar whose start cannot be"),
        (line(volume="many"), "cannot parse"),
        (b'{"row":"price"}', "a price without its symbol"),
        (b'{"row":"late","symbol":"A"}', "a late without its kind"),
        (line() + b"\n" + line(), "not a line of JSON"),
    ],
)
def test_a_line_that_makes_no_sense_is_told_with_its_reason(bad: bytes, reason: str) -> None:
    told = decode_told([line(symbol="A"), bad, line(symbol="B")])

    assert ["A", "B"] == told.bars["symbol"].to_list()
    assert [bad] == [each.line for each in told.poison]
    assert reason in told.poison[0].reason


def test_many_bad_lines_among_good_ones_keep_their_order() -> None:
    lines = [line(start=at) if at % 7 else b"bad %d" % at for at in range(100)]
    told = decode_told(lines)

    assert [at for at in range(100) if at % 7] == told.bars["start"].to_list()
    assert [b"bad %d" % at for at in range(0, 100, 7)] == [each.line for each in told.poison]


def test_where_no_row_is_named_the_kind_tells() -> None:
    events = Told(late=trades(["A"]))
    late = encode_told(events)[0].replace(b'"row":"late",', b"")
    told = decode_told([line(row="", kind="bar"), late])

    assert ["BRK.B"] == told.bars["symbol"].to_list()
    assert_frame_equal(events.late, told.late)
