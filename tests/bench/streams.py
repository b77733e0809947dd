"""How fast events pass through a stream: within the process, and into a local Kinesis server."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Any

import numpy as np
import polars as pl

from lake.live_wire import Told, decode_told, encode_told
from lake.settings import Settings
from speed_layer.streams import InProcess
from speed_layer.streams.kinesis_reader import KinesisReader
from speed_layer.streams.kinesis_service import Service
from speed_layer.streams.kinesis_writer import Kinesis
from tests.bench.timing import markdown, run_alone
from tests.events import trades
from tests.kinesis import running

SYMBOLS = 500
_EVENTS_A_SYMBOL = 200
_KINESIS_EVENTS = 4_000
_WIRE_EVENTS = 200_000
_BATCH = 1_000
_HANDED_OVER = 5_000
_WARM_UP = 200


def in_process_task(*, events: int, batch: int) -> dict[str, Any]:
    """Pass events from one thread to another, and then one by one, timed."""
    frame, stream = _trades(batch), InProcess()

    def write() -> None:
        for _ in range(events // batch):
            stream.put(frame)
        stream.close()

    started = time.perf_counter()
    writer = threading.Thread(target=write)
    writer.start()
    passed = sum(taken.height for taken in stream)
    seconds = time.perf_counter() - started
    writer.join()
    waits = np.array(_hand_over(frame[:1])) * 1000
    p50, p99 = np.percentile(waits, [50, 99])
    return {"seconds": seconds, "events": passed, "p50_ms": float(p50), "p99_ms": float(p99)}


def kinesis_task(*, events: int, per_symbol: int, lanes: int) -> dict[str, Any]:
    """Write events into a fresh server, and read them back."""
    with running() as server:
        name = server.stream(shards=4)
        settings = Settings.model_validate(server.settings())
        started = time.perf_counter()
        with closing(
            Kinesis(Service.of(settings), name, per_symbol=per_symbol, lanes=lanes)
        ) as stream:
            for first in range(0, events, _BATCH):
                stream.put(_trades(min(_BATCH, events - first), first=first))
        seconds = time.perf_counter() - started
        started, read = time.perf_counter(), 0
        with closing(KinesisReader(Service.of(settings), name, every_s=0)) as reader:
            while read < events:
                read += len(reader.read(10).lines)
        return {"seconds": seconds, "reading": time.perf_counter() - started, "events": read}


def wire_task(*, events: int) -> dict[str, Any]:
    """Make lines of late statements, which are the widest rows, and events of them."""
    frame = _trades(events)
    started = time.perf_counter()
    lines = encode_told(Told(late=frame))
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    told = decode_told(lines)
    return {
        "seconds": seconds,
        "reading": time.perf_counter() - started,
        "events": told.late.height,
    }


def streams(symbols: int) -> str:
    """Return the table of all streams, with more events for a larger market."""
    events, fewer = symbols * _EVENTS_A_SYMBOL, min(symbols, _KINESIS_EVENTS)
    rows = []
    for batch in (100, _BATCH):
        ran = run_alone(in_process_task, events=events, batch=batch)
        delay = f"{ran.result['p50_ms']:.3f} / {ran.result['p99_ms']:.3f}"
        name = f"in process, {batch:,} at once"
        rows.append([name, _rate(ran.result, "seconds"), "", delay])
    for per_symbol, lanes in ((1, 1), (1, 4), (500, 4)):
        ran = run_alone(kinesis_task, events=fewer, per_symbol=per_symbol, lanes=lanes)
        name = f"local Kinesis, {per_symbol} of a symbol in a request, {lanes} at once"
        written, read = _rate(ran.result, "seconds"), _rate(ran.result, "reading")
        rows.append([name, written, read, ""])
    ran = run_alone(wire_task, events=min(events, _WIRE_EVENTS))
    written, read = _rate(ran.result, "seconds"), _rate(ran.result, "reading")
    rows.append(["an engine's lines alone", written, read, ""])
    return markdown(["stream", "written/s", "read/s", "one event, p50 / p99 ms"], rows)


def _hand_over(event: pl.DataFrame) -> list[float]:
    """Return how long events take, one by one, from put to taken by a thread that waits."""
    stream, put_at, waits = InProcess(), [0.0], list[float]()
    is_taken = threading.Event()

    def read() -> None:
        for _ in stream:
            waits.append(time.perf_counter() - put_at[0])
            is_taken.set()

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(_HANDED_OVER):
        is_taken.clear()
        put_at[0] = time.perf_counter()
        stream.put(event)
        is_taken.wait()
    stream.close()
    reader.join()
    return waits[_WARM_UP:]


def _trades(count: int, *, first: int = 0) -> pl.DataFrame:
    return trades([f"S{number % SYMBOLS}" for number in range(count)], first=first)


def _rate(result: dict[str, Any], what: str) -> str:
    return f"{result['events'] / result[what]:,.0f}"
