"""How benchmarks measure, and the table they print."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True)
class Measured:
    """One row of a table: seconds of one run, against how many rows it worked on."""

    what: str
    rows: int
    seconds: float

    @property
    def pace(self) -> str:
        return f"{self.rows / self.seconds:,.0f}"


def timed(what: str, rows: int, run: Callable[[], object]) -> Measured:
    started = time.perf_counter()
    run()
    return Measured(what, rows, time.perf_counter() - started)


def median_ms(run: Callable[[], object], *, times: int = 30) -> float:
    """Return the median of many runs, after one that warms up."""
    run()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1000


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}, DuckDB {version('duckdb')}, "
        f"Polars {version('polars')}"
    )
