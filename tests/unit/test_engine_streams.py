"""The engine makes of any stream what the law does, however it is cut, stopped and resumed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import schemas
from lake.event import Event, Kind
from lake.hours import hours_of
from lake.live_bars import bars_of, in_force, minutes_of, prices_of, within
from lake.wire import SCHEMA
from speed_layer.engine import Engine
from tests.streams import DAYS, cut, moving, streams
from tests.trading import Oracle, Told, assert_told, frame, identity, table

CALM = dt.timedelta(days=7)
FATES = ("accepted", "duplicate", "stale", "late", "foreign")


def assert_counted(expected: Oracle, engine: Engine) -> None:
    assert expected.clock == engine.clock
    assert {fate: expected.counts[fate] for fate in FATES} == vars(engine.counts)


@pytest.mark.parametrize("kind", ["trade", "minute"])
@settings(max_examples=25)
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


@settings(max_examples=25)
@given(data=st.data())
def test_what_is_told_after_each_batch_is_the_laws_then(data: st.DataObject) -> None:
    events = data.draw(streams(table(), most=30))
    engine, told, oracle = Engine(table()), Told(), Oracle(table())

    for event in events:
        changes = engine.apply(frame([event]))
        told.put(changes.bars, changes.prices)

        assert_told(oracle.take([event]), told)


@settings(max_examples=25)
@given(data=st.data())
def test_each_version_is_told_once_and_higher_than_the_one_before(data: st.DataObject) -> None:
    engine = Engine(table())
    versions: dict[tuple[Any, ...], int] = {}

    for batch in data.draw(cut(data.draw(streams(table())))):
        for row in engine.apply(batch).bars.to_dicts():
            key = (row["symbol"], row["interval"], row["hours"], row["start"])
            assert versions.get(key, 0) < row["version"]
            versions[key] = row["version"]


@settings(max_examples=25)
@given(data=st.data())
def test_neither_order_nor_duplicates_of_what_is_not_late_matter(data: st.DataObject) -> None:
    events = data.draw(st.one_of(streams(table()), moving(table())))
    # Of one revision of a thing there is one statement.
    stated = list({(*identity(e), e.revision): e for e in events}.values())
    again = data.draw(st.lists(st.sampled_from(stated), max_size=9))
    mixed = data.draw(st.permutations([*stated, *again]))
    law = Oracle(table(), lateness=CALM).take(stated)

    for order in (stated, mixed):
        engine, told = Engine(table(), lateness=CALM), Told()
        for batch in data.draw(cut(order)):
            changes = engine.apply(batch)
            told.put(changes.bars, changes.prices)
        assert_told(law, told)
        assert_told(law, _at_once(order))


def _at_once(events: list[Event]) -> Told:
    """Return what recorded events make, recomputed."""
    told = Told()
    for day in DAYS:
        hours = hours_of(day, table())
        statements = in_force(within(frame(events), hours))
        bars = bars_of(minutes_of(statements), hours, over=0)
        told.put(bars, prices_of(statements, day))
    return told


@pytest.mark.parametrize("kind", ["trade", "minute"])
@settings(max_examples=25)
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
