"""How much memory the feed holds, and the publisher, each in a process of its own.

The vendor that tells the feed trades is a process beside it, and so is the engine whose lines the
publisher reads: what they hold is not counted.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, serve

from batch_layer.local_vendor.live_market import LiveMarket
from batch_layer.local_vendor.live_socket import frames_of
from lake.clock import SetClock
from lake.conditions import bundled
from lake.hours import Timetable
from lake.instant import from_microseconds
from lake.live_wire import Told, encode_told
from lake.settings import Settings
from lake.store import LocalStore
from speed_layer.engine import Engine
from speed_layer.feed import Feed, Health, Judge, Recorder
from speed_layer.feed.massive import Massive, Plan
from speed_layer.publisher import Publisher
from speed_layer.streams import InProcess
from speed_layer.streams.batch import Batch
from speed_layer.streams.position import Position
from speed_layer.views import open_view
from tests.bench.timing import resident_bytes
from tests.bench.traded import TRADES, hours, instant, over, traded
from tests.days import calendar

_MIB: Final = 2**20
_PER_FRAME: Final = 100
_AT_ONCE: Final = 10_000
_LATE_OF: Final = 100
"""Of so many symbols, one has a late statement at the end of a session."""


def feed_task(*, symbols: int, sessions: int) -> dict[str, Any]:
    """Feed sessions, recorded, into a stream, and tell what is held after each, in MiB."""
    stream, health, clock = InProcess(), Health(), SetClock(hours(0).dawn)
    days = Timetable([hours(number) for number in range(sessions)])
    held = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        vendor = stack.enter_context(_beside(_sell, symbols))
        plan = Plan(vendor.recv(), "http://127.0.0.1:9", "local-key", reader="own")
        recorder = stack.enter_context(
            Recorder(LocalStore(folder / "lake"), "massive", folder / "spool", days)
        )
        source = Massive(plan, health, clock=clock)
        feed = Feed(source, Judge(bundled(), days), stream, recorder=recorder, health=health)
        stack.enter_context(_running(feed))
        before = resident_bytes()
        for number in range(sessions):
            for place in range(TRADES):
                clock.instant = from_microseconds(instant(hours(number), place))
                vendor.send((number, place))
                _take(stream, symbols)
            held.append((resident_bytes() - before) / _MIB)
    return {"held": held}


def publisher_task(*, url: str, symbols: int, sessions: int) -> dict[str, Any]:
    """Publish sessions into Redis, and tell what is held after each here and there, in MiB."""
    import redis  # noqa: PLC0415 - whoever has no Redis needs no client

    settings = Settings.model_validate({"view": "redis", "redis_url": url})
    held, of_redis = [], []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        client = stack.enter_context(redis.Redis.from_url(url))
        view = stack.enter_context(closing(open_view(settings)))
        reader = _Lines(stack.enter_context(_beside(_tell, symbols)))
        publisher = Publisher(reader, view, LocalStore(folder))
        before = resident_bytes()
        for number in range(sessions):
            reader.ask(number)
            while reader.has_more:
                publisher.step(0)
            covered = hours(number - 1).session
            view.forget(daily=covered, minute=covered)
            held.append((resident_bytes() - before) / _MIB)
            of_redis.append(client.info("memory")["used_memory"] / _MIB)
    return {"held": held, "redis": of_redis}


class _Lines:
    """Reads what an engine beside it tells, as `KinesisReader` reads a stream."""

    name = "bars"

    def __init__(self, engine: Connection) -> None:
        self._engine = engine
        self.has_more = False

    def ask(self, number: int) -> None:
        """Let the engine tell a session."""
        self._engine.send(number)
        self.has_more = True

    def read(self, timeout_s: float) -> Batch:  # noqa: ARG002 - it waits for as long as it takes
        lines = self._engine.recv()
        self.has_more = bool(lines)
        return Batch(lines, Position(""))

    def rewind(self, position: Position | None = None) -> None:
        raise AssertionError(position)


def _take(stream: InProcess, count: int) -> None:
    """Wait until so many trades came."""
    seen = 0
    while seen < count:
        taken = stream.take()
        assert taken is not None
        seen += taken.filter(taken["kind"] == "trade").height


@contextmanager
def _running(feed: Feed) -> Iterator[None]:
    thread = threading.Thread(target=feed.run)
    thread.start()
    try:
        yield
    finally:
        feed.stop()
        thread.join()


@contextmanager
def _beside(work: Callable[[Connection, int], None], symbols: int) -> Iterator[Connection]:
    """Let some work be done by a process beside this one; yield what both talk over."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, symbols))
    process.start()
    # So that its end is seen: else what is waited for from it would be for ever.
    theirs.close()
    try:
        yield ours
    finally:
        process.terminate()
        process.join()
        ours.close()


def _tell(asked: Connection, symbols: int) -> None:
    """Tell what an engine makes of the sessions asked for, as lines; none end a session."""
    engine = Engine(calendar())
    while True:
        day = hours(asked.recv())
        for events in (*(traded(day, symbols, place) for place in range(TRADES)), over(day)):
            changes = engine.apply(events)
            _send(asked, encode_told(Told(bars=changes.bars, prices=changes.prices)))
        _send(asked, encode_told(Told(late=traded(day, symbols, 0).gather_every(_LATE_OF))))
        asked.send([])


def _send(asked: Connection, lines: Sequence[bytes]) -> None:
    for at in range(0, len(lines), _AT_ONCE):
        asked.send(lines[at : at + _AT_ONCE])


def _sell(asked: Connection, symbols: int) -> None:
    asyncio.run(_serve(asked, symbols))


async def _serve(asked: Connection, symbols: int) -> None:
    """Tell whoever subscribes the trades asked for, as Massive does."""

    async def tell(socket: ServerConnection) -> None:
        for status in ("connected", "auth_success"):
            await socket.send(json.dumps([{"ev": "status", "status": status, "message": ""}]))
            await socket.recv()
        granted = {"ev": "status", "status": "success", "message": "subscribed to: T.*"}
        await socket.send(json.dumps([granted], separators=(",", ":")))
        while True:
            number, place = await asyncio.to_thread(asked.recv)
            events = LiveMarket(traded(hours(number), symbols, place)).events
            for some in events.iter_slices(_PER_FRAME):
                for frame in frames_of(some):
                    await socket.send(frame, text=True)

    async with serve(tell, "127.0.0.1", 0, compression=None) as server:
        asked.send(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}")
        await server.serve_forever()
