"""Bars of minutes and hours on the command line."""

from __future__ import annotations

import datetime as dt
import json

import polars as pl
import pytest

from fiblake import Lake
from tests.command_line import COLUMNS, Run
from tests.minutes import commit, every_minute

EARLY = dt.date(2024, 11, 29)
LAST_1H = f"""{COLUMNS}
AA,1h,2024-11-29T17:30:00Z,55.0,62.25,55.0,62.25,3000.0,58.625,60,1,2024-11-29,final,0
"""
BEFORE = f"""{COLUMNS}
AA,4h,2024-11-29T13:00:00Z,8.75,9.75,8.75,9.75,500.0,9.25,10,1,2024-11-29,final,0
AA,4h,2024-11-29T18:00:00Z,62.5,63.5,62.5,63.5,500.0,63.0,10,1,2024-11-29,final,0
"""


@pytest.fixture
def where(lake: Lake) -> tuple[str, str]:
    """A lake of one early close."""
    commit(lake, *every_minute("AA", EARLY, "09:25", "13:05", price=8.75))
    lake.resample()
    return ("--lake", lake.store.location)


def test_bars_of_hours_are_printed_with_their_instants(run: Run, where: tuple[str, str]) -> None:
    regular = run("bars", "AA", "--interval", "1h", "--format", "csv", *where).out
    extended = run(
        *("bars", "AA", "--interval", "4h", "--session", "extended", "--format", "csv"), *where
    ).out
    as_json = run("bars", "AA", "--interval", "1h", "--format", "json", *where).out
    table = run("bars", "AA", "--interval", "1h", *where).out
    run("bars", "AA", "--interval", "1h", "--output", "o.parquet", *where)

    assert [LAST_1H.splitlines()[1]] == regular.splitlines()[-1:]
    assert BEFORE == extended
    assert "2024-11-29T14:30:00Z" == json.loads(as_json)[0]["start"]
    assert "AA 1h 2024-11-29T14:30:00Z" == " ".join(table.splitlines()[2].split()[:3])
    assert pl.Datetime("us", "UTC") == pl.read_parquet("o.parquet").schema["start"]


def test_a_run_and_the_status_tell_of_minutes(run: Run, where: tuple[str, str]) -> None:
    again = run("resample", *where).out
    forced = run("resample", "--interval", "5m", "--force", *where).out
    status = run("status", *where).out.splitlines()
    told = json.loads(run("status", "--json", *where).out)

    assert again.startswith(
        "resampled: nothing to do, 5 partitions of minute bars are up to date through 2024-11-29 ("
    )
    assert forced.startswith(
        "resampled 220 minute bars into 44 bars, 1 of 1 partitions through 2024-11-29 ("
    )
    assert "minutes: boundary 2024-11-29, bronze 2024-11-29" == status[1]
    assert "minute 220 1 2024-11-29 2024-11-29" == " ".join(status[6].split())
    assert "5m 44 2024-11-29 1 0" == " ".join(status[10].split())
    assert 220 == told["minute"]["bars"]


def test_what_is_not_offered_is_misuse(run: Run, where: tuple[str, str]) -> None:
    refused = [
        run("bars", "AA", "--interval", "5m", "--adjustment", "all", *where),
        run("bars", "AA", "--interval", "5m", "--session", "night", *where),
        run("bars", "AA", "--interval", "13d", "--session", "extended", *where),
    ]

    assert [2, 2, 2] == [each.code for each in refused]
    assert "error: 'night' is not a session. Allowed: regular, extended." == refused[1].err.strip()
