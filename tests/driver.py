"""Work on a lake in a process of its own, for tests to kill or to run side by side.

    python -m tests.driver LAKE_FOLDER STEP...

Steps: `wait` (for a line on standard input), `at=INSTANT` (sets the clock), `sample`,
`import=FILE`, `minutes=FILE`, `withdraw=FILE`, `splits=FILE`, `resample`. It says `ready` once its
imports are done and `done` after the last step. Below it: a store that interrupts a run in this
process, and what a test needs to compare the lakes that come of it.
"""

from __future__ import annotations

import datetime as dt
import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import duckdb
import polars as pl
import structlog

from batch_layer.bronze import minute
from batch_layer.fetching.splits_file import read_splits
from fiblake import Lake
from lake import keys
from lake.boundary import read_boundary
from lake.clock import SetClock
from lake.interval import FIBONACCI
from lake.store import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from lake.store import Stored

NOW: Final = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)

_ROOT: Final = Path(__file__).parents[1]
_SILVER: Final = "SELECT * FROM read_parquet(?, hive_partitioning = true)"
_BRONZE: Final = "SELECT * EXCLUDE (known_from) FROM read_parquet(?, hive_partitioning = true)"
_HISTORY: Final = (
    "SELECT * EXCLUDE (known_from, known_to) FROM read_parquet(?, hive_partitioning = true)"
)
TABLES: Final = {
    "silver": ("silver/interval=*d/**/*.parquet", _SILVER),
    "intraday": ("silver/interval=*[mh]/**/*.parquet", _SILVER),
    "minute": ("bronze/minute/**/*.parquet", _BRONZE),
    "bronze": ("bronze/daily/**/*.parquet", _BRONZE),
    "history": ("bronze/daily_history/**/*.parquet", _HISTORY),
    "splits": ("bronze/splits.parquet", _BRONZE),
}
"""What a lake holds, as any hive-style reader reads it, less the instants of the imports."""

Content = dict[str, list[tuple[Any, ...]]]


def perform(folder: Path, *steps: str) -> None:
    """Do the steps in this process."""
    clock = SetClock(NOW)
    lake = Lake(folder, clock=clock)
    for step in steps:
        name, _, value = step.partition("=")
        match name:
            case "wait":
                sys.stdin.readline()
            case "at":
                clock.instant = dt.datetime.fromisoformat(value)
            case "sample":
                lake.import_sample()
            case "import":
                lake.import_files(value)
            case "minutes":
                minute.commit(lake.store, pl.read_parquet(value))
            case "withdraw":
                lake.importer().withdraw_files([Path(value)])
            case "splits":
                lake.importer().import_files([], splits=read_splits(Path(value)))
            case "resample":
                lake.resample()
            case _:
                msg = f"{step!r} is not a step"
                raise ValueError(msg)


