"""The lakes that benchmarks work on: made-up markets, and copies of them."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from tests.bench.timing import Ran, run_alone, warm

LAST: Final = dt.date(2025, 10, 3)
CLOCK: Final = SetClock(dt.datetime(2025, 10, 8, 12, tzinfo=dt.UTC))


def lake_at(folder: Path | str) -> Lake:
    """Return the lake in a folder, some days after its market's last session."""
    return Lake(folder, clock=CLOCK)


def generate_task(folder: str, symbols: int, start: str) -> dict[str, Any]:
    """Generate a market."""
    report = lake_at(folder).generate(symbols, start=start, end=LAST)
    return {"seconds": report.seconds, "rows": report.bars}


@dataclass(frozen=True)
class Market:
    """A lake that holds a made-up market, bronze alone.

    Attributes:
        made: How it was generated.
    """

    folder: Path
    symbols: int
    made: Ran

    @property
    def rows(self) -> int:
        """Daily bars."""
        return int(self.made.result["rows"])


def make_market(work: Path, symbols: int, start: dt.date) -> Market:
    """Return a market of so many symbols, its files in the operating system's cache."""
    folder = work / f"market-{symbols}"
    made = run_alone(generate_task, folder=folder, symbols=symbols, start=start)
    warm(folder)
    return Market(folder, symbols, made)


def linked_copy(source: Path, target: Path, *, without: Collection[str] = ()) -> Path:
    """Return a copy of a lake by hard links, less the objects below some prefixes.

    Objects are replaced whole, never written into: the source stays as it is.
    """
    for path in source.rglob("*"):
        key = path.relative_to(source).as_posix()
        if path.is_file() and not key.startswith((".", *without)):
            (target / key).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target / key)
    return target


def without_silver(source: Path, target: Path) -> Path:
    """Return a copy of a lake that has yet to be resampled."""
    shutil.rmtree(target, ignore_errors=True)
    silver = (keys.SILVER, keys.SILVER_CHECKPOINTS, keys.BOUNDARY)
    return linked_copy(source, target, without=silver)
