"""Late statements: what they change is put right once it is final, and not before it is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import replace
from typing import Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import DamagedObjectError
from lake.event import Event
from lake.exchange import compute_sessions
from speed_layer.corrections import Corrections, late_among
from speed_layer.engine import Engine
from tests.minutes import at
from tests.streams import moving, streams
from tests.trading import (
    LATENESS,
    MINUTE_US,
    Oracle,
    Told,
    assert_told,
    frame,
    identity,
    micros,
    trade,
)

TABLE: Final = compute_sessions(dt.date(2025, 12, 31))
SESSION: Final = dt.date(2025, 11, 26)
BEFORE: Final = dt.date(2025, 11, 25)
FIRST: Final = trade(SESSION, "10:00:30", 10.0, 100)
LATE: Final = trade(SESSION, "10:00:40", 12.0, 50, sequence=7)
OTHER: Final = trade(SESSION, "10:00:50", 20.0, 10, symbol="BB")
EVERY: Final = ("1m", "5m", "15m", "1h", "2h", "4h", "1d")


class Record:
    """What is recorded, and what a view is told of it."""

    def __init__(self, *events: Event) -> None:
        self.events = list(events)
        self.asked = 0
        self.told = Told()
        self.corrections = Corrections(
            TABLE, self.recorded, self.told.put, kind="trade", lateness=LATENESS
        )

    def recorded(self, session: dt.date, symbols: Collection[str]) -> pl.DataFrame:
        if session == BEFORE:
            fact = "It is damaged."
            raise DamagedObjectError(fact)
        self.asked += 1
        return frame([each for each in self.events if each.symbol in symbols])

    def apply(self, time: str) -> None:
        self.corrections.apply(micros(at(SESSION, time)))

    @property
    def intervals(self) -> set[tuple[str, str]]:
        return {(symbol, interval) for symbol, interval, *_ in self.told.bars}

    @property
    def volumes(self) -> set[float]:
        return {bar["volume"] for bar in self.told.bars.values()}


def test_only_what_is_final_is_put_and_only_of_symbols_that_were_named() -> None:
    record = Record(FIRST, OTHER, LATE)
    record.corrections.note(frame([LATE]))

    record.apply("10:20:00")
    assert {("AA", "1m"), ("AA", "5m")} == record.intervals
    assert ({150.0}, {}) == (record.volumes, record.told.prices)

    record.apply("20:15:00")
    assert {("AA", interval) for interval in EVERY} == record.intervals
    assert {"AA": 12.0} == {name: row["price"] for name, row in record.told.prices.items()}


def test_a_session_is_done_with_once_it_is_over() -> None:
    record = Record(FIRST, LATE)
    record.corrections.note(frame([LATE]))
    for time in ("20:14:59", "20:15:00", "20:15:01", "20:15:02"):
        record.apply(time)

    assert 3 == record.asked


def test_nothing_is_read_until_a_bar_is_final_or_something_late_came_since() -> None:
    record = Record(FIRST, OTHER, LATE)
    record.corrections.note(frame([LATE]))
    # What is read is read once more the next time: at 10:30 that of a quarter of an hour is final.
    for time, asked in (("10:20", 1), ("10:21", 2), ("10:29", 2), ("10:30", 3), ("10:31", 4)):
        record.apply(f"{time}:00")
        assert (time, asked) == (time, record.asked)

    record.apply("10:32:00")
    record.corrections.note(frame([OTHER]))
    record.apply("10:33:00")
    assert 5 == record.asked
    assert {("BB", "1m"), ("BB", "5m"), ("BB", "15m")} < record.intervals


def test_what_was_on_its_way_into_the_lake_is_applied_the_next_time() -> None:
    record = Record(LATE)
    record.corrections.note(frame([LATE]))
    record.apply("20:16:00")
    record.events.append(FIRST)
    record.apply("20:17:00")

    assert {150.0} == record.volumes


def test_a_late_statement_is_waited_for_until_it_is_recorded() -> None:
    record = Record(FIRST)
    record.corrections.note(frame([LATE]))
    record.apply("20:16:00")
    assert {100.0} == record.volumes

    record.events.append(LATE)
    record.apply("20:17:00")
    assert {150.0} == record.volumes
    for time in ("20:18:00", "20:19:00"):
        record.apply(time)
    assert 3 == record.asked


def test_a_lower_revision_is_not_what_is_waited_for() -> None:
    record = Record(FIRST, LATE)
    record.corrections.note(frame([replace(LATE, revision=1, price=13.0)]))
    for time in ("20:16:00", "20:17:00", "20:18:00", "20:19:00"):
        record.apply(time)
    assert 4 == record.asked

    record.events.append(replace(LATE, revision=1, price=13.0))
    for time in ("20:20:00", "20:21:00", "20:22:00"):
        record.apply(time)
    assert 6 == record.asked


def test_a_session_that_cannot_be_read_keeps_no_other_from_being_put_right() -> None:
    record = Record(FIRST, LATE)
    record.corrections.note(frame([trade(BEFORE, "10:00:00"), LATE]))

    with pytest.raises(DamagedObjectError):
        record.apply("20:16:00")
    assert {("AA", interval) for interval in EVERY} == record.intervals


def test_evening_trades_are_of_the_session_of_their_exchange() -> None:
    evening = trade(SESSION, "19:30:00", 10.0)  # 00:30 of the next day, UTC
    record = Record(evening)
    record.corrections.note(frame([evening]))
    record.apply("20:16:00")

    assert {SESSION} == {session for _, _, session, *_ in record.told.bars}


def test_the_last_session_is_corrected_again_for_a_view_that_lost_it() -> None:
    record = Record(FIRST, LATE)
    record.corrections.note(frame([LATE]))
    record.apply("20:16:00")
    record.apply("20:17:00")
    expected = record.told.bars
    record.told.forget()
    record.apply("20:18:00")
    assert {} == record.told.bars

    record.corrections.redo()
    record.apply("20:19:00")
    assert expected == record.told.bars


@settings(max_examples=40)
@given(data=st.data())
def test_what_is_late_among_a_recording_is_what_an_engine_finds_late(data: st.DataObject) -> None:
    events = _drawn(data)
    plain = [each for each in events if not each.revision and _is_of_its_own_minute(each)]

    for some, is_all in ((plain, True), (events, False)):
        found = Engine(TABLE).apply(frame(some)).late.rows()
        among = late_among(frame(some), LATENESS).rows()
        assert found == [row for row in among if is_all or row in found]


@settings(max_examples=40)
@given(data=st.data())
def test_once_late_statements_are_applied_bars_are_as_if_none_had_been_late(
    data: st.DataObject,
) -> None:
    events = _drawn(data)
    tape, told, engine = frame(events), Told(), Engine(TABLE)
    corrections = Corrections(TABLE, lambda *_: tape, told.put, kind="trade", lateness=LATENESS)
    end = Event("heartbeat", "", micros(at(dt.date(2025, 1, 2), "12:00")))
    for part in (tape, frame([end])):
        changes = engine.apply(part)
        told.put(changes.bars, changes.prices)
        corrections.note(changes.late)
    corrections.apply(engine.clock)

    patient = Oracle(TABLE, lateness=dt.timedelta(days=999)).take([*events, end])
    patient.lateness = LATENESS
    assert_told(patient, told)


def _drawn(data: st.DataObject) -> list[Event]:
    """Return heartbeats and trades; of one revision of a trade there is one statement."""
    events = data.draw(st.one_of(streams(TABLE), moving(TABLE).flatmap(st.permutations)))
    stated = {(*identity(event), event.revision): event for event in events}
    return [each for each in stated.values() if each.kind != "second"]


def _is_of_its_own_minute(event: Event) -> bool:
    return event.kind == "heartbeat" or event.minute == event.time - event.time % MINUTE_US
