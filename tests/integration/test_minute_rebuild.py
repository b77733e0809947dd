"""Minutes of bronze made anew from landing: what fetching made, revisions and instants and all."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer.bronze import ledger, minute
from batch_layer.local_vendor import LocalVendor
from batch_layer.local_vendor.restatement import Restatement
from fiblake import Lake
from lake import keys
from tests.fetching import EVENING, Fetching
from tests.minutes import at, bar, commit

START = dt.date(2013, 1, 14)
END = dt.date(2013, 1, 16)
DAY = dt.date(2013, 1, 15)


def state(lake: Lake) -> tuple[Any, ...]:
    """Return all that bronze and the ledger tell of minutes."""
    sessions = keys.by_session(lake.store.fingerprints(keys.MINUTE))
    rows = {session: minute.read(lake.store, session)[0].rows() for session in sessions}
    return rows, ledger.read(lake.store, "minute")


def rich(fetching: Fetching, vendor: LocalVendor) -> Lake:
    """A lake whose minutes came from two sources, and were restated."""
    lake = fetching(dt.datetime(2013, 1, 16, 22, tzinfo=dt.UTC))
    lake.fetch_minutes(start=START, end=END)
    names = minute.read(lake.store, DAY)[0]["symbol"].unique().sort()
    first, second, gone = names[0], names[1], names[-1]
    later = fetching(EVENING)
    later.fetch_minutes([first, second], start=START, end=END)
    vendor.restate(
        DAY,
        Restatement(corrected={first: {"volume": 1e6}, second: {"low": -1.0}}, withdrawn=[gone]),
    )
    later.fetch_minutes(start=START, end=END)
    last = fetching(EVENING + dt.timedelta(days=1))
    report = last.fetch_minutes([first, second], start=START, end=END, again=True)
    assert report.rejected > 0
    return last


@pytest.mark.parametrize("prefixes", [("bronze/",), ("bronze/", "meta/bronze", "rejects/"), ()])
def test_bronze_is_what_fetching_made_of_it(
    fetching: Fetching, vendor: LocalVendor, prefixes: tuple[str, ...]
) -> None:
    lake = rich(fetching, vendor)
    before, rejects = state(lake), set(lake.store.fingerprints(keys.REJECTS))
    vendor.forget()
    for prefix in prefixes:
        for key in lake.store.fingerprints(prefix):
            (Path(lake.store.location) / key).unlink()
    report = fetching(EVENING + dt.timedelta(days=30)).rebuild_bronze()
    made = report.minutes

    assert before == state(lake)
    assert rejects == set(lake.store.fingerprints(keys.REJECTS))
    assert [] == vendor.requests
    assert (3, 0, 0, 0) == (made.sessions, made.changed, made.dropped, made.kept)
    bars = sum(map(len, before[0].values()))
    assert (bars, 0) == (
        (made.restored, made.unchanged) if prefixes else (made.unchanged, made.restored)
    )
    assert 3 == lake.fetch_minutes(start=START, end=END).already_there


def test_what_came_another_way_is_left_as_it_is_and_what_is_spoilt_is_not(
    fetching: Fetching,
) -> None:
    lake = fetching()
    lake.fetch_minutes(start=DAY, end=DAY)
    before = state(lake)[0][DAY]
    commit(lake, bar("MINE", at(DAY, "10:00")))
    with_mine = state(lake)[0][DAY]
    key = keys.minute(DAY)
    bars = pl.read_parquet(lake.store.uri(key))
    ours = pl.col("symbol") != "MINE"
    spoilt = bars.with_columns(pl.when(ours).then(pl.col("close") * 2).otherwise("close"))
    spoilt.write_parquet(Path(lake.store.location) / key)
    made = lake.rebuild_bronze().minutes

    assert with_mine == state(lake)[0][DAY]
    assert (len(before), 1, 0) == (made.changed, made.kept, made.dropped)
