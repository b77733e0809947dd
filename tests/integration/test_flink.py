"""The Flink job in a mini cluster over files, held to the law in plain Python."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lake.event import Event
from lake.hours import hours_of
from lake.session import SessionTable
from tests.flink import EVER, Job, identities, identities_of, lines_of, oracles, told_of
from tests.flow import rough_day
from tests.trading import BAR_KEY, MINUTE_US, Oracle, assert_told, heartbeat, micros, trade

SESSIONS = [dt.date(2026, 3, 6), dt.date(2026, 3, 9), dt.date(2026, 11, 27), dt.date(2026, 11, 30)]
"""Before and after the clocks change; one that closes at 13:00, and the one after it."""
_GOOD = lines_of([trade(SESSIONS[0], "10:00:00", symbol="S0")])[0]
POISON = [
    *(b"", b"garbage", b'{"kind":"trade"}', b'{"kind":"trade","symbol":5}', b"[]", b"\xff\xfe"),
    _GOOD.replace(b'"moves":7', b'"moves":9999999999'),
    _GOOD.replace(b'"revision":0', b'"revision":00'),
    _GOOD.replace(b'"price":10.0', b'"price":10.'),
    _GOOD.replace(b'"source":"', b'"source":"\\q'),
    *(_GOOD[:-1], _GOOD + b"}", _GOOD[:100]),
]
SYMBOLS = [3, 200, 1200, 700, 40, 1]
COUNTS = [50, 800, 1_000, 1_200, 1_400, 1_600, 1_800]

pytestmark = pytest.mark.usefixtures("flink")


def test_the_job_tells_what_the_law_makes_of_a_rough_flow(
    tmp_path: Path, sessions: SessionTable
) -> None:
    """All cases are one run: a mini cluster takes ten seconds to start."""
    events = [event for session in SESSIONS for event in _session(session, sessions)]
    lines = list(_with_poison(lines_of(events)))
    job = Job(tmp_path, sessions, SESSIONS[0], SESSIONS[-1])
    job.write(lines)
    job.run()
    expected = oracles(events, sessions)
    assert len(SYMBOLS) == len(expected)
    _assert_bars(expected, *job.rows())
    _assert_late(expected, job)
    poison = sorted(line for line in lines if line in POISON)
    assert set(POISON) == set(poison)
    assert poison == sorted(job.lines("rejects"))


def _session(session: dt.date, table: SessionTable) -> Iterator[Event]:
    for number, event in enumerate(rough_day(hours_of(session, table), SYMBOLS, session.day)):
        yield event
        if number % 50 == 0:
            yield replace(event, kind="second", open=1.0, high=1.0, low=1.0)
            yield replace(heartbeat(session, "04:00"), time=event.time)


def _with_poison(lines: list[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield line
        if number % 500 == 0:
            yield POISON[number // 500 % len(POISON)]


def test_a_killed_job_goes_on_from_its_checkpoint(tmp_path: Path, sessions: SessionTable) -> None:
    """It is killed while events still come, and what it had told stays told once.

    It is so minutes after the close, when closing prints have moved, and journals are long enough
    that some were written anew meanwhile.
    """
    first, last = SESSIONS[1], dt.date(2026, 3, 10)
    hours = hours_of(first, sessions)
    events = rough_day(hours, COUNTS, 3)
    # What trades on the next session ends this one.
    dawn = micros(hours_of(last, sessions).dawn)
    after = [
        replace(events[0], symbol=f"S{number}", time=dawn, minute=dawn, sequence=1)
        for number in range(len(COUNTS))
    ]
    expected = oracles(events, sessions)
    late = sum(len(oracle.late) for oracle in expected.values())
    job = Job(tmp_path, sessions, first, last)
    closed = b'"start":%d,' % micros(hours.close)
    killed = micros(hours.close) + 4 * MINUTE_US
    half = next(place for place, event in enumerate(events) if event.time > killed)
    with job.follow("--checkpoint-ms", "500"):
        job.write(lines_of(events[:half]), "1.jsonl")
        job.wait_until(lambda: any(closed in line for line in job.lines("bars")))
    checkpoint = job.checkpoint()
    job.write(lines_of([*events[half:], *after]), "2.jsonl")
    with job.follow("--checkpoint-ms", "500", "--restore", checkpoint):
        job.wait_until(lambda: _are_over(job, first))
        # Each sink commits files of its own, and this one may be a checkpoint behind.
        job.wait_until(lambda: len(job.lines("corrections")) >= late)
    bars, prices = job.rows()
    _assert_bars(expected, bars.filter(session=first), prices.filter(session=first))
    _assert_late(expected, job)


def _are_over(job: Job, session: dt.date) -> bool:
    final = pl.col("interval") == "1d", pl.col("session") == session, pl.col("state") == "final"
    return job.rows()[0].filter(*final)["symbol"].n_unique() == len(COUNTS)


def _assert_bars(expected: dict[str, Oracle], bars: pl.DataFrame, prices: pl.DataFrame) -> None:
    """Every bar is the law's and final, and whatever was told of one version was the same."""
    for symbol, oracle in expected.items():
        oracle.clock = EVER
        assert_told(oracle, told_of(bars, prices, symbol))
    assert bars.unique().height == bars.unique([*BAR_KEY, "version"]).height


def _assert_late(expected: dict[str, Oracle], job: Job) -> None:
    late = [event for oracle in expected.values() for event in oracle.late]
    assert late
    assert identities_of(late) == identities(job.lines("corrections"))