class Driven:
    """A process that does steps to a lake; leaving the block ends it."""

    def __init__(self, folder: Path, *steps: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.driver", str(folder), *steps],
            cwd=_ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_until_ready(self) -> None:
        """Return once its imports are done."""
        self._wait_until("ready")

    def wait_until_done(self) -> None:
        """Return once its work is done; it may not have ended yet."""
        self._wait_until("done")

    def go(self) -> None:
        """End its step `wait`."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def works(self) -> bool:
        """Return whether it has not ended yet."""
        return self._process.poll() is None

    def finish(self) -> tuple[int, str]:
        """Return its exit code and what it said on standard error, once it has ended."""
        _, errors = self._process.communicate()
        return self._process.returncode, errors

    def kill(self) -> bool:
        """Kill it, and return whether that cut its work short."""
        assert self._process.stdout is not None
        self._process.send_signal(signal.SIGKILL)
        said = self._process.stdout.read()
        return self._process.wait() == -signal.SIGKILL and "done" not in said

    def _wait_until(self, word: str) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline() != f"{word}\n":
            raise RuntimeError(self._process.communicate()[1])


def read_table(connection: duckdb.DuckDBPyConnection, folder: Path, table: str) -> pl.DataFrame:
    """Return a table of a lake as any hive-style reader reads it; it must have an object."""
    pattern, statement = TABLES[table]
    return connection.execute(statement, [f"{folder}/{pattern}"]).pl()


def objects(folder: Path) -> dict[str, str]:
    """Return the fingerprints of all objects of a lake."""
    return LocalStore(folder).fingerprints("")


TOLD = keys.landing("files", "told")


def content_of(folder: Path) -> Content:
    """Return all that a lake holds, in an order of its own."""
    status = Lake(folder, clock=SetClock(NOW)).status()
    stale = [(each.interval, each.partitions, each.bars, each.stale) for each in status.silver]
    content: Content = {
        "status": [(status.boundary, status.committed), (status.minute,), *stale],
        # How often commands told something may differ, as where one was killed and run again.
        "objects": [(key,) for key in objects(folder) if not key.startswith(TOLD)],
    }
    with duckdb.connect() as connection:
        for table, (pattern, _) in TABLES.items():
            if any(folder.glob(pattern)):
                content[table] = sorted(read_table(connection, folder, table).rows(), key=repr)
    return content


def differences(expected: Content, actual: Content) -> dict[str, list[tuple[Any, ...]]]:
    """Return, by table, the first few rows that are in one of two lakes alone."""
    found = {}
    for table in sorted(expected.keys() | actual.keys()):
        old, new = expected.get(table, []), actual.get(table, [])
        if old != new:
            odd = sorted(set(old) ^ set(new), key=repr)
            found[table] = [(f"{len(old)} rows, not {len(new)}",), *odd[:6]]
    return found


class Interrupted:
    """A folder in which `event` happens once, right before the n-th conditional put or get.

    Conditional puts take turns, so that the n-th is the n-th, and after each the boundary is noted,
    with the last session that every interval covers.
    """

    def __init__(
        self, folder: Path, event: Callable[[], None], *, put: int = 0, get: int = 0
    ) -> None:
        self._store = LocalStore(folder)
        self._event = event
        self._at = {"put": put, "get": get}
        self._seen = {"put": 0, "get": 0}
        self._turn = threading.Lock()
        self.notes: list[tuple[dt.date, dt.date]] = []

    @property
    def location(self) -> str:
        return self._store.location

    @property
    def puts(self) -> int:
        return self._seen["put"]

    def uri(self, key: str) -> str:
        return self._store.uri(key)

    def get(self, key: str) -> Stored:
        with self._turn:
            self._count("get")
        return self._store.get(key)

    def fingerprint(self, key: str) -> str | None:
        return self._store.fingerprint(key)

    def fingerprints(self, prefix: str) -> dict[str, str]:
        return self._store.fingerprints(prefix)

    def sizes(self, prefix: str) -> dict[str, int]:
        return self._store.sizes(prefix)

    def delete(self, key: str) -> None:
        self._store.delete(key)

    def put(self, key: str, data: bytes) -> str:
        return self._store.put(key, data)

    def put_if(self, key: str, data: bytes, fingerprint: str | None) -> str:
        with self._turn:
            self._count("put")
            placed = self._store.put_if(key, data, fingerprint)
            boundary = read_boundary(self._store).daily
            if boundary:
                self.notes.append((boundary, covered(self._store)))
            return placed

    def _count(self, what: str) -> None:
        self._seen[what] += 1
        if self._seen[what] == self._at[what]:
            self._event()


def covered(store: LocalStore) -> dt.date:
    """Return the last session that the bars of every interval consider."""
    with duckdb.connect() as connection:
        pattern = store.uri("silver/interval=*d/**/*.parquet")
        rows = connection.read_parquet(pattern, hive_partitioning=True)
        last = rows.aggregate("interval, max(through)").fetchall()
    return min(through for _, through in last) if len(last) == len(FIBONACCI) else dt.date.min


def main() -> None:
    """Do the steps that the command line names."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    perform(Path(sys.argv[1]), *sys.argv[2:])
    sys.stdout.write("done\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
