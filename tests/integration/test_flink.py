"""The Flink job in a mini cluster over files, held to the law in plain Python."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest

from lake.event import Event
from lake.hours import hours_of
from lake.session import SessionTable
from tests.flink import EVER, Job, identities, identities_of, lines_of, oracles, told_of
from tests.flow import rough_day
from tests.trading import MINUTE_US, assert_told, heartbeat, micros

SESSIONS = [dt.date(2026, 3, 6), dt.date(2026, 3, 9), dt.date(2026, 11, 27), dt.date(2026, 11, 30)]
"""Before and after the clocks change; one that closes at 13:00, and the one after it."""
POISON = [b"", b"garbage", b'{"kind":"trade"}', b'{"kind":"trade","symbol":5}', b"[]", b"\xff\xfe"]
SYMBOLS = [3, 200, 1200, 700, 40, 1]

pytestmark = pytest.mark.xdist_group("flink")


@dataclass(frozen=True)
class Ran:
    """A job that has run, and what went into it."""

    job: Job
    events: list[Event]
    bars: pl.DataFrame
    prices: pl.DataFrame
    table: SessionTable


@pytest.fixture(scope="module")
def ran(flink: None, tmp_path_factory: pytest.TempPathFactory, sessions: SessionTable) -> Ran:
    """All cases in one run: a mini cluster takes ten seconds to start."""
    events = [event for session in SESSIONS for event in _session(session, sessions)]
    job = Job(tmp_path_factory.mktemp("flink"), sessions, SESSIONS[0], SESSIONS[-1])
    job.write(_with_poison(lines_of(events)))
    job.run()
    return Ran(job, events, *job.rows(), sessions)


def _session(session: dt.date, table: SessionTable) -> Iterator[Event]:
    for number, event in enumerate(rough_day(hours_of(session, table), SYMBOLS, session.day)):
        yield event
        if number % 50 == 0:
            yield replace(event, kind="second", open=1.0, high=1.0, low=1.0)
            yield replace(heartbeat(session, "04:00"), time=event.time)


def _with_poison(lines: list[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield line
        if number % 1000 == 0:
            yield POISON[number // 1000 % len(POISON)]


def test_bars_and_prices_are_those_of_the_law(ran: Ran) -> None:
    expected = oracles(ran.events, ran.table)
    assert [f"S{number}" for number in range(len(SYMBOLS))] == sorted(expected)
    for symbol, oracle in expected.items():
        oracle.clock = EVER
        assert_told(oracle, told_of(ran.bars, ran.prices, symbol))


def test_a_version_of_a_bar_is_always_the_same_bar(ran: Ran) -> None:
    key = ["symbol", "interval", "session", "hours", "start", "version"]
    assert ran.bars.unique().height == ran.bars.unique(key).height


def test_what_is_late_goes_out_as_it_came(ran: Ran) -> None:
    late = [event for oracle in oracles(ran.events, ran.table).values() for event in oracle.late]
    assert len(late) > 100
    assert identities_of(late) == identities(ran.job.lines("corrections"))


def test_what_is_no_event_goes_out_as_it_came(ran: Ran) -> None:
    sent = [line for line in _with_poison(lines_of(ran.events)) if line in POISON]
    # An empty line is nothing to a reader of lines.
    assert sorted(filter(None, sent)) == sorted(filter(None, ran.job.lines("rejects")))


def test_a_killed_job_goes_on_from_its_checkpoint(
    flink: None, tmp_path: Path, sessions: SessionTable
) -> None:
    """It is killed while events still come, and what it had told stays told once."""
    first, last = SESSIONS[1], dt.date(2026, 3, 10)
    events = rough_day(hours_of(first, sessions), [400, 900, 50], 3)
    # What trades on the next session ends this one.
    dawn = micros(hours_of(last, sessions).dawn)
    after = [
        replace(events[0], symbol=f"S{number}", time=dawn, minute=dawn, sequence=1)
        for number in range(3)
    ]
    job = Job(tmp_path, sessions, first, last)
    half = len(events) // 2
    with job.follow("--checkpoint-ms", "500"):
        job.write(lines_of(events[:half]), "1.jsonl")
        job.wait_until(lambda: job.lines("bars") != [])
    checkpoint = job.checkpoint()
    job.write(lines_of(events[half:]), "2.jsonl")
    job.write(lines_of(after), "3.jsonl")
    with job.follow("--checkpoint-ms", "500", "--restore", checkpoint):
        job.wait_until(lambda: _are_over(job, first))
    bars, prices = job.rows()
    for symbol, oracle in oracles(events, sessions).items():
        oracle.clock = EVER
        told = told_of(bars.filter(session=first), prices.filter(session=first), symbol)
        assert_told(oracle, told)
    late = [event for oracle in oracles(events, sessions).values() for event in oracle.late]
    assert identities_of(late) == identities(job.lines("corrections"))


def _are_over(job: Job, session: dt.date) -> bool:
    final = pl.col("interval") == "1d", pl.col("session") == session, pl.col("state") == "final"
    return job.rows()[0].filter(*final)["symbol"].n_unique() == 3
