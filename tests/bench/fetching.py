"""Fetching a year of a whole market from a local vendor, which runs on the same machine."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from batch_layer import landing
from batch_layer.bronze import daily
from batch_layer.fetching.daily_landed import DailyBringer
from batch_layer.local_vendor import LocalVendor
from batch_layer.vendors import massive
from batch_layer.vendors.transport import Transport
from lake.store import LocalStore
from tests.bench.lakes import lake_at
from tests.bench.timing import ROOT, markdown, run_alone

SESSIONS: Final = 250
_SOURCES: Final = ("massive", "flatfiles")
_PLACES: Final[dict[str, tuple[Any, str]]] = {
    "asking": (Transport, "request"),
    "parsing": (massive, "daily_rows"),
    "landing": (landing, "land"),
    "validating": (DailyBringer, "_judge"),
    "bronze": (daily, "commit"),
}


def fetch_task(folder: str, source: str, start: str, end: str) -> dict[str, Any]:
    """Fetch daily bars into an empty lake."""
    lake = lake_at(folder)
    lake.importer().sessions()
    with _timed() as spent:
        report = lake.fetch_daily(source, start=start, end=end)
    assert (report.sessions, 0) == (report.fetched, report.rejected)
    return {"seconds": report.seconds, "rows": report.rows, "spent": spent}


@contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """Count the seconds that threads spend at each step, those at once among them."""
    spent: dict[str, float] = defaultdict(float)
    before = {what: getattr(*place) for what, place in _PLACES.items()}
    for what, (owner, name) in _PLACES.items():
        setattr(owner, name, _counted(before[what], what, spent))
    try:
        yield spent
    finally:
        for what, (owner, name) in _PLACES.items():
            setattr(owner, name, before[what])


def _counted(do: Callable[..., Any], what: str, spent: dict[str, float]) -> Callable[..., Any]:
    def counted(*given: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return do(*given, **named)
        finally:
            spent[what] += time.perf_counter() - started

    return counted


def fetching(market: Path, work: Path) -> str:
    """Return the table of fetching the last sessions of a market, from each source."""
    rows = []
    with _vendor(market) as (settings, sessions), _environment(settings):
        span = {"start": sessions[-SESSIONS:][0], "end": sessions[-1]}
        for source in _SOURCES:
            ran = run_alone(fetch_task, folder=work / f"fetched-{source}", source=source, **span)
            spent = ran.result["spent"]
            rows.append(
                [
                    source,
                    f"{ran.result['rows']:,}",
                    f"{ran.seconds:.1f}",
                    f"{ran.result['rows'] / ran.seconds:,.0f}",
                    f"{ran.peak_gib:.2f}",
                    *(f"{spent[what]:.1f}" if what in spent else "-" for what in _PLACES),
                ]
            )
    return markdown(["source", "daily bars", "seconds", "bars/s", "peak GiB", *_PLACES], rows)


@contextmanager
def _vendor(market: Path) -> Iterator[tuple[dict[str, str], list[dt.date]]]:
    """Let a process of its own sell a market; yield the settings to ask it by, and its sessions."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.fetching", str(market)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "serving\n")
    told = dict(line.strip().partition("=")[::2] for line in lines)
    try:
        sessions = [dt.date.fromisoformat(text) for text in told.pop("sessions").split()]
        yield told, sessions
    finally:
        process.communicate()


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Let this process, and those that it starts, have some settings."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _serve(folder: Path) -> None:
    with LocalVendor(LocalStore(folder)) as vendor:
        told = {**vendor.settings, "sessions": " ".join(map(str, vendor.sessions))}
        for name, value in told.items():
            print(f"{name}={value}")  # noqa: T201 - for the process that started this one
        print("serving", flush=True)  # noqa: T201 - likewise
        sys.stdin.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
