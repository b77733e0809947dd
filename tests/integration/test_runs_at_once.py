"""Runs at once on one lake: in processes of their own, and interleaved at every conditional put.

The interleavings are made by a store in which something else happens right before the n-th
conditional put. Whatever it is, the loser notices, looks again and goes on.

    run A:  plan ──► put 1 ──► put 2 ──► ... put n-1 ──► │ ──► put n ──► ...
    run B:                                               └ a whole run ┘
"""

from __future__ import annotations

import datetime as dt
import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from batch_layer.fetching.importing import Importer, ImportReport
from batch_layer.processing.resample import ResampleReport, resample
from fiblake import Lake
from lake.clock import SetClock
from lake.interval import FIBONACCI
from lake.parquet import encode
from tests.driver import (
    NOW,
    Content,
    Driven,
    Interrupted,
    content_of,
    differences,
    perform,
    read_table,
)
from tests.integration.test_kills import copy_lake

if TYPE_CHECKING:
    from lake.session import SessionTable

_HEADER: Final = "symbol,date,open,high,low,close,volume"
_FIRST: Final = dt.date(2012, 3, 1)
_LAST: Final = dt.date(2012, 6, 29)
_NEXT: Final = dt.date(2012, 7, 2)
# An object and a checkpoint for each interval, and the boundary.
_PUTS: Final = range(1, 2 * len(FIBONACCI) + 2)


def _write(path: Path, *lines: str, header: str = _HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, sessions: SessionTable) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    days = [sessions[ordinal] for ordinal in sessions.ordinals(_FIRST, _LAST)]
    bars = [f"{name},{day},10,12,9,11,100" for name in ("AAA", "BBB") for day in days]
    more = [f"{name},{day},20,22,19,21,200" for name in ("CCC", "DDD") for day in days]
    return {
        "bars": _write(folder / "bars.csv", *bars),
        "more": _write(folder / "more.csv", *more),
        "correction": _write(folder / "correction.csv", "AAA,2012-03-01,10,13,9,12,150"),
        "other correction": _write(folder / "other.csv", "AAA,2012-03-01,10,14,9,13,170"),
        "changes": _write(
            folder / "changes.csv",
            "AAA,2012-03-01,10,13,9,12,150",
            f"AAA,{_NEXT},11,12,10,11,100",
            f"LATE,{_NEXT},5,6,4,5,50",
        ),
        "withdrawal": _write(folder / "gone.csv", "AAA,2012-03-01", header="symbol,date"),
    }


@pytest.fixture(scope="module")
def small_lake(
    tmp_path_factory: pytest.TempPathFactory, blank_lake: Path, files: dict[str, Path]
) -> Path:
    """Two listings and four months, imported; not to be written to."""
    folder = copy_lake(blank_lake, tmp_path_factory.mktemp("small") / "lake")
    perform(folder, f"import={files['bars']}")
    return folder


Undisturbed = Callable[..., Content]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Return what a lake holds once steps were done to it one by one."""
    known: dict[tuple[Path, ...], Content] = {}

    def content(source: Path, *steps: str) -> Content:
        key = (source, *map(Path, steps))
        if key not in known:
            folder = copy_lake(source, tmp_path_factory.mktemp("undisturbed") / "lake")
            perform(folder, *steps)
            known[key] = content_of(folder)
        return known[key]

    return content


def _resample_interrupted(folder: Path, put: int, *steps: str) -> ResampleReport:
    """Resample while `steps` happen before a conditional put, and judge the boundary all along."""
    store = Interrupted(folder, lambda: perform(folder, *steps), put=put)
    report = resample(store)
    boundaries = [boundary for boundary, _ in store.notes]
    assert sorted(boundaries) == boundaries
    assert [] == [note for note in store.notes if note[0] > note[1]]
    assert store.puts >= put
    return report


def test_a_first_resample_of_one_year_has_as_many_conditional_puts_as_are_interrupted_below(
    small_lake: Path, tmp_path: Path
) -> None:
    store = Interrupted(copy_lake(small_lake, tmp_path / "lake"), lambda: None)

    assert 0 == resample(store).conflicts
    assert len(_PUTS) == store.puts


@pytest.mark.parametrize("put", _PUTS)
def test_a_run_that_another_overtakes_at_any_put_notices_and_goes_on(
    small_lake: Path, tmp_path: Path, put: int, undisturbed: Undisturbed
) -> None:
    expected = undisturbed(small_lake, "resample")
    folder = copy_lake(small_lake, tmp_path / "lake")

    report = _resample_interrupted(folder, put, "resample")

    assert report.conflicts > 0
    assert _LAST.isoformat() == report.boundary
    assert {} == differences(expected, content_of(folder))


@pytest.mark.parametrize("put", _PUTS)
def test_a_run_with_an_older_view_never_undoes_a_newer_one(
    small_lake: Path, files: dict[str, Path], tmp_path: Path, put: int, undisturbed: Undisturbed
) -> None:
    changes = (f"import={files['changes']}", "resample")
    expected = undisturbed(small_lake, *changes)
    folder = copy_lake(small_lake, tmp_path / "lake")

    report = _resample_interrupted(folder, put, *changes)

    assert report.conflicts > 0
    assert _NEXT.isoformat() == report.boundary
    assert {} == differences(expected, content_of(folder))


@pytest.mark.parametrize("put", [1, 2, 7, 13])
def test_an_import_during_a_run_is_left_to_the_next_one(
    small_lake: Path, files: dict[str, Path], tmp_path: Path, put: int, undisturbed: Undisturbed
) -> None:
    change = f"import={files['changes']}"
    expected = undisturbed(small_lake, change, "resample")
    folder = copy_lake(small_lake, tmp_path / "lake")

    report = _resample_interrupted(folder, put, change)
    assert (0, _LAST.isoformat()) == (report.conflicts, report.boundary)

    perform(folder, "resample")
    assert {} == differences(expected, content_of(folder))


def _import_interrupted(
    folder: Path, mine: Path, *steps: str, put: int = 0, get: int = 0
) -> ImportReport:
    """Import a file while later steps happen before a conditional put, or before a get."""
    later = f"at={(NOW + dt.timedelta(minutes=1)).isoformat()}"
    store = Interrupted(folder, lambda: perform(folder, later, *steps), put=put, get=get)
    return Importer(store=store, clock=SetClock(NOW)).import_files([mine])


def _revisions(folder: Path) -> tuple[list[int], list[int]]:
    """Return the revisions of AAA's first bar: the current one, and those it replaced."""
    with duckdb.connect() as connection:
        current, past = (
            read_table(connection, folder, table)
            .filter(pl.col("symbol") == "AAA", pl.col("session") == _FIRST)
            .sort("revision")["revision"]
            .to_list()
            for table in ("bronze", "history")
        )
    return current, past


