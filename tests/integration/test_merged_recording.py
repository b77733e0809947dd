"""What several sources told of a session, merged a part at a time: as if all of it was sorted."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import pytest

from batch_layer.generating.trading.recording import record
from lake.recorded import merged_recorded, recorded_by_all, recorded_keys
from lake.store import LocalStore, Stored
from tests.trading import frame, trade

DAY = dt.date(2012, 7, 2)


@pytest.mark.parametrize("seed", range(8))
def test_parts_are_in_the_order_in_which_all_were_received(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - nothing secret comes of it
    store = LocalStore(tmp_path)
    sources = ["a", "b", "c"][: chance.randint(1, 3)]
    for source in sources:
        # Many at once: within a source and among them.
        times = sorted(chance.choices(range(40), k=chance.randint(1, 60)))
        prices = (float(each + 1) for each in range(len(times)))
        told = [
            trade(DAY, "10:00:00", price, received=1000 + time, source=source)
            for time, price in zip(times, prices, strict=True)
        ]
        record(store, source, DAY, frame(told), each=chance.randint(1, 9))

    parts = list(merged_recorded(store, [recorded_keys(store, each, DAY) for each in sources]))

    rows = [row for part in parts for row in part.rows()]
    assert recorded_by_all(store, DAY).rows() == rows
    assert len(parts) > 1


def test_of_each_source_an_object_at_a_time_is_read(tmp_path: Path) -> None:
    read: list[str] = []

    class Watched(LocalStore):
        def get(self, key: str) -> Stored:
            read.append(key)
            return super().get(key)

    store = Watched(tmp_path)
    for source in ("a", "b"):
        events = [trade(DAY, "10:00:00", received=1000 + each) for each in range(90)]
        record(store, source, DAY, frame(events), each=10)
    read.clear()

    told = merged_recorded(store, [recorded_keys(store, each, DAY) for each in ("a", "b")])
    first = next(told)

    assert (18, 2) == (first.height, len(read))
    assert 180 == first.height + sum(part.height for part in told)
    assert 18 == len(read)
