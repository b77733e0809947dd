"""The recorder and the replay: what the feed takes is in the lake, and can be told again."""

from __future__ import annotations

import datetime as dt
import gzip
import math
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake import keys
from lake.coverage import Span
from lake.errors import BusyError, NotFoundError
from lake.recorded import coverage_of, only_source
from lake.store import LocalStore
from lake.wire import encode_events
from speed_layer.feed import Limits, Recorder, Replay, recorded_sources
from speed_layer.feed.source import Source
from tests.feeding import DAY, OPEN_US, a_day, frame, hours, trade
from tests.pacing import Time

EVENTS = a_day(1000).with_columns(minute=pl.col("time") // 60_000_000 * 60_000_000)


def recorder(store: LocalStore, tmp_path: Path, **limits: float) -> Recorder:
    return Recorder(store, "massive", tmp_path / "spool", hours(), Limits(**limits))  # type: ignore[arg-type] # of their kind


def left_behind(tmp_path: Path, events: pl.DataFrame, torn: bytes = b"") -> bytes:
    """Leave a spool as a killed process does, and return what is in it."""
    path = tmp_path / "spool" / "massive" / f"session={DAY}" / "00000000.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\n".join([*encode_events(events), torn]))
    return path.read_bytes()


def all_of(source: Source) -> pl.DataFrame:
    source.start()
    frames = []
    while (delivery := source.take(10)) is not None:
        frames.append(delivery.events)
    return pl.concat(frames)


def landed(store: LocalStore) -> list[str]:
    return list(store.fingerprints("landing/massive/live/"))


def test_a_recorded_day_is_replayed_event_for_event(store: LocalStore, tmp_path: Path) -> None:
    with recorder(store, tmp_path, size=50_000) as recording:
        for each in EVENTS.iter_slices(90):
            recording.record(each)

    assert [keys.live("massive", DAY, number) for number in range(len(landed(store)))] == landed(
        store
    )
    assert 3 <= len(landed(store))
    assert_frame_equal(EVENTS, all_of(Replay(store, "massive", DAY, speed=math.inf)))


def test_what_is_old_enough_is_landed_while_the_feed_runs(
    store: LocalStore, tmp_path: Path
) -> None:
    with recorder(store, tmp_path, seconds=0) as recording:
        recording.record(EVENTS)
        recording.tick()
        recording.record(EVENTS)

    assert 2 == len(landed(store))


def test_the_next_run_lands_what_a_killed_one_left_and_goes_on_behind_it(
    store: LocalStore, tmp_path: Path
) -> None:
    left_behind(tmp_path, EVENTS.head(600), b'{"kind":"trade","symb')

    with recorder(store, tmp_path) as recording:
        known = recording.known("trade")
        assert (EVENTS["time"][599], frozenset(EVENTS["symbol"])) == (known.until, known.symbols)
        recording.record(EVENTS.tail(400))

    assert_frame_equal(EVENTS, all_of(Replay(store, "massive", DAY, speed=math.inf)))


def test_what_a_killed_run_noted_is_kept_and_half_a_note_is_not(
    store: LocalStore, tmp_path: Path
) -> None:
    lost, told = (Span(OPEN_US + each, OPEN_US + each + 5, "told") for each in (0, 10))
    path = tmp_path / "spool" / "massive" / f"coverage={DAY}" / "00000000.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(lost.line + told.line + told.line[:20])

    with recorder(store, tmp_path) as recording:
        recording.note([Span(OPEN_US + 10, OPEN_US + 12, "shed", ("A",))])
    notes = coverage_of(store, "massive", DAY, "trade")

    assert [(OPEN_US, OPEN_US + 5), (OPEN_US + 10, OPEN_US + 15)] == notes.covered("B")
    assert [(OPEN_US, OPEN_US + 5), (OPEN_US + 12, OPEN_US + 15)] == notes.covered("A")


def test_what_was_landed_by_a_run_that_was_killed_then_is_not_landed_twice(
    store: LocalStore, tmp_path: Path
) -> None:
    lines = left_behind(tmp_path, EVENTS)
    store.put(keys.live("massive", DAY, 0), gzip.compress(lines, 1, mtime=0))

    with recorder(store, tmp_path):
        pass

    assert [keys.live("massive", DAY, 0)] == landed(store)
    assert [] == list((tmp_path / "spool").rglob("*.jsonl"))


def test_another_machine_s_objects_stay(store: LocalStore, tmp_path: Path) -> None:
    with recorder(store, tmp_path) as recording:
        recording.record(EVENTS.head(500))
        store.put(keys.live("massive", DAY, 0), gzip.compress(b"", mtime=0))

    assert [keys.live("massive", DAY, 0), keys.live("massive", DAY, 1)] == landed(store)
    assert_frame_equal(EVENTS.head(500), all_of(Replay(store, "massive", DAY, speed=math.inf)))


def test_two_processes_do_not_share_a_spool(store: LocalStore, tmp_path: Path) -> None:
    with recorder(store, tmp_path), pytest.raises(BusyError):
        recorder(store, tmp_path)


def test_a_replay_keeps_the_pace_of_the_recording(store: LocalStore, tmp_path: Path) -> None:
    """Received at 0 s, 6 s, 6 s and 12 s; told at sixty times the speed.

    recorded  |A-----BC-----D
    told      |A 0.1 BC 0.1 D
    """
    received = [OPEN_US + second * 10**6 for second in (0, 6, 6, 12)]
    events = frame(*(trade("A", each, received=at) for each, at in enumerate(received)))
    with recorder(store, tmp_path) as recording:
        recording.record(events)
    time = Time()
    replay = Replay(store, "massive", DAY, speed=60, clock=time.clock)
    replay.start()

    told = []
    for seconds in (0.0, 0.06, 0.06, 0.06, 0.06):
        time.now += seconds
        delivery = replay.take(0)
        told.append(delivery.events["sequence"].to_list() if delivery else None)

    assert [[0], [], [1, 2], [], [3]] == told
    assert replay.take(0) is None


def test_a_replay_tells_the_time_of_its_recording_and_at_its_end_that_the_day_is_over(
    store: LocalStore, tmp_path: Path
) -> None:
    with recorder(store, tmp_path) as recording:
        recording.record(EVENTS)
    replay = Replay(store, "massive", DAY, speed=math.inf, until=OPEN_US + 10**12)
    replay.start()
    replay.take(1)

    assert EVENTS["received"][-1] == replay.now_us()
    assert (None, OPEN_US + 10**12) == (replay.take(1), replay.now_us())


def test_the_source_of_a_day_need_not_be_named_where_one_alone_told_it(
    store: LocalStore, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="No events of 2026-01-05 are recorded"):
        only_source(store, DAY)
    with recorder(store, tmp_path) as recording:
        recording.record(EVENTS)
    with pytest.raises(NotFoundError, match="these are recorded: 2026-01-05"):
        only_source(store, DAY + dt.timedelta(days=1))
    assert "massive" == only_source(store, DAY)
    store.put(keys.live("other", DAY, 0), b"")

    assert ["massive", "other"] == recorded_sources(store, DAY)
    with pytest.raises(NotFoundError, match="replay:massive/2026-01-05"):
        only_source(store, DAY)
    with pytest.raises(NotFoundError, match="No events of 2026-01-06 by massive"):
        Replay(store, "massive", DAY + dt.timedelta(days=1))