def _known(folder: Path) -> list[tuple[dt.datetime, dt.datetime | None]]:
    """Return from when and until when each revision of AAA's first bar was known."""
    statement = (
        "SELECT known_from, known_to FROM read_parquet([$1, $2], union_by_name = true) "
        "WHERE symbol = 'AAA' AND session = $3 ORDER BY revision"
    )
    keys = ("bronze/daily_history", "bronze/daily")
    binds = [f"{folder}/{key}/year=2012/bars.parquet" for key in keys]
    with duckdb.connect() as connection:
        return connection.execute(statement, [*binds, _FIRST]).pl().rows()


def _assert_one_revision_was_known_at_a_time(folder: Path) -> None:
    known = _known(folder)
    assert [new[0] for _, new in pairwise(known)] == [old[1] for old, _ in pairwise(known)]
    assert sorted(known_from for known_from, _ in known) == [known_from for known_from, _ in known]


# A correction is two conditional puts: of the history, then of the bars.
@pytest.mark.parametrize("put", [1, 2])
def test_one_correction_imported_twice_at_once_is_one_revision(
    small_lake: Path, files: dict[str, Path], tmp_path: Path, put: int
) -> None:
    folder = copy_lake(small_lake, tmp_path / "lake")
    report = _import_interrupted(
        folder, files["correction"], f"import={files['correction']}", put=put
    )

    assert (0, 1) == (report.corrected, report.unchanged)
    assert ([1], [0]) == _revisions(folder)
    _assert_one_revision_was_known_at_a_time(folder)


@pytest.mark.parametrize("put", [1, 2])
@pytest.mark.parametrize(
    ("other", "past"), [("import=other correction", [0, 1]), ("withdraw=withdrawal", [0])]
)
def test_a_bar_corrected_or_withdrawn_while_it_is_corrected_counts_both_changes(
    small_lake: Path, files: dict[str, Path], tmp_path: Path, put: int, other: str, past: list[int]
) -> None:
    folder = copy_lake(small_lake, tmp_path / "lake")
    what, _, name = other.partition("=")
    _import_interrupted(folder, files["correction"], f"{what}={files[name]}", put=put)

    assert ([2], past) == _revisions(folder)


@pytest.mark.parametrize("put", [1, 2])
def test_an_import_into_a_year_that_another_writes_loses_nothing(
    small_lake: Path, files: dict[str, Path], tmp_path: Path, put: int, undisturbed: Undisturbed
) -> None:
    steps = [f"import={files[name]}" for name in ("more", "correction")]
    expected = undisturbed(small_lake, *steps)
    folder = copy_lake(small_lake, tmp_path / "lake")

    _import_interrupted(folder, files["correction"], f"import={files['more']}", put=put)
    assert {} == differences(expected, content_of(folder))


