"""When symbols traded: runs of bars, apart by months; what has not changed is not read again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from batch_layer.bronze.traded import Run, read_runs
from fiblake import Lake
from lake import keys
from tests.frames import commit
from tests.integration.test_resample import plain_bars

DAYS = [dt.date(2019, 12, 30), dt.date(2020, 1, 2), dt.date(2020, 6, 1), dt.date(2020, 6, 2)]


def test_runs_go_across_years_and_end_before_months_without_bars(lake: Lake) -> None:
    commit(lake, plain_bars("AA", DAYS))
    commit(lake, plain_bars("BB", DAYS[:1]))

    assert {
        "AA": [Run(DAYS[0], DAYS[1]), Run(DAYS[2], DAYS[3])],
        "BB": [Run(DAYS[0], DAYS[0])],
    } == read_runs(lake.store)


def test_a_lake_without_bars_has_none(lake: Lake) -> None:
    assert {} == read_runs(lake.store)


def test_years_that_have_not_changed_are_not_read_again(lake: Lake) -> None:
    commit(lake, plain_bars("AA", DAYS))
    expected = read_runs(lake.store)
    path = Path(lake.store.location) / keys.RUNS_INDEX
    written = path.stat().st_mtime_ns

    assert expected == read_runs(lake.store)
    assert written == path.stat().st_mtime_ns
    commit(lake, plain_bars("BB", DAYS[2:3]))
    assert ["AA", "BB"] == list(read_runs(lake.store))
    path.write_bytes(b"damaged")
    assert ["AA", "BB"] == list(read_runs(lake.store))
