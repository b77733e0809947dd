"""Made-up days as they are recorded, and the trades of real daily bars."""

from __future__ import annotations

import datetime as dt
import gzip

import polars as pl
import pytest

from batch_layer.generating.trading import record, trades_of
from fiblake import Lake
from lake import keys
from lake.errors import ConflictError
from lake.exchange import load_sessions
from lake.hours import hours_of
from lake.store import LocalStore
from lake.wire import decode_events
from tests.days import SESSION, small_day
from tests.unit.test_made_up_trades import NAMES, daily, in_force


def recorded(store: LocalStore) -> pl.DataFrame:
    found = sorted(store.fingerprints(keys.live_events("generated", SESSION)))
    lines = b"".join(gzip.decompress(store.get(key).data) for key in found).splitlines()
    events, bad = decode_events(lines)
    assert [] == bad
    return events


def test_a_day_is_recorded_in_the_order_of_its_receipt(store: LocalStore) -> None:
    day = small_day()
    day.record(store)

    assert day.tape.equals(recorded(store))


def test_a_day_that_is_recorded_again_stays_as_it_is(store: LocalStore) -> None:
    day = small_day()
    day.record(store)
    before = store.fingerprints("")
    day.record(store)

    assert before == store.fingerprints("")


def test_other_events_are_not_recorded_over_those_that_are_there(store: LocalStore) -> None:
    day = small_day()
    day.record(store)

    with pytest.raises(ConflictError, match="holds other events"):
        record(store, "generated", SESSION, day.tape.head(10))


def test_trades_of_the_sample_make_its_real_bars(sample_lake: Lake) -> None:
    table = load_sessions(sample_lake.store)
    bars = sample_lake.bars(None, "1d")
    sessions = [dt.date(2013, 3, 1), dt.date(2012, 11, 23), *bars["start"].unique().sort()[::400]]
    for session in sessions:
        day = bars.filter(start=session).select(NAMES).sort("symbol")
        hours = hours_of(session, table)
        trades = trades_of(session, pl.DataFrame(day), hours, source="sample")

        assert day.rows() == daily(in_force(trades), hours).rows()
        assert 1_000 * day.height == trades.height
