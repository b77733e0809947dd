"""A messy day through engine and batch: what differs was late, and agrees once it is corrected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from batch_layer.reconciling import Reconciled, reconcile
from batch_layer.trades import build_trades
from fiblake import Lake
from lake import keys
from lake.live import BARS_SCHEMA
from lake.parquet import encode_frame
from lake.schemas import LIVE_BARS
from speed_layer.engine import Engine
from tests.days import SESSION, Day, calendar, made_day
from tests.integration.test_trades import SETTLING
from tests.minutes import at
from tests.recomputing import recompute
from tests.trading import Told, frame, heartbeat, micros


@dataclass
class Followed:
    """What followed the engine, and what came too late for it."""

    told: Told = field(default_factory=Told)
    late: list[pl.DataFrame] = field(default_factory=list)


def through_the_engine(day: Day) -> Followed:
    found, engine = Followed(), Engine(calendar())
    end = frame([heartbeat(SESSION, "20:16:00")])
    parts = [day.tape.slice(first, 500) for first in range(0, day.tape.height, 500)]
    for part in [*parts, end]:
        changes = engine.apply(part)
        found.told.put(changes.bars, changes.prices)
        found.late.append(changes.late)
    return found


def reconciled(lake: Lake, told: Told) -> Reconciled:
    rows: list[Any] = list(told.bars.values())
    bars = pl.DataFrame(rows, schema=BARS_SCHEMA)
    lake.store.put(keys.live_bars(SESSION), encode_frame(bars, LIVE_BARS))
    (session,) = reconcile(lake.store).sessions
    return session


def test_once_late_statements_are_applied_engine_and_batch_agree_in_every_bar(lake: Lake) -> None:
    day = made_day(8, 1_000)
    day.record(lake.store)
    build_trades(lake.store, lake.clock, SETTLING)
    lake.resample()
    followed = through_the_engine(day)
    late = pl.concat(followed.late)
    before = reconciled(lake, followed.told)

    assert late.height > 0
    assert {"late", "missing"} >= set(before.differences) > set()
    assert before.agreed > before.batch * 9 // 10

    clock = micros(at(SESSION, "20:16"))
    symbols = late["symbol"].unique().to_list()
    followed.told.put(*recompute(lake.store, SESSION, symbols, clock=clock))
    after = reconciled(lake, followed.told)
    _, prices = recompute(lake.store, SESSION, clock=clock)

    assert {} == after.differences
    assert (after.batch, after.batch, 0) == (after.speed, after.agreed, after.forming)
    assert {row["symbol"]: row for row in prices.to_dicts()} == followed.told.prices
