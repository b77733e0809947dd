"""What is done beside `fiblake flink publish`: what came late is put right, and stays so."""

from __future__ import annotations

import datetime as dt
from typing import Final

from batch_layer.generating.trading import record
from fiblake import Lake
from fiblake.flink import _chores
from lake import keys
from lake.documents import encode_document
from lake.interval import Interval
from speed_layer.publisher import Health
from speed_layer.set_aside import SetAside
from speed_layer.views.memory import MemoryView
from tests.trading import frame, trade

SESSION: Final = dt.date(2026, 1, 2)
FIRST: Final = trade(SESSION, "10:00:30", 10.0, 100)
LATE: Final = trade(SESSION, "10:00:40", 12.0, 50, sequence=7)
MINUTE: Final = Interval.parse("1m")


def with_late_ones(lake: Lake) -> Lake:
    record(lake.store, "generated", SESSION, frame([FIRST, LATE]))
    aside = SetAside(lake.store, "bars")
    aside.late(frame([LATE]))
    aside.land()
    return lake


def volumes(view: MemoryView) -> list[float]:
    return view.bars("AA", MINUTE)["volume"].to_list()


def lose(view: MemoryView) -> None:
    view.forget(daily=SESSION, minute=SESSION)


def test_a_view_that_is_filled_anew_is_corrected_again(lake: Lake) -> None:
    view, health = MemoryView(), Health()
    correct, _ = _chores(with_late_ones(lake), view, health)
    for _ in range(2):  # once more: what was on its way into the lake
        correct.do()
        assert [150.0] == volumes(view)

    lose(view)
    correct.do()
    assert [] == volumes(view)  # it was done with

    health.counts["refreshes"] += 1
    correct.do()
    assert [150.0] == volumes(view)


def test_of_what_batch_has_covered_nothing_is_put_back(lake: Lake) -> None:
    view = MemoryView()
    document = {"daily": str(SESSION), "minute": str(SESSION)}
    with_late_ones(lake).store.put(keys.BOUNDARY, encode_document(document))
    correct, _ = _chores(lake, view, Health())
    correct.do()

    assert [] == volumes(view)
