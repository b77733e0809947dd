"""A thousand subscribers to prices: how many updates they get, and how old those are."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any, Final

from tests.bench.stream_server import APP, STACKS, Served
from tests.bench.subscribers import Asked
from tests.bench.timing import ROOT, BenchmarkError, markdown
from tests.parts import free_port

PER_SECOND: Final = 5_000
SYMBOLS: Final = 500
SUBSCRIBERS: Final = 1_000
CHANNELS: Final = 100
HALF: Final = 50
"""With which they take what is promised; with the others twice that."""
_FEW: Final = 20
PROBES: Final = 50
_START_S: Final = 60.0
_FULL: Final = {"warm_up_s": 5.0, "seconds": 20.0}
_TINY: Final = {"warm_up_s": 0.5, "seconds": 1.0}
_PACKAGES: Final = {"granian": "granian", "floor: picows": "picows"}
_OURS: Final = (APP, "floor: asyncio")
"""Those that say whether it measures at all."""
_COLUMNS: Final = (
    ("updates/s", "updates", "{:,.0f}"),
    ("frames/s", "frames", "{:,.0f}"),
    ("p50 ms", "p50_ms", "{:.1f}"),
    ("p99 ms", "p99_ms", "{:.1f}"),
    ("disconnected", "disconnected", "{:.0f}"),
    ("CPU", "server_cpu", "{:.0%}"),
    ("MiB", "server_mib", "{:,.0f}"),
    ("subscribers' CPU", "own_cpu", "{:.0%}"),
)


@contextmanager
def served(stack: str, *, symbols: int, per_second: int, zero: float) -> Iterator[tuple[int, int]]:
    """Serve by a stack, in a process of its own; yield port and process."""
    given = Served(stack, free_port(), symbols, per_second, zero)
    command = [sys.executable, "-m", "tests.bench.stream_server", json.dumps(asdict(given))]
    # Of a group of its own: granian's workers outlive the process that made them.
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            _await(given.port, process)
            yield given.port, process.pid
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    msg = f"the server does not listen: it ended with {process.poll()}"
    raise BenchmarkError(msg)


def subscribed(asked: Asked, zero: float) -> dict[str, float]:
    """Let a process subscribe, and return what it measured."""
    given = json.dumps({**asdict(asked), "zero": zero})
    command = [sys.executable, "-m", "tests.bench.subscribers", given]
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        msg = f"the subscribers ended with {done.returncode}"
        raise BenchmarkError(msg)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def measured(
    stack: str, count: int, channels: int = CHANNELS, *, warm_up_s: float, seconds: float
) -> dict[str, float]:
    """Return what subscribers got of a stack, with so many channels each."""
    zero = time.monotonic()
    with served(stack, symbols=SYMBOLS, per_second=PER_SECOND, zero=zero) as (port, pid):
        asked = Asked(
            port=port,
            pid=pid,
            symbols=SYMBOLS,
            subscribers=count,
            channels=channels,
            probes=min(PROBES, count),
            stalled=1,
            warm_up_s=warm_up_s,
            seconds=seconds,
        )
        return subscribed(asked, zero)


def subscribers(symbols: int) -> str:
    """Return the table of all stacks that are installed; of few subscribers to a small market."""
    is_full = symbols >= SYMBOLS
    most, length = (SUBSCRIBERS, _FULL) if is_full else (_FEW, _TINY)
    stacks = STACKS if is_full else _OURS
    runs = [(APP, HALF), *((stack, CHANNELS) for stack in stacks if _is_installed(stack))]
    rows = [
        _row(f"{stack}, {channels} each", measured(stack, most, channels, **length))
        for stack, channels in runs
    ]
    return markdown(["server", *(name for name, _, _ in _COLUMNS)], rows)


def _is_installed(stack: str) -> bool:
    return stack not in _PACKAGES or find_spec(_PACKAGES[stack]) is not None


def _row(name: str, told: dict[str, Any]) -> Sequence[str]:
    return [name, *(form.format(told[key]) for _, key, form in _COLUMNS)]
