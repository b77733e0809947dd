"""To which minute trades count, and what their conditions let them move."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.conditions import bundled
from lake.eligibility import OUTSIDE, judged
from lake.event import EVERYTHING, HIGH_LOW, VOLUME
from lake.exchange import compute_sessions
from lake.hours import timetable
from lake.session import SessionTable

ZONE = ZoneInfo("America/New_York")
FRIDAY = dt.date(2012, 11, 23)  # an early close, at 13:00
MONDAY = dt.date(2012, 11, 26)


@pytest.fixture(scope="module")
def table() -> SessionTable:
    return compute_sessions(dt.date(2012, 12, 31))


def micros(day: dt.date, time: str) -> int:
    instant = dt.datetime.combine(day, dt.time.fromisoformat(time), ZONE)
    return int(instant.timestamp() * 1_000_000)


def judge(table: SessionTable, day: dt.date, time: str, *codes: int) -> tuple[int, int]:
    frame = pl.DataFrame(
        {"time": [micros(day, time)], "conditions": [list(codes)]},
        schema_overrides={"conditions": pl.List(pl.Int32)},
    )
    row = judged(frame, bundled(), timetable(table, FRIDAY, MONDAY)).row(0, named=True)
    return row["minute"], row["moves"]


#   04:00        09:30                    16:00             20:00
#     |  extended  |        regular         |    extended     |
#     x...........................................................  each minute is of its hours
#                                       15:59 <-- closing print, whenever it comes after the close
@pytest.mark.parametrize(
    ("time", "codes", "minute", "moves"),
    [
        ("09:30:00", (), "09:30", EVERYTHING),
        ("15:59:59.999999", (), "15:59", EVERYTHING),
        ("16:00:00", (), "16:00", EVERYTHING),
        ("16:00:05", (8,), "15:59", EVERYTHING),
        ("15:59:30", (8,), "15:59", EVERYTHING),
        ("10:00:00", (37,), "10:00", VOLUME),
        ("10:00:00", (33,), "10:00", HIGH_LOW | VOLUME),
        ("10:00:00", (14, 37), "10:00", VOLUME),
        ("10:00:00", (15,), "10:00", 0),
        ("08:00:00", (12,), "08:00", EVERYTHING),
        ("08:00:00", (12, 37), "08:00", VOLUME),
        ("10:00:00", (12,), "10:00", VOLUME),
        ("10:00:00", (9999,), "10:00", EVERYTHING),
    ],
)
def test_a_trade_s_minute_and_what_it_moves(
    table: SessionTable, time: str, codes: tuple[int, ...], minute: str, moves: int
) -> None:
    assert (micros(MONDAY, minute), moves) == judge(table, MONDAY, time, *codes)


def test_a_closing_print_counts_to_the_last_minute_of_an_early_close(table: SessionTable) -> None:
    assert (micros(FRIDAY, "12:59"), EVERYTHING) == judge(table, FRIDAY, "13:00:10", 8)


@pytest.mark.parametrize("time", ["03:59:59", "20:00:00"])
def test_what_no_hours_have_is_outside(table: SessionTable, time: str) -> None:
    assert OUTSIDE == judge(table, MONDAY, time)[0]


def test_a_saturday_is_outside(table: SessionTable) -> None:
    assert OUTSIDE == judge(table, dt.date(2012, 11, 24), "10:00")[0]


def test_a_trade_among_thousands_is_judged_as_it_is_alone(table: SessionTable) -> None:
    codes = [[], [12], None, [37], [8], [14, 37]] * 500
    times = [micros(FRIDAY, text) for text in ("08:00:00", "10:00:00", "13:00:05", "21:00:00")]
    frame = pl.DataFrame(
        {"time": times * 750, "conditions": codes},
        schema_overrides={"conditions": pl.List(pl.Int32)},
    )
    days = timetable(table, FRIDAY, MONDAY)
    few = pl.concat([judged(some, bundled(), days) for some in frame.iter_slices(12)])

    assert_frame_equal(few, judged(frame, bundled(), days))
