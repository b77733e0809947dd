"""A client's stream while the server that it watches is killed, and another takes its place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fiblake import Client
from fiblake.client import Bar, Event, Gap, Price, Status
from tests.parts import free_port

FIBLAKE = Path(sys.executable).with_name("fiblake")


@contextmanager
def running(lake: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """A server that tells the sample's last day, fast; it is killed in the end."""
    options = ["--port", str(port), "--lake", str(lake), "--feed", "replay:sample@240x"]
    with subprocess.Popen([FIBLAKE, "up", *options], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        server.stderr.readline()
        yield server
        server.kill()


def test_a_killed_server_is_a_gap_and_all_there_is_then(sample_lake_folder: Path) -> None:
    port = free_port()
    events: list[Event] = []
    with Client(f"http://127.0.0.1:{port}") as client:
        with running(sample_lake_folder, port):
            watch = client.watch(["price:AAPL", "bars:5m:AAPL", "bars:13d:AAPL"])
            while len([each for each in events if isinstance(each, Price)]) < 20:
                events.append(next(watch))
        assert {Price, Bar, Status} <= {type(each) for each in events}
        while events[-1] != Status(connected=False):
            events.append(next(watch))
        with running(sample_lake_folder, port), watch:
            seen = len(events)
            while len([each for each in events[seen:] if isinstance(each, Price)]) < 20:
                events.append(next(watch))

    gaps = {each.channel: each.why for each in events[seen:] if isinstance(each, Gap)}
    assert {"restarted"} == set(gaps.values())
    assert "price:AAPL" in gaps
