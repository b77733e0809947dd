"""Events as lines of JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.event import Event
from lake.wire import SCHEMA, decode_events, encode_events, events_of

TRADE = Event(
    kind="trade",
    symbol="BRK.B",
    time=1_700_000_000_000_001,
    sequence=7,
    price=0.1,
    size=0.25,
    conditions=(14, 37),
    source="massive",
)
MINUTE = Event(kind="minute", symbol="A", time=0, open=1.0, high=2.0, low=0.5, price=1.5, trades=3)


def frame(*events: Event) -> pl.DataFrame:
    return events_of(asdict(event) for event in events)


@pytest.mark.parametrize("events", [(), (TRADE,), (TRADE, MINUTE), (Event("heartbeat", "", 5),)])
def test_events_come_back_as_they_were(events: tuple[Event, ...]) -> None:
    there_and_back, poison = decode_events(encode_events(frame(*events)))

    assert_frame_equal(frame(*events), there_and_back)
    assert [] == poison


def test_a_trade_s_line_leaves_out_what_aggregates_have() -> None:
    (line,) = encode_events(frame(TRADE))

    assert b"vwap" not in line


@pytest.mark.parametrize(
    "bad", [b"", b"{", b"[]", b"null", b'"x"', b'{"symbol":"A"}', b'{"time":"soon"}', b"\xff\xfe"]
)
def test_a_line_that_is_no_event_is_told_and_the_others_are_kept(bad: bytes) -> None:
    good = encode_events(frame(TRADE, MINUTE))
    events, poison = decode_events([good[0], bad, good[1]])

    assert (["BRK.B", "A"], [bad]) == (events["symbol"].to_list(), poison)
    assert SCHEMA == events.schema


def test_a_line_among_thousands_tells_what_it_does_alone() -> None:
    events = frame(*[TRADE, MINUTE, Event("heartbeat", "", 5)] * 500)
    few = [line for some in events.iter_slices(3) for line in encode_events(some)]

    assert [json.loads(line) for line in few] == [
        json.loads(line) for line in encode_events(events)
    ]


@pytest.mark.parametrize("price", [math.nan, math.inf])
def test_what_has_no_price_has_a_line_all_the_same(price: float) -> None:
    (line,) = encode_events(frame(replace(TRADE, price=price)))

    assert json.loads(line)["price"] is None
