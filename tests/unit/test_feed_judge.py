"""Which events of a source go on."""

from __future__ import annotations

import math

import pytest

from lake.event import EVERYTHING, VOLUME, Event
from tests.feeding import OPEN_US, frame, judge, trade

SECOND_US = 1_000_000
AGGREGATE = {"kind": "minute", "symbol": "AAPL", "time": OPEN_US, "received": OPEN_US, "size": 1.0}


def test_a_trade_goes_on_with_its_minute_and_what_it_may_move() -> None:
    accepted, refused = judge().judge(frame(trade("AAPL", 1, conditions=(37,))))

    assert [(OPEN_US, VOLUME)] == accepted.select("minute", "moves").rows()
    assert refused.is_empty()


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        ("symbol", trade("", 1)),
        ("symbol", trade("?AaBb", 1)),
        ("price", trade("A", 1, price=math.nan)),
        ("price", trade("A", 1, price=math.inf)),
        ("price", trade("A", 1, price=-1.0)),
        ("price", trade("A", 1, price=0.0)),
        ("price", Event(**AGGREGATE, price=1.0, open=1.0, high=math.nan, low=1.0)),  # type: ignore[arg-type] # as told
        ("size", trade("A", 1, size=-1.0)),
        ("size", trade("A", 1, size=math.nan)),
        ("ahead", trade("A", 1, received=OPEN_US - 61 * SECOND_US)),
        ("outside", trade("A", 1, time=OPEN_US - 6 * 3600 * SECOND_US)),
        ("outside", trade("A", 1, time=0, received=OPEN_US)),
    ],
)
def test_what_cannot_be_is_refused_and_why_and_the_others_go_on(reason: str, event: Event) -> None:
    good = [trade("A", 2), trade("B", 3)]
    accepted, refused = judge().judge(frame(good[0], event, good[1]))

    assert [2, 3] == accepted["sequence"].to_list()
    assert [reason] == refused["reason"].to_list()
    assert [event.symbol] == refused["symbol"].to_list()


def test_clocks_may_differ_by_as_much_as_is_set() -> None:
    ahead = frame(trade("A", 1, received=OPEN_US - 59 * SECOND_US))

    assert (1, 0) == (judge(60).judge(ahead)[0].height, judge(30).judge(ahead)[0].height)


def test_an_aggregate_goes_on() -> None:
    told = Event(**AGGREGATE, price=1.5, open=1.0, high=2.0, low=1.0, vwap=1.2)  # type: ignore[arg-type] # as told
    accepted, _ = judge().judge(frame(told))

    assert [(OPEN_US, EVERYTHING)] == accepted.select("minute", "moves").rows()
