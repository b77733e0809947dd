"""From Massive's socket to a stream of this process: its official client, and our own reader.

The vendor is a process of its own, which has the other core. Its frames are made before.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, serve

from batch_layer.local_vendor.live_market import LiveMarket
from batch_layer.local_vendor.live_socket import frames_of
from lake.store import LocalStore
from speed_layer.feed import Feed, Health, Recorder
from speed_layer.feed.massive import Massive, Plan
from speed_layer.feed.massive_client import WebSocketClient
from speed_layer.streams import InProcess
from tests.bench.timing import ROOT, markdown, run_alone
from tests.feeding import a_day, hours, judge

EVENTS: Final = 300_000
_FRAMES: Final = (1, 50)
_WAYS: Final = {
    "official": "the official client's connection, our reading",
    "own": "our own connection and reading",
    "objects": "the official client's objects, thrown away",
}


def feed_task(url: str, events: int, reader: str) -> dict[str, Any]:
    """Take events from a socket through the judge and the recorder into a stream."""
    stream, health = InProcess(), Health()
    plan = Plan(url, "http://127.0.0.1:9", "local-key", reader=reader)  # type: ignore[arg-type] # as told
    with TemporaryDirectory() as folder:
        store = LocalStore(Path(folder) / "lake")
        with Recorder(store, "massive", Path(folder) / "spool", hours()) as recorder:
            feed = Feed(Massive(plan, health), judge(), stream, recorder=recorder, health=health)
            thread = threading.Thread(target=feed.run)
            thread.start()
            begun, seen = 0.0, 0
            while seen < events:
                taken = stream.take(1)
                assert taken is not None
                trades = taken.filter(taken["kind"] == "trade").height
                begun = begun or (time.perf_counter() if trades else 0.0)
                seen += trades
            seconds = time.perf_counter() - begun
            feed.stop()
            thread.join()
    return {"seconds": seconds, "events": seen}


def objects_task(url: str, events: int) -> dict[str, Any]:
    """Take events from a socket as the official client's objects, and do nothing with them."""
    client = WebSocketClient(
        "local-key",
        feed=url.removeprefix("ws://"),
        secure=False,
        subscriptions=["T.*"],
        max_reconnects=0,
    )
    begun, seen = 0.0, 0

    async def count(messages: list[object]) -> None:
        nonlocal begun, seen
        begun = begun or time.perf_counter()
        seen += len(messages)
        if seen >= events:
            asyncio.current_task().cancel()  # type: ignore[union-attr] # it runs in one

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(client.connect(count))
    return {"seconds": time.perf_counter() - begun, "events": seen}


def feeding(events: int = EVENTS) -> str:
    """Return the table of events a second from the socket to a stream."""
    rows = []
    for way, told in _WAYS.items():
        cells = [told]
        for per_frame in _FRAMES:
            with _Vendor(events, per_frame) as url:
                if way == "objects":
                    ran = run_alone(objects_task, url=url, events=events)
                else:
                    ran = run_alone(feed_task, url=url, events=events, reader=way)
            cells.append(f"{ran.result['events'] / ran.seconds:,.0f}")
        rows.append(cells)
    header = ["events a second", *(f"{each} to a frame" for each in _FRAMES)]
    return markdown(header, rows)


class _Vendor:
    """A process that tells events to each who subscribes, as fast as that takes them."""

    def __init__(self, events: int, per_frame: int) -> None:
        command = [sys.executable, "-m", "tests.bench.feed", str(events), str(per_frame)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def __enter__(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()


async def _sell(events: int, per_frame: int) -> None:
    few = LiveMarket(a_day(min(events, 20_000))).events
    some = [frame for part in few.iter_slices(per_frame) for frame in frames_of(part)]
    frames = some * (events // few.height)

    async def tell(socket: ServerConnection) -> None:
        for status in ("connected", "auth_success"):
            await socket.send(json.dumps([{"ev": "status", "status": status, "message": ""}]))
            await socket.recv()
        granted = {"ev": "status", "status": "success", "message": "subscribed to: T.*"}
        await socket.send(json.dumps([granted], separators=(",", ":")))
        for frame in frames:
            await socket.send(frame, text=True)
        await socket.wait_closed()

    async with serve(tell, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"ws://127.0.0.1:{port}", flush=True)  # noqa: T201 - read by who started this
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_sell(*map(int, sys.argv[1:])))
