"""The stream within one process."""

from __future__ import annotations

import threading

import polars as pl
import pytest

from lake.errors import StreamClosedError
from lake.wire import decode_events
from speed_layer.streams import InProcess
from tests.events import trades

PATIENCE_S = 10


def test_what_waits_is_taken_at_once_and_in_order() -> None:
    stream = InProcess()
    stream.put(trades(["A", "B"]))
    stream.put(trades(["C"], first=2))

    taken = stream.take()

    assert taken is not None
    assert [0, 1, 2] == taken["sequence"].to_list()
    assert trades(["A"]).schema == taken.schema


def test_nothing_is_taken_when_nothing_came_in_time() -> None:
    taken = InProcess().take(timeout_s=0)

    assert taken is not None
    assert taken.is_empty()
    assert trades(["A"]).schema == taken.schema


def test_a_closed_stream_gives_out_what_waits_and_then_says_so() -> None:
    stream = InProcess()
    stream.put(trades(["A"]))
    stream.close()

    assert [1] == [events.height for events in stream]
    assert stream.take() is None


def test_what_comes_after_the_end_is_refused_and_named() -> None:
    stream = InProcess()
    stream.close()

    with pytest.raises(StreamClosedError, match="2 events came after") as error:
        stream.put(trades(["A", "B"]))

    assert trades(["A", "B"]).equals(decode_events(error.value.unwritten)[0])


def test_a_full_stream_makes_the_writer_wait_and_never_holds_more() -> None:
    stream = InProcess(capacity=3)
    held: list[int] = []
    taken: list[int] = []
    writer = threading.Thread(target=stream.put, args=(trades(["A"] * 10),))
    writer.start()
    while len(taken) < 10:
        events = stream.take(PATIENCE_S)
        assert events is not None
        held.append(events.height)
        taken += events["sequence"].to_list()
    writer.join(PATIENCE_S)

    assert list(range(10)) == taken
    assert 3 >= max(held)
    assert 0 == stream.waiting


def test_a_writer_that_waits_is_told_of_the_end_and_of_what_did_not_get_in() -> None:
    stream = InProcess(capacity=2)
    failures: list[StreamClosedError] = []

    def write() -> None:
        try:
            stream.put(trades(["A"] * 5))
        except StreamClosedError as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    while stream.waiting < 2:
        pass
    stream.close()
    writer.join(PATIENCE_S)

    assert [3] == [len(error.unwritten) for error in failures]
    assert [2] == [events.height for events in stream]


def test_many_writers_and_a_reader_lose_nothing_and_keep_each_symbol_in_order() -> None:
    stream = InProcess(capacity=50)
    symbols = ["A", "B", "C", "D"]

    def write(symbol: str) -> None:
        for first in range(0, 500, 7):
            stream.put(trades([symbol] * min(7, 500 - first), first=first))

    writers = [threading.Thread(target=write, args=(symbol,)) for symbol in symbols]
    for writer in writers:
        writer.start()
    frames: list[pl.DataFrame] = []
    while sum(frame.height for frame in frames) < 2_000:
        taken = stream.take(PATIENCE_S)
        assert taken is not None
        frames.append(taken)
    for writer in writers:
        writer.join(PATIENCE_S)

    told = pl.concat(frames)
    for symbol in symbols:
        assert list(range(500)) == told.filter(symbol=symbol)["sequence"].to_list()
