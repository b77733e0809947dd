"""Replays in one process: of whatever kind the day was recorded, it has its bars."""

from __future__ import annotations

from typing import Final

import pytest

from batch_layer.generating.trading import record
from fiblake import Lake
from fiblake.live import fed_view
from lake.errors import FiblakeError
from lake.event import Event, Kind
from lake.interval import Interval
from tests.days import SESSION
from tests.feeding import eventually
from tests.minutes import at
from tests.trading import frame, micros

DAY: Final = Interval.parse("1d")


@pytest.mark.parametrize("kind", ["second", "minute"])
def test_a_day_of_aggregates_is_replayed_as_one(lake: Lake, kind: Kind) -> None:
    start = micros(at(SESSION, "10:00:00"))
    told = Event(
        kind, "AA", start, minute=start, price=10.0, size=100.0, open=9.0, high=11.0, low=8.0
    )
    record(lake.store, "generated", SESSION, frame([told]))
    failures: list[FiblakeError] = []

    with fed_view(lake, f"replay:{SESSION}@max", failures.append) as (view, told_of):
        assert eventually(lambda: not view.bars("AA", DAY).is_empty())
        (bar,) = view.bars("AA", DAY).iter_rows(named=True)
        assert 1 == told_of()["engine"]["accepted"] == told_of()["feed"]["counts"]["accepted"]

    assert [] == failures
    assert (9.0, 11.0, 8.0, 10.0, 100.0) == tuple(
        bar[name] for name in ("open", "high", "low", "close", "volume")
    )
