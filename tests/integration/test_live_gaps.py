"""Whoever reads live bars is told what of today is not recorded, and so in none of them."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.coverage import Span
from lake.errors import DamagedObjectError
from lake.exchange import compute_sessions
from lake.instant import microseconds
from serving_layer.app import create_app
from serving_layer.gaps import Gaps
from speed_layer.feed import Recorder
from speed_layer.views import MemoryView
from tests.feeding import DAY, OPEN_US, eventually, hours

MINUTE_US = 60 * 10**6
DAWN_US = microseconds(hours().days[0].dawn)
NOTES = (
    Span(DAWN_US, OPEN_US, "told"),
    Span(OPEN_US - MINUTE_US, OPEN_US + MINUTE_US, "lost", (), "the feed was not connected"),
    Span(OPEN_US - MINUTE_US, OPEN_US + MINUTE_US, "filled", ("AAPL",)),
    Span(OPEN_US - MINUTE_US, OPEN_US + MINUTE_US, "unfilled", ("MSFT",), "no answer"),
    Span(OPEN_US + MINUTE_US, OPEN_US + 5 * MINUTE_US, "told"),
)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(dt.datetime(2026, 1, 5, 16, tzinfo=dt.UTC))


@pytest.fixture
def gaps(lake: Lake, clock: SetClock) -> Gaps:
    return Gaps(lake.store, "massive", "trade", compute_sessions(dt.date(2026, 12, 31)), clock)


def note(lake: Lake, folder: Path, *notes: Span) -> None:
    with Recorder(lake.store, "massive", folder / "spool", hours()) as recorder:
        recorder.note(notes)


def whys(gaps: Gaps, symbol: str) -> list[str] | None:
    found = gaps.of(symbol)
    return found if found is None else [gap.why for gap in found]


def test_a_gap_is_told_of_whom_it_is_and_of_who_was_never_seen(
    gaps: Gaps, lake: Lake, tmp_path: Path
) -> None:
    """Until the last note.

    told      |--------####------)
    filled             ====          AAPL
    unfilled           xxxx          MSFT
    """
    note(lake, tmp_path, *NOTES)
    gaps.read()

    assert [] == gaps.of("AAPL")
    assert ["unfilled"] == whys(gaps, "MSFT")
    assert [
        Span(OPEN_US - MINUTE_US, OPEN_US + MINUTE_US, "lost", (), "the feed was not connected")
    ] == gaps.of("NEVER")


def test_what_is_noted_later_is_read_later(gaps: Gaps, lake: Lake, tmp_path: Path) -> None:
    gaps.read()
    before = gaps.of("MSFT")
    note(lake, tmp_path, *NOTES)
    gaps.read()
    meanwhile = whys(gaps, "MSFT")
    note(lake, tmp_path, Span(DAWN_US, OPEN_US + 5 * MINUTE_US, "filled", ("MSFT",)))
    gaps.read()

    assert (None, ["unfilled"], []) == (before, meanwhile, gaps.of("MSFT"))


def test_a_day_of_which_nothing_is_noted_yet_leaves_what_is_known(
    gaps: Gaps, lake: Lake, tmp_path: Path, clock: SetClock
) -> None:
    note(lake, tmp_path, *NOTES)
    gaps.read()
    clock.instant += dt.timedelta(days=1)
    gaps.read()

    assert ["unfilled"] == whys(gaps, "MSFT")


def test_while_notes_cannot_be_read_what_is_known_stays(
    gaps: Gaps, lake: Lake, tmp_path: Path
) -> None:
    note(lake, tmp_path, *NOTES)
    gaps.read()
    lake.store.put(keys.coverage("massive", DAY, 7), b"junk")
    with pytest.raises(DamagedObjectError):
        gaps.read()

    assert ["unfilled"] == whys(gaps, "MSFT")


def test_beside_other_work_it_says_that_notes_cannot_be_read(gaps: Gaps, lake: Lake) -> None:
    lake.store.put(keys.coverage("massive", DAY, 0), b"junk")
    stop = threading.Event()
    with capture_logs() as logs:
        thread = threading.Thread(target=gaps.keep_reading, args=(stop,))
        thread.start()
        assert eventually(lambda: len(logs) > 0)
        stop.set()
        thread.join()

    assert ["gaps are not known"] == [each["event"] for each in logs]


def test_the_answer_tells_gaps_and_null_where_they_are_not_known(
    gaps: Gaps, lake: Lake, tmp_path: Path
) -> None:
    note(lake, tmp_path, *NOTES)
    gaps.read()
    apps = [create_app(lake.reader, MemoryView(), gaps=told) for told in (gaps, None)]

    assert [
        [
            {
                "since": "2026-01-05T14:29:00Z",
                "until": "2026-01-05T14:31:00Z",
                "why": "unfilled",
                "told": "no answer",
            }
        ],
        None,
    ] == [asyncio.run(answer(app))["gaps"] for app in apps]


async def answer(app: FastAPI) -> dict[str, Any]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://fiblake") as client:
        told: dict[str, Any] = (await client.get("/v1/live/MSFT")).json()
        return told
