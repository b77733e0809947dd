"""How benchmarks measure: each in a process of its own, with its seconds and its peak of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

ROOT: Final = Path(__file__).parents[2]
_KIB_IN_GIB: Final = 2**20


class BenchmarkError(Exception):
    """A measurement failed; its own process has said why on standard error."""


@dataclass(frozen=True)
class Ran:
    """What a measurement returned, and the most memory that its process held, in GiB."""

    result: dict[str, Any]
    peak_gib: float

    @property
    def seconds(self) -> float:
        return float(self.result["seconds"])


def run_alone(task: Callable[..., dict[str, Any]], **arguments: object) -> Ran:
    """Run a task in a process of its own; arguments and result go as JSON."""
    name = f"{task.__module__}:{task.__name__}"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.timing", name, json.dumps(arguments, default=str)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    # Of the child and of the children that it waited for.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        msg = f"{name} ended with {process.returncode}"
        raise BenchmarkError(msg)
    return Ran(json.loads(said.splitlines()[-1]), usage.ru_maxrss / _KIB_IN_GIB)


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def latencies_ms(queries: Sequence[Callable[[], object]], *, warm_up: int) -> tuple[float, float]:
    """Return p50 and p95 of queries, of which the first ones just warm up."""
    taken = [seconds_of(query) for query in queries][warm_up:]
    p50, p95 = np.percentile(taken, [50, 95]) * 1000
    return float(p50), float(p95)


def warm(folder: Path) -> None:
    """Read all files below a folder, so that the operating system has them in its cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, its first column flush left and the others flush right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _main() -> None:
    name, arguments = sys.argv[1:]
    module, _, task = name.partition(":")
    result = getattr(import_module(module), task)(**json.loads(arguments))
    print(json.dumps(result))  # noqa: T201 - the answer to the process that started this one


if __name__ == "__main__":
    _main()
