"""Minutes committed and resampled by two at once, and killed at any moment.

run A:  plan ──► put 1 ──► put 2 ──► ... put n-1 ──► │ ──► put n ──► ...
run B:                                               └ a whole run ┘
"""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path
from typing import Final

import polars as pl
import pytest

from batch_layer.bronze import minute
from batch_layer.bronze.daily import Changes
from batch_layer.processing.resample import ResampleReport, resample
from fiblake import Lake
from lake.errors import ConflictError
from lake.interval import INTRADAY
from tests.driver import Content, Driven, Interrupted, content_of, differences, perform
from tests.integration.test_kills import Work, copy_lake, kill_over_and_over, work_of
from tests.minutes import Row, assert_intraday_is_right, at, bar, bronze, every_minute, frame

DAYS: Final = (dt.date(2024, 11, 27), dt.date(2024, 11, 29))
NEXT: Final = dt.date(2024, 12, 2)
# Five objects and a checkpoint for each session, and the boundary.
_PUTS: Final = range(1, len(DAYS) * (len(INTRADAY) + 1) + 2)


def write(path: Path, *rows: Row) -> Path:
    frame(*rows).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    first = [row for day in DAYS for row in every_minute("AA", day, "09:30", "10:30")]
    changed = bar("AA", at(DAYS[0], "09:30"), 99.0)
    return {
        "first": write(folder / "first.parquet", *first),
        "changes": write(
            folder / "changes.parquet",
            changed,
            *every_minute("AA", NEXT, "09:30", "10:30"),
            *every_minute("LATE", DAYS[1], "10:00", "10:10"),
        ),
        "other": write(folder / "other.parquet", {**changed, "volume": 7.0}),
    }


@pytest.fixture(scope="module")
def small_lake(
    tmp_path_factory: pytest.TempPathFactory, blank_lake: Path, files: dict[str, Path]
) -> Path:
    """One symbol in two sessions, committed; not to be written to."""
    folder = copy_lake(blank_lake, tmp_path_factory.mktemp("small") / "lake")
    perform(folder, f"minutes={files['first']}")
    return folder


def undisturbed(source: Path, folder: Path, *steps: str) -> Content:
    perform(copy_lake(source, folder), *steps)
    return content_of(folder)


def test_a_first_resample_has_as_many_conditional_puts_as_are_interrupted_below(
    small_lake: Path, tmp_path: Path
) -> None:
    store = Interrupted(copy_lake(small_lake, tmp_path / "lake"), lambda: None)

    assert 0 == _intraday(resample(store)).conflicts
    assert len(_PUTS) == store.puts


@pytest.mark.parametrize("put", _PUTS)
def test_a_run_that_another_overtakes_at_any_put_notices_and_goes_on(
    small_lake: Path, files: dict[str, Path], tmp_path: Path, put: int
) -> None:
    changes = (f"minutes={files['changes']}", "resample")
    expected = undisturbed(small_lake, tmp_path / "undisturbed", *changes)
    folder = copy_lake(small_lake, tmp_path / "lake")
    store = Interrupted(folder, lambda: perform(folder, *changes), put=put)

    report = _intraday(resample(store))
    # What came meanwhile was in no plan of this run where it lost nothing.
    perform(folder, "resample")

    assert report.conflicts > 0
    assert {} == differences(expected, content_of(folder))


@pytest.mark.parametrize("put", [1, 2])
def test_of_two_commits_to_one_session_none_is_lost(
    small_lake: Path, files: dict[str, Path], tmp_path: Path, put: int
) -> None:
    folder = copy_lake(small_lake, tmp_path / "lake")
    other = f"minutes={files['other']}"
    store = Interrupted(folder, lambda: perform(folder, other), put=put)

    changes = minute.commit(store, pl.read_parquet(files["changes"]))
    perform(folder, "resample")

    assert Changes(added=70, corrected=1) == changes
    (row,) = (each for each in bronze(store, DAYS[0]) if each["start"] == at(DAYS[0], "09:30"))
    assert 2 == row["revision"]
    assert ((100.0, 7.0)[put - 1]) == row["volume"]
    assert_intraday_is_right(Lake(folder))


def test_a_session_that_never_stays_the_same_is_given_up_on(
    small_lake: Path, tmp_path: Path
) -> None:
    class Contested(Interrupted):
        def put_if(self, key: str, data: bytes, fingerprint: str | None) -> str:
            fact = f"{key}: {len(data)} bytes for {fingerprint}"
            raise ConflictError(fact)

    store = Contested(copy_lake(small_lake, tmp_path / "lake"), lambda: None)

    with pytest.raises(ConflictError, match="of 2024-11-27 kept changing under 10 attempts"):
        minute.commit(store, frame(bar("AA", at(DAYS[0], "09:30"), 99.0)))


def test_two_processes_at_once_leave_what_one_would(
    small_lake: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    steps = (f"minutes={files['changes']}", "resample")
    expected = undisturbed(small_lake, tmp_path / "undisturbed", *steps)
    folder = copy_lake(small_lake, tmp_path / "lake")

    with Driven(folder, "wait", *steps) as one, Driven(folder, "wait", *steps) as other:
        for driven in (one, other):
            driven.wait_until_ready()
        going = [threading.Thread(target=driven.go) for driven in (one, other)]
        for each in going:
            each.start()
        ended = [driven.finish() for driven in (one, other)]

    assert [(0, ""), (0, "")] == ended
    assert {} == differences(expected, content_of(folder))


def test_work_killed_at_any_moment_and_run_again_leaves_what_an_undisturbed_run_does(
    blank_lake: Path, tmp_path: Path
) -> None:
    tally = kill_over_and_over(_works(tmp_path, blank_lake), tmp_path / "lake", 8)

    assert tally.reads > 0
    assert tally.half_done > 0


def _works(root: Path, blank_lake: Path) -> list[Work]:
    days = [*DAYS, NEXT, dt.date(2024, 12, 3)]
    names = [f"S{number}" for number in range(20)]
    rows = [
        row for name in names for day in days for row in every_minute(name, day, "09:30", "13:00")
    ]
    again = [{**row, "volume": 500.0} for row in rows if row["symbol"] < "S15"]
    first = write(root / "first.parquet", *rows)
    later = write(root / "later.parquet", *again)
    first_commit = work_of("first commit", (f"minutes={first}",), blank_lake, root)
    first_run = work_of("first resample", ("resample",), first_commit.after, root)
    later_commit = work_of("later commit", (f"minutes={later}",), first_run.after, root)
    later_run = work_of("later resample", ("resample",), later_commit.after, root)
    return [first_commit, first_run, later_commit, later_run]


def _intraday(report: ResampleReport) -> ResampleReport:
    assert report.intraday is not None
    return report.intraday
