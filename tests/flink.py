"""The Flink job as tests run it, in a mini cluster of its own: over files, or over Kinesis."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest

from lake.event import Event
from lake.hours import SessionHours
from lake.live_wire import decode_told
from lake.session import SessionTable
from lake.wire import encode_events
from speed_layer import flink_job
from tests.kinesis import KEY_ID, SECRET, KinesisServer, arn
from tests.parts import missing
from tests.trading import Oracle, Told, frame

LONG_S = 600
"""More than any run takes, on the slowest machine."""
EVER = 2**62
_MOVE_LINES = re.compile(r"through_streams|test_a_vendor_s_trade_becomes")
NO_CONNECTOR = "Maven has no Kinesis connector for Flink here (docs/flink.md: Running it)"


@pytest.fixture(scope="session")
def flink() -> None:
    """Skip where Flink, Java or the job's jar is missing."""
    if not (flink_job.PYTHON.exists() and flink_job.JAR.exists()):
        missing("Flink", flink_job.HINT)


@pytest.fixture(scope="session")
def connector(flink: None) -> None:  # noqa: ARG001 - needed first
    """Skip where Maven had no Kinesis connector; CI may be such a place, so that is no failure."""
    if not flink_job.has_connector():
        pytest.skip(NO_CONNECTOR)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say by which way lines went between Kinesis and Flink."""
    ran = [report.nodeid for each in terminalreporter.stats.values() for report in _reports(each)]
    if any(_MOVE_LINES.search(each) for each in ran) and flink_job.JAR.exists():
        by = "Flink's own connector" if flink_job.has_connector() else f"files: {NO_CONNECTOR}"
        terminalreporter.write_sep("=", f"Kinesis and Flink: lines went through {by}")


def _reports(found: Iterable[object]) -> list[pytest.TestReport]:
    return [each for each in found if isinstance(each, pytest.TestReport) and each.when == "call"]


class Job:
    """A job whose input and output are files in a folder.

    Args:
        folder: An empty one.
        table: The sessions.
        first: The first session that it is told of.
        last: The last one.
    """

    environment: Mapping[str, str] = {}

    def __init__(self, folder: Path, table: SessionTable, first: dt.date, last: dt.date) -> None:
        self.folder = folder
        for name in ("events", "state", "bars", "corrections", "rejects"):
            (folder / name).mkdir(parents=True)
        (folder / "sessions.csv").write_text(flink_job.sessions_csv(table, first, last), "utf-8")

    def place(self, name: str) -> str:
        """Return where something comes from, or goes to."""
        return str(self.folder / name)

    def arguments(self, *others: str) -> list[str]:
        told = ("events", "sessions.csv", "state", "bars", "corrections", "rejects")
        places = [
            part for name in told for part in (f"--{name.partition('.')[0]}", self.place(name))
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
        logs = self.folder / "logs"
        with flink_job.running(arguments, logs=logs, environment=self.environment) as process:
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


class StreamJob(Job):
    """A job whose input and output are streams; only its state is in a folder.

    Args:
        folder: An empty one.
        server: Which has the streams, of two shards the events.
        hours: Of the one session that it is told of.
        table: The sessions.
    """

    def __init__(
        self, folder: Path, server: KinesisServer, hours: SessionHours, table: SessionTable
    ) -> None:
        super().__init__(folder, table, hours.session, hours.session)
        self.server = server
        self.events = server.stream(shards=2)
        self._streams = {name: server.stream() for name in ("bars", "corrections", "rejects")}
        self._streams["events"] = self.events
        self.environment = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}

    def place(self, name: str) -> str:
        return arn(self._streams[name]) if name in self._streams else super().place(name)

    def arguments(self, *others: str) -> list[str]:
        return super().arguments("--endpoint", self.server.url, *others)

    def put(self, events: pl.DataFrame) -> None:
        """Put events into the stream, as a feed does."""
        self.server.put(self.events, encode_events(events), events["symbol"].to_list())

    def lines(self, name: str) -> list[bytes]:
        return self.server.lines(self._streams[name])


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
