"""All that the engine knows can be told anew to a view that lost it."""

from __future__ import annotations

import datetime as dt

import pytest

from lake.exchange import compute_sessions
from lake.session import SessionTable
from speed_layer.engine import Engine
from tests.trading import Oracle, Told, assert_told, frame, trade

SESSION = dt.date(2025, 11, 26)


@pytest.fixture(scope="module")
def table() -> SessionTable:
    return compute_sessions(dt.date(2025, 12, 31))


def test_everything_is_what_was_told_so_far(table: SessionTable) -> None:
    first = trade(SESSION, "09:30:01", 10.0)
    second = trade(SESSION, "09:31:01", 11.0, symbol="BB", sequence=1)
    gone = trade(SESSION, "09:32:01", 12.0, symbol="CC", sequence=2)
    cancel = trade(SESSION, "09:32:01", 12.0, symbol="CC", sequence=2, revision=1, cancelled=True)
    events = [first, second, gone, cancel]
    engine, told = Engine(table), Told()
    engine.apply(frame(events))

    everything = engine.everything()
    told.put(everything.bars, everything.prices)

    assert_told(Oracle(table).take(events), told)


def test_an_engine_that_knows_nothing_tells_nothing(table: SessionTable) -> None:
    everything = Engine(table).everything()

    assert (0, 0, 0) == (
        everything.bars.height,
        everything.prices.height,
        everything.late.height,
    )