def test_a_slow_import_does_not_date_its_revision_before_the_one_it_replaces(
    small_lake: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_lake(small_lake, tmp_path / "lake")
    other = f"import={files['other correction']}"
    _import_interrupted(folder, files["correction"], other, put=1)

    _assert_one_revision_was_known_at_a_time(folder)


def test_an_import_that_reads_between_two_writes_of_another_leaves_its_history_alone(
    small_lake: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_lake(small_lake, tmp_path / "lake")
    # It gets the sessions, then the bars of the year, then their history.
    _import_interrupted(folder, files["correction"], f"import={files['correction']}", get=3)

    assert ([1], [0]) == _revisions(folder)
    _assert_one_revision_was_known_at_a_time(folder)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory, blank_lake: Path) -> Path:
    """The sample, imported; not to be written to."""
    folder = copy_lake(blank_lake, tmp_path_factory.mktemp("imported") / "lake")
    perform(folder, "sample")
    return folder


def _run_at_once(folder: Path, *runs: str, later: str | None = None) -> None:
    """Run steps in processes of their own, at once; one of them once silver is being written."""
    with ExitStack() as stack:
        driven = [stack.enter_context(Driven(folder, "wait", step)) for step in runs]
        late = [stack.enter_context(Driven(folder, "wait", later))] if later else []
        for each in (*driven, *late):
            each.wait_until_ready()
        for each in driven:
            each.go()
        while late and not any(folder.glob("silver/**/*.parquet")):
            time.sleep(0.01)
        for each in late:
            each.go()
        ends = [each.finish() for each in (*driven, *late)]
    assert [(0, "")] * len(ends) == ends


@pytest.mark.parametrize("runs", [2, 4])
def test_resamplers_at_once_leave_what_one_leaves(
    imported: Path, sample_lake_folder: Path, tmp_path: Path, runs: int
) -> None:
    folder = copy_lake(imported, tmp_path / "lake")
    _run_at_once(folder, *["resample"] * runs)

    assert () == Lake(folder).resample().rebuilt
    assert {} == differences(content_of(sample_lake_folder), content_of(folder))


def test_an_import_while_resamplers_run_is_in_silver_after_one_more_run(
    imported: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    changes = _write(
        tmp_path / "changes.csv",
        *(f"AAPL,{year}-06-01,10,13,9,12,150" for year in (2001, 2004, 2007, 2010, 2012)),
        "IBM,2013-03-04,201,203,200,202,5000000",
    )
    change = f"import={changes}"
    folder = copy_lake(imported, tmp_path / "lake")
    _run_at_once(folder, "resample", "resample", later=change)

    Lake(folder).resample()
    assert () == Lake(folder).resample().rebuilt
    assert {} == differences(undisturbed(imported, change, "resample"), content_of(folder))


def test_imports_of_different_files_at_once_bring_in_every_bar(
    blank_lake: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    steps = [
        f"import={_write(tmp_path / f'{name}.csv', *_one_bar_a_month(name))}"
        for name in ("AAA", "BBB")
    ]
    folder = copy_lake(blank_lake, tmp_path / "lake")
    _run_at_once(folder, *steps)

    assert {} == differences(undisturbed(blank_lake, *steps), content_of(folder))


def test_one_correction_imported_at_once_by_processes_is_one_revision(
    imported: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    lines = [line.replace("10,12,9,11", "10,13,9,12") for line in _one_bar_a_month("AAPL")]
    step = f"import={_write(tmp_path / 'correction.csv', *lines)}"
    folder = copy_lake(imported, tmp_path / "lake")
    _run_at_once(folder, step, step)

    assert {} == differences(undisturbed(imported, step), content_of(folder))


def _one_bar_a_month(symbol: str) -> list[str]:
    """Return a bar near the 9th of each month, never a holiday, for eight years."""
    days = (dt.date(year, month, 9) for year in range(2005, 2013) for month in range(1, 13))
    weekdays = (day - dt.timedelta(days=max(day.weekday() - 4, 0)) for day in days)
    return [f"{symbol},{day},10,12,9,11,100" for day in weekdays]


# Some times as long as a read takes: many reads meet a write, but none meets one every time.
_BETWEEN_WRITES_S = 0.15


def test_a_reader_never_fails_while_what_it_reads_is_replaced(
    own_sample_lake: Lake,
) -> None:
    key = "silver/interval=13d/year=2012/bars.parquet"
    stored = own_sample_lake.store.get(key).data
    # The same rows at other places in the file: every answer should be the same.
    other = encode(pq.read_table(io.BytesIO(stored)).sort_by([("start", "descending")]))
    expected = own_sample_lake.bars("AAPL", "13d")
    done = threading.Event()

    def replace() -> None:
        for data in cycle((other, stored)):
            own_sample_lake.store.put(key, data)
            if done.wait(_BETWEEN_WRITES_S):
                return

    with ThreadPoolExecutor(1) as writer:
        replacing = writer.submit(replace)
        try:
            answers = [own_sample_lake.bars("AAPL", "13d") for _ in range(200)]
        finally:
            done.set()
        replacing.result()
    assert all(expected.equals(answer) for answer in answers)
