"""The hours of sessions: winter and summer, early closes and odd days of long ago."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from lake.errors import UnknownSessionError
from lake.hours import DAY_MINUTES, hours_of, timetable
from lake.session import SessionTable
from tests.minutes import at

WINTER, SUMMER = dt.date(2024, 3, 8), dt.date(2024, 3, 11)
EARLY = dt.date(2024, 11, 29)
ODD = {
    dt.date(1963, 11, 22): ("10:00", "14:07"),  # the president was shot
    dt.date(1968, 2, 1): ("10:00", "14:00"),  # the back offices had paper to catch up with
    dt.date(1985, 9, 30): ("09:30", "16:00"),  # the first day to open at half past nine
    dt.date(2024, 7, 3): ("09:30", "13:00"),
    EARLY: ("09:30", "13:00"),
}


def test_clocks_change_between_sessions_and_hours_with_them(sessions: SessionTable) -> None:
    winter, summer = hours_of(WINTER, sessions), hours_of(SUMMER, sessions)

    assert (9, 14) == (winter.dawn.hour, winter.open.hour)
    assert (8, 13) == (summer.dawn.hour, summer.open.hour)
    assert (330, 720) == winter.edges == summer.edges


@pytest.mark.parametrize(("session", "times"), ODD.items())
def test_a_session_opens_and_closes_as_the_exchange_did(
    sessions: SessionTable, session: dt.date, times: tuple[str, str]
) -> None:
    hours = hours_of(session, sessions)

    assert tuple(at(session, time) for time in times) == (hours.open, hours.close)
    assert (at(session, "04:00"), at(session, "20:00")) == (hours.dawn, hours.dusk)


def test_buckets_are_anchored_at_dawn_at_the_open_and_at_the_close(sessions: SessionTable) -> None:
    #  04:00      08:00   09:30 10:30 11:30 12:30 13:00 14:00      19:00 20:00
    #  |----------|-------|-----|-----|-----|-----|-----|--- ... --|-----|
    begin, length = hours_of(EARLY, sessions).buckets(60)

    assert [0, 60, 120, 180, 240, 300, 330, 390, 450, 510, 540, 600, 660, 720, 780, 840, 900] == (
        np.unique(begin).tolist()
    )
    assert 30 == length[329] == length[539]
    assert {60} == set(length[540:].tolist())


@pytest.mark.parametrize("minutes", [5, 15, 60, 120, 240])
def test_each_minute_of_the_day_is_in_one_bucket(sessions: SessionTable, minutes: int) -> None:
    for session in (*ODD, WINTER, SUMMER):
        begin, length = hours_of(session, sessions).buckets(minutes)
        firsts = np.unique(begin)

        assert DAY_MINUTES == length[firsts].sum()
        assert (begin <= np.arange(DAY_MINUTES)).all()
        assert (np.arange(DAY_MINUTES) < begin + length).all()


def test_a_start_is_in_the_hours_of_its_session_or_in_none(sessions: SessionTable) -> None:
    days = timetable(sessions, dt.date(2024, 11, 27), EARLY)
    starts = [
        at(dt.date(2024, 11, 27), "03:59"),
        at(dt.date(2024, 11, 27), "04:00"),
        at(dt.date(2024, 11, 27), "19:59"),
        at(dt.date(2024, 11, 27), "20:00"),
        at(dt.date(2024, 11, 28), "12:00"),  # a holiday
        at(EARLY, "12:00"),
        at(dt.date(2024, 12, 2), "12:00"),  # behind the table
    ]

    numbers = days.of(np.array([int(start.timestamp()) * 1_000_000 for start in starts]))

    assert [-1, 0, 0, -1, -1, 1, -1] == numbers.tolist()


def test_what_is_no_session_has_no_hours(sessions: SessionTable) -> None:
    with pytest.raises(UnknownSessionError, match="2024-11-28 is not a session of NYSE"):
        hours_of(dt.date(2024, 11, 28), sessions)
