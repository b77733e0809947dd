"""What each statement of the flow brings into its minute."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lake import schemas
from lake.bar import NEUTRAL, Contribution
from lake.event import EVERYTHING, HIGH_LOW, OPEN_CLOSE, VOLUME, Event, contribution

TRADE = Event(kind="trade", symbol="AAPL", time=0, price=10.0, size=100.0)
MINUTE = Event(
    kind="minute",
    symbol="AAPL",
    time=0,
    price=11.0,
    size=100.0,
    open=9.0,
    high=12.0,
    low=8.0,
    vwap=10.0,
    trades=3,
)


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        (EVERYTHING, Contribution(10, 10, 10, 10, 100, 1000, 1)),
        (VOLUME, Contribution(volume=100, notional=1000, trades=1)),
        (OPEN_CLOSE, Contribution(open=10, close=10)),
        (HIGH_LOW | VOLUME, Contribution(None, 10, 10, None, 100, 1000, 1)),
        (0, NEUTRAL),
    ],
)
def test_a_trade_brings_what_it_may_move(moves: int, expected: Contribution) -> None:
    assert expected == contribution(replace(TRADE, moves=moves))


def test_an_aggregate_brings_what_it_tells() -> None:
    assert Contribution(9, 12, 8, 11, 100, 1000, 3) == contribution(MINUTE)


def test_an_aggregate_without_vwap_leaves_it_unknown() -> None:
    assert contribution(replace(MINUTE, vwap=None)).notional is None


def test_an_aggregate_without_volume_keeps_the_vwap_known() -> None:
    quiet = contribution(replace(MINUTE, vwap=None, trades=None, size=0.0))

    assert (0.0, 0) == (quiet.notional, quiet.trades)


@pytest.mark.parametrize("event", [replace(TRADE, cancelled=True), Event("heartbeat", "", 0)])
def test_what_was_cancelled_and_a_heartbeat_bring_nothing(event: Event) -> None:
    assert NEUTRAL == contribution(event)


def test_an_event_has_the_columns_of_its_schema() -> None:
    assert set(schemas.EVENTS.names) == set(Event.__dataclass_fields__)
