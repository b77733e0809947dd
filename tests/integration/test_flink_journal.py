"""The Flink job's journal, written anew, keeps what moved to another minute."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path

import pytest

from lake.event import Event
from lake.hours import SessionHours, hours_of
from lake.session import SessionTable
from speed_layer import flink_job
from tests.flink import lines_of
from tests.flow import rough_day
from tests.parts import missing
from tests.trading import MINUTE_US, micros

SOURCE = Path(__file__).parents[1] / "java/fiblake/flink/Restored.java"
SESSION = dt.date(2026, 11, 27)
LATENESS_US = 15 * MINUTE_US
TRADES = 2_000


@pytest.fixture(scope="module")
def restored(flink: None, tmp_path_factory: pytest.TempPathFactory) -> list[str]:  # noqa: ARG001 - needed first
    """The command that restores journals, but for its arguments."""
    compiler = shutil.which("javac")
    if compiler is None:
        missing("javac", flink_job.HINT)
    of_flink = flink_job.home() / "lib"
    classes = tmp_path_factory.mktemp("classes")
    path = f"{classes}:{flink_job.JAR}:{of_flink}/*"
    subprocess.run([compiler, "-cp", path, "-d", str(classes), str(SOURCE)], check=True)
    return ["java", "-cp", path, "fiblake.flink.Restored"]


def test_wherever_a_symbol_is_restored_from_its_journal_its_bars_are_the_same(
    restored: list[str], sessions: SessionTable, tmp_path: Path
) -> None:
    hours = hours_of(SESSION, sessions)
    flow = tmp_path / "flow.jsonl"
    lines = lines_of(_around_the_close(hours))
    flow.write_bytes(b"".join(line + b"\n" for line in lines))
    arguments = [_told(hours), str(LATENESS_US), str(flow)]
    ran = subprocess.run([*restored, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    told = [line.split("\t") for line in ran.stdout.splitlines()]
    _, never_restored = told.pop()

    assert len(lines) == len(told)
    assert [] == [place for place, (_, bars) in enumerate(told, 1) if bars != never_restored]
    assert sum(int(moved) > 0 for moved, _ in told) > len(told) / 2


def _around_the_close(hours: SessionHours) -> list[Event]:
    """Return what is told of a symbol where closing prints move, until they change no more."""
    close = micros(hours.close)
    first, last = close - 5 * MINUTE_US, close + LATENESS_US + 5 * MINUTE_US
    return [event for event in rough_day(hours, [TRADES], 3) if first < event.time < last]


def _told(hours: SessionHours) -> str:
    """Return the hours of a session as the job tells them to the jar."""
    dawn, *others = (
        micros(each) // MINUTE_US for each in (hours.dawn, hours.open, hours.close, hours.dusk)
    )
    day = (hours.session - dt.date(1970, 1, 1)).days
    return "/".join(map(str, (day, dawn, *(each - dawn for each in others))))
