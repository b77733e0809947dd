"""Bars that the engine holds back, as it is told to, and tells with the next ones."""

from __future__ import annotations

import datetime as dt

import polars as pl
from polars.testing import assert_frame_equal

from speed_layer.engine import Engine
from tests.trading import frame, table, trade

DAY = dt.date(2024, 3, 8)
SUMMER = dt.date(2024, 3, 11)


def test_bars_that_are_held_back_are_told_with_the_next_ones() -> None:
    engine = Engine(table())
    held = [
        engine.apply(frame([trade(DAY, time, sequence=number)]), most_bars=0)
        for number, time in enumerate(("09:30:10", "09:31:10", "09:31:20"))
    ]
    told = engine.apply(frame([trade(DAY, "09:32:10", symbol="B")]))

    assert [(0, 1)] * 3 == [(len(changes.bars), len(changes.prices)) for changes in held]
    assert_frame_equal(_sorted(engine.everything().bars), _sorted(told.bars))
    assert 0 == len(engine.apply(frame([])).bars)


def test_bars_are_told_in_the_order_in_which_they_changed_however_often_they_do() -> None:
    engine = Engine(table())
    told = []
    for number in range(8):
        again = [trade(DAY, "09:30:10", symbol=name, sequence=number) for name in "ABC"]
        bars = engine.apply(frame(again), most_bars=5).bars
        told += list(zip(bars["symbol"], bars["interval"], strict=True))
        assert 5 == len(bars)

    assert 21 == len(set(told[:21]))
    assert told[:19] == told[21:]


def test_bars_that_are_held_back_over_the_end_of_their_session_are_told() -> None:
    engine = Engine(table())
    engine.apply(frame([trade(DAY, "19:59")]), most_bars=0)
    engine.apply(frame([trade(SUMMER, "09:30")]), most_bars=0)
    told = engine.apply(frame([]))

    assert {DAY: {"final"}, SUMMER: {"forming"}} == {
        session: set(bars["state"]) for (session,), bars in told.bars.group_by("session")
    }


def test_what_is_held_back_is_among_everything_of_a_snapshot() -> None:
    engine = Engine(table())
    engine.apply(frame([trade(DAY, "09:30:10")]), most_bars=0)
    restored = Engine.restored(engine.snapshot(), table())

    assert_frame_equal(engine.apply(frame([])).bars, restored.everything().bars)


def _sorted(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.sort("symbol", "interval", "start")
