"""The engine makes of any stream what the law does, however it is cut, stopped and resumed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import schemas
from lake.event import Event, Kind
from lake.wire import SCHEMA
from speed_layer.engine import Engine
from tests.streams import cut, streams
from tests.trading import Oracle, Told, assert_told, frame, table

FATES = ("accepted", "duplicate", "stale", "late", "foreign")


def assert_counted(expected: Oracle, engine: Engine) -> None:
    assert expected.clock == engine.clock
    assert {fate: expected.counts[fate] for fate in FATES} == vars(engine.counts)


@pytest.mark.parametrize("kind", ["trade", "minute"])
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_bars_prices_and_what_is_late_are_the_laws(kind: Kind, data: st.DataObject) -> None:
    events = data.draw(streams(table(), kind=kind))
    engine, told, late = Engine(table(), kind=kind), Told(), []

    for batch in data.draw(cut(events)):
        changes = engine.apply(batch)
        told.put(changes.bars, changes.prices)
        late += changes.late.rows()

    expected = Oracle(table(), kind).take(events)
    assert_told(expected, told)
    assert frame(expected.late).rows() == late
    assert_counted(expected, engine)


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_what_is_told_after_each_batch_is_the_laws_then(data: st.DataObject) -> None:
    events = data.draw(streams(table(), most=30))
    engine, told, oracle = Engine(table()), Told(), Oracle(table())

    for event in events:
        changes = engine.apply(frame([event]))
        told.put(changes.bars, changes.prices)

        assert_told(oracle.take([event]), told)


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_each_version_is_told_once_and_higher_than_the_one_before(data: st.DataObject) -> None:
    engine = Engine(table())
    versions: dict[tuple[Any, ...], int] = {}

    for batch in data.draw(cut(data.draw(streams(table())))):
        for row in engine.apply(batch).bars.to_dicts():
            key = (row["symbol"], row["interval"], row["hours"], row["start"])
            assert versions.get(key, 0) < row["version"]
            versions[key] = row["version"]


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_the_order_of_what_is_not_late_does_not_matter(data: st.DataObject) -> None:
    events = data.draw(streams(table()))
    calm = dt.timedelta(days=7)
    # Of one revision of a thing there is one statement; and one that moves to another minute
    # leaves a trace in the version of the first.
    distinct = {(e.symbol, e.kind, e.time, e.sequence, e.revision): e for e in events}
    minutes = {(e.symbol, e.kind, e.time, e.sequence): e.minute for e in events}
    stated = [e for key, e in distinct.items() if minutes[key[:4]] == e.minute]
    mixed = data.draw(st.permutations(stated))

    told = [_told(Engine(table(), lateness=calm), order) for order in (stated, mixed)]

    assert told[0].bars == told[1].bars
    assert told[0].prices == told[1].prices


def _told(engine: Engine, events: list[Event]) -> Told:
    told = Told()
    changes = engine.apply(frame(events))
    told.put(changes.bars, changes.prices)
    return told


@pytest.mark.parametrize("kind", ["trade", "minute"])
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_an_engine_that_is_stopped_and_restored_goes_on_as_if_nothing_were(
    kind: Kind, data: st.DataObject
) -> None:
    batches = data.draw(cut(data.draw(streams(table(), kind=kind))))
    stop = data.draw(st.integers(0, len(batches)))
    whole, first = Engine(table(), kind=kind), Engine(table(), kind=kind)
    for batch in batches[:stop]:
        whole.apply(batch)
        first.apply(batch)

    resumed = Engine.restored(first.snapshot(), table(), kind=kind)

    for batch in batches[stop:]:
        expected, actual = whole.apply(batch), resumed.apply(batch)
        assert expected.bars.equals(actual.bars)
        assert expected.prices.equals(actual.prices)
        assert expected.late.equals(actual.late)
    assert whole.counts == resumed.counts
    assert whole.clock == resumed.clock


def test_changes_have_the_columns_of_their_schemas() -> None:
    for events in ([], [Event("trade", "AA", 0, minute=-1)]):
        changes = Engine(table()).apply(frame(events))

        assert schemas.LIVE_BARS.names == changes.bars.columns
        assert schemas.PRICES.names == changes.prices.columns
        assert SCHEMA == changes.late.schema
