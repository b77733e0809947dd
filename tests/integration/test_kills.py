"""Work that is killed at random moments, and run again, ends as if nothing had happened.

A reader that knows nothing of us reads on all the while: bronze and silver, through plain DuckDB.

    KILLS=100 pytest tests/integration/test_kills.py -s
"""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import duckdb
import polars as pl

from tests.driver import (
    NOW,
    TABLES,
    Content,
    Driven,
    content_of,
    differences,
    objects,
    perform,
    read_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEYS: Final = {
    "silver": ("interval", "listing", "start"),
    "intraday": ("interval", "symbol", "start"),
    "bronze": ("symbol", "session"),
    "minute": ("symbol", "start"),
}

_KILLS: Final = int(os.environ.get("KILLS", "10"))
_SEED: Final = int(os.environ.get("SEED", "13"))
# The run after a kill is a later one: no row may depend on when it was imported.
_LATER: Final = f"at={NOW.replace(month=2).isoformat()}"
_HEADER: Final = "symbol,date,open,high,low,close,volume"

_CORRECTIONS: Final = (
    _HEADER,
    "AAPL,2001-05-01,25,26,24,25.5,1000000",  # corrected, a long time ago
    "MSFT,2007-12-31,35,36,34,35.5,2000000",  # the last session of a year
    "LATE,2007-12-31,10,11,9,10.5,3000000",  # a symbol that comes late
    "LATE,2008-01-02,10,12,9,11.5,4000000",
    "IBM,2013-03-04,201,203,200,202,5000000",  # a new session
)
_WITHDRAWN: Final = ("symbol,date", "GOOG,2009-06-01", "IBM,2010-01-04")
_SPLITS: Final = ("symbol,effective,ratio", "IBM,2011-06-15,3:1")


@dataclass(frozen=True, slots=True)
class Work:
    """Something to do to a lake.

    Attributes:
        steps: What to do, for the driver.
        before: A lake to do it to; not to be written to.
        after: The same lake when it was done, undisturbed.
        content: What that holds.
        span_s: From when to when a process of its own writes, while a reader reads.
    """

    name: str
    steps: tuple[str, ...]
    before: Path
    after: Path
    content: Content
    span_s: tuple[float, float]


@dataclass(slots=True)
class Tally:
    """What came of many kills: `half_done` are those that hit between two writes."""

    kills: int = 0
    interrupted: int = 0
    half_done: int = 0
    reads: int = 0
    read_again: int = 0
    by_work: dict[str, int] = field(default_factory=dict)


def prepare(root: Path, blank_lake: Path, sample_lake: Path) -> list[Work]:
    """Return what is to be killed: import and resample, from nothing and of changes."""
    changes = (
        f"import={_file(root / 'corrections.csv', _CORRECTIONS)}",
        f"withdraw={_file(root / 'withdrawn.csv', _WITHDRAWN)}",
        f"splits={_file(root / 'splits.csv', _SPLITS)}",
    )
    first_import = work_of("first import", ("sample",), blank_lake, root)
    first_resample = work_of("first resample", ("resample",), first_import.after, root)
    later_import = work_of("import of changes", changes, sample_lake, root)
    later_resample = work_of("resample of changes", ("resample",), later_import.after, root)
    return [first_import, first_resample, later_import, later_resample]


def copy_lake(source: Path, target: Path) -> Path:
    """Copy a lake; fingerprints are times of modification, which the copy keeps."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=shutil.copy2)
    return target


def kill_over_and_over(
    works: list[Work],
    folder: Path,
    kills: int,
    on_progress: Callable[[Tally], None] = lambda _tally: None,
) -> Tally:
    """Kill work at random moments, run it to its end, and hold the lake to the undisturbed one."""
    chance = random.Random(_SEED)  # noqa: S311 - a seed makes the same moments again
    tally = Tally()
    while tally.kills < kills:
        work = works[sum(tally.by_work.values()) % len(works)]
        tally.by_work[work.name] = tally.by_work.get(work.name, 0) + 1
        copy_lake(work.before, folder)
        with Watcher(folder, work.before, work.after) as watcher:
            # Sometimes the run that would make it good is killed as well.
            for _ in range(chance.choice((1, 1, 1, 2))):
                _kill(work, watcher, chance.uniform(*work.span_s), tally)
            perform(folder, _LATER, *work.steps)
        tally.reads += watcher.reads
        tally.read_again += watcher.read_again
        assert [] == watcher.failures, f"{work.name}, kill {tally.kills}, seed {_SEED}"
        assert {} == differences(work.content, content_of(folder)), f"{work.name}, {tally}"
        on_progress(tally)
    return tally


class Watcher:
    """Reads a lake over and over, in a thread, and holds every row to what it may be.

    Attributes:
        folder: The lake.
        reads: How often it read.
        read_again: How often an object was replaced under DuckDB, which then fails: it opens a
            file twice, for its footer and for its pages. It must not fail otherwise.
        failures: What was wrong, in words.
    """

    def __init__(self, folder: Path, before: Path, after: Path) -> None:
        self.reads = 0
        self.read_again = 0
        self.failures: list[str] = []
        self._states = {table: _states(before, after, table) for table in KEYS}
        self.folder = folder
        self._stop = threading.Event()
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._running.set()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._running.set()
        self._thread.join()

    def rest(self) -> None:
        """Leave the machine to a process that starts and does not write yet."""
        self._running.clear()

    def resume(self) -> None:
        """Read again."""
        self._running.set()

    def _watch(self) -> None:
        # On one core: the other is for the work.
        with duckdb.connect(config={"threads": 1}) as connection:
            while not self._stop.is_set() and not self.failures:
                self._running.wait()
                for table in KEYS:
                    if any(self.folder.glob(TABLES[table][0])):
                        self._read(connection, table)

    def _read(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        seen = objects(self.folder)
        try:
            rows = read_table(connection, self.folder, table)
        except duckdb.Error as error:
            self.read_again += 1
            if seen == objects(self.folder):
                self.failures.append(f"{table} cannot be read: {error}")
            return
        self.reads += 1
        self._check(table, rows)

    def _check(self, table: str, rows: pl.DataFrame) -> None:
        key = KEYS[table]
        known, lasting = self._states[table]
        faults = {
            "twice": rows.filter(pl.struct(key).is_duplicated()),
            "neither old nor new": rows.join(known, on=rows.columns, how="anti", nulls_equal=True),
            "lost": lasting.join(rows, on=key, how="anti"),
        }
        for fault, found in faults.items():
            if not found.is_empty():
                self.failures.append(f"{table}: {found.height} {fault}, as {found.row(0)}")


def _states(before: Path, after: Path, table: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows there may be, and the keys there must be all the while."""
    key = KEYS[table]
    with duckdb.connect() as connection:
        states = [
            read_table(connection, lake, table) for lake in (before, after) if _has(lake, table)
        ]
    known = pl.concat(states).unique() if states else pl.DataFrame()
    if len(states) < len((before, after)):
        return known, pl.DataFrame(schema=known.select(key).schema if states else None)
    return known, states[0].join(states[1], on=key, how="semi").select(key)


def _has(lake: Path, table: str) -> bool:
    return any(lake.glob(TABLES[table][0]))


def _kill(work: Work, watcher: Watcher, after_s: float, tally: Tally) -> None:
    before = objects(watcher.folder)
    with _started(work.steps, watcher) as driven:
        time.sleep(after_s)
        interrupted = driven.kill()
    tally.kills += 1
    tally.interrupted += interrupted
    tally.half_done += interrupted and before != objects(watcher.folder)


def _started(steps: tuple[str, ...], watcher: Watcher) -> Driven:
    watcher.rest()
    driven = Driven(watcher.folder, "wait", *steps)
    driven.wait_until_ready()
    watcher.resume()
    driven.go()
    return driven


def work_of(name: str, steps: tuple[str, ...], before: Path, root: Path) -> Work:
    """Return some work, done to a copy of a lake once, and watched on another."""
    after = copy_lake(before, root / name)
    perform(after, *steps)
    trial = copy_lake(before, root / "trial")
    untouched = objects(trial)
    with Watcher(trial, before, after) as watcher, _started(steps, watcher) as driven:
        started = time.perf_counter()
        while objects(trial) == untouched and driven.works():
            time.sleep(0.002)
        first_s = time.perf_counter() - started
        driven.wait_until_done()
        last_s = time.perf_counter() - started
    assert [] == watcher.failures
    return Work(name, steps, before, after, content_of(after), (first_s * 0.8, last_s))


def _file(path: Path, lines: tuple[str, ...]) -> Path:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_work_killed_at_any_moment_and_run_again_leaves_the_lake_of_an_undisturbed_run(
    tmp_path: Path, blank_lake: Path, sample_lake_folder: Path
) -> None:
    works = prepare(tmp_path, blank_lake, sample_lake_folder)
    tally = kill_over_and_over(works, tmp_path / "lake", _KILLS)
    print(tally)  # noqa: T201 - pytest shows it with -s
    assert tally.reads > 0
    # Else the kills came before the work, or after it.
    assert tally.half_done > 0
