"""The Flink job as tests run it: over files, in a mini cluster of its own."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest

from lake.event import Event
from lake.live_wire import decode_told
from lake.session import SessionTable
from lake.wire import encode_events
from speed_layer import flink_job
from tests.parts import missing
from tests.trading import Oracle, Told, frame

LONG_S = 600
"""More than any run takes, on the slowest machine."""
EVER = 2**62


@pytest.fixture(scope="session")
def flink() -> None:
    """Skip where Flink, Java or the job's jar is missing."""
    if not (flink_job.PYTHON.exists() and flink_job.JAR.exists()):
        missing("Flink", flink_job.HINT)


class Job:
    """A job whose input and output are files in a folder.

    Args:
        folder: An empty one.
        table: The sessions.
        first: The first session that it is told of.
        last: The last one.
    """

    def __init__(self, folder: Path, table: SessionTable, first: dt.date, last: dt.date) -> None:
        self.folder = folder
        for name in ("events", "state", "bars", "corrections", "rejects"):
            (folder / name).mkdir()
        (folder / "sessions.csv").write_text(flink_job.sessions_csv(table, first, last), "utf-8")

    def arguments(self, *others: str) -> list[str]:
        told = ("events", "sessions.csv", "state", "bars", "corrections", "rejects")
        places = [
            part
            for name in told
            for part in (f"--{name.partition('.')[0]}", str(self.folder / name))
        ]
        return [*places, "--parallelism", "1", "--attempts", "0", *others]

    def write(self, lines: Iterable[bytes], name: str = "0.jsonl") -> None:
        """Put lines into a file of the input, all at once."""
        hidden = self.folder / "events" / f".{name}"
        hidden.write_bytes(b"".join(line + b"\n" for line in lines))
        hidden.rename(hidden.with_name(name))

    def run(self, *others: str) -> None:
        flink_job.run(self.arguments(*others), logs=self.folder / "logs", timeout_s=LONG_S)

    @contextmanager
    def follow(self, *others: str) -> Iterator[None]:
        """Run it without an end, and kill it at the end of the block."""
        arguments = self.arguments("--follow-ms", "200", *others)
        with flink_job.running(arguments, logs=self.folder / "logs") as process:
            self._process = process
            yield
            os.killpg(process.pid, signal.SIGKILL)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, while the job runs."""
        deadline = time.monotonic() + LONG_S
        while not holds():
            assert self._process.poll() is None, self._process.communicate()[0].decode()
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def checkpoint(self) -> str:
        """Return the last checkpoint that is whole."""
        whole = (self.folder / "state").glob("*/chk-*/_metadata")
        return str(max(whole, key=lambda path: path.stat().st_mtime).parent)

    def lines(self, name: str) -> list[bytes]:
        """Return what was written and committed."""
        files = sorted((self.folder / name).rglob("part-*"))
        return [line for file in files for line in file.read_bytes().splitlines()]

    def rows(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return all bars and prices that were told, as the publisher reads them."""
        told = decode_told(self.lines("bars"))
        assert [] == told.poison
        return told.bars, told.prices


def lines_of(events: Iterable[Event]) -> list[bytes]:
    """Return events as the stream carries them."""
    return encode_events(frame(events))


def oracles(events: Sequence[Event], table: SessionTable, kind: str = "trade") -> dict[str, Oracle]:
    """Return what each symbol's events make: a symbol's clock is that of its own events alone."""
    made: dict[str, Oracle] = {}
    for event in events:
        if event.kind != "heartbeat":
            made.setdefault(event.symbol, Oracle(table, kind=kind)).take([event])  # type: ignore[arg-type]
    return made


def told_of(bars: pl.DataFrame, prices: pl.DataFrame, symbol: str) -> Told:
    """Return what was told of one symbol."""
    told = Told()
    told.put(bars.filter(symbol=symbol), prices.filter(symbol=symbol))
    return told


def identities(lines: Iterable[bytes]) -> list[tuple[object, ...]]:
    """Return what lines tell, in an order of their own."""
    names = ("symbol", "kind", "time", "sequence", "revision", "price")
    rows = [json.loads(line) for line in lines]
    return sorted(tuple(row[name] for name in names) for row in rows)


def identities_of(events: Iterable[Event]) -> list[tuple[object, ...]]:
    """Return the same of events."""
    names = ("symbol", "kind", "time", "sequence", "revision", "price")
    rows = [asdict(event) for event in events]
    return sorted(tuple(row[name] for name in names) for row in rows)
