"""How benchmarks measure: each in a process of its own, with its seconds and its peak of memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

ROOT: Final = Path(__file__).parents[2]
_KIB: Final = 1024
_KIB_IN_GIB: Final = 2**20
_TOGETHER: Final[list[bool]] = []


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
    given = json.dumps(arguments, default=str)
    if _TOGETHER:
        return Ran(json.loads(json.dumps(task(**json.loads(given)))), peak_gib=0)
    # What others wrote is on the disk before, or who syncs waits for it too.
    os.sync()
    name = f"{task.__module__}:{task.__name__}"
    command = [sys.executable, "-m", "tests.bench.timing", name, given]
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        msg = f"{name} ended with {done.returncode}"
        raise BenchmarkError(msg)
    return Ran(**json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def together() -> Iterator[None]:
    """Run measurements in this process: sooner done, where it does not matter what they measure."""
    _TOGETHER.append(True)
    try:
        yield
    finally:
        _TOGETHER.clear()


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


def resident_bytes() -> int:
    """Return how much memory this process has resident."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * _KIB


def _peak_gib() -> float:
    """Return the most memory that this process has held, or any child that it waited for."""
    # Not RUSAGE_SELF: what the parent had held when it started this process counts in that.
    status = Path("/proc/self/status").read_text("utf-8")
    own = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(int(own.split()[1]), children) / _KIB_IN_GIB


def _main() -> None:
    name, arguments = sys.argv[1:]
    module, _, task = name.partition(":")
    result = getattr(import_module(module), task)(**json.loads(arguments))
    # The last line is the answer to the process that started this one.
    print(json.dumps({"result": result, "peak_gib": _peak_gib()}))  # noqa: T201


if __name__ == "__main__":
    _main()
