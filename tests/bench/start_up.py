"""How soon services are ready: each started again beside the rest of the system, and alone."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lake.services import SERVICES
from speed_layer import flink_job
from tests.bench.chapter import Size
from tests.bench.lakes import lake_at, make_market
from tests.bench.timing import ROOT, BenchmarkError, markdown
from tests.carried import ticking
from tests.compose import composed
from tests.parts import free_port

_LONGEST_S: Final = 300.0
_POLL_S: Final = 0.05  # whoever is asked has other things to do
_IMPORT: Final = re.compile(r"^import time: +(\d+) \|", re.MULTILINE)
_PROFILED: Final = {"PYTHONPROFILEIMPORTTIME": "1"}
_HEADER: Final = ("started", "first line of its log, s", "ready, s", "of that its imports, s")


@dataclass(frozen=True, slots=True)
class _Start:
    first_line_s: float
    ready_s: float


def services(work: Path) -> str:
    """Return the table of services, each started again while all others run."""
    with ticking(work / "clock") as clock, composed(work / "system", clock) as system:
        system.up()
        rows = []
        for service in SERVICES:
            system.stop(service.name)
            started = _measured(
                lambda name=service.name: system.start(name),  # type: ignore[misc] # of this round
                system.log(service.name),
                system.ready_url(service.name),
            )
            system.stop(service.name)
            said = system.log(service.name).stat().st_size
            system.start(service.name, **_PROFILED)
            _wait_for(system.ready_url(service.name))
            profile = system.log(service.name).read_text("utf-8")[said:]
            rows.append(_row(" ".join(service.command), started, profile))
    # Without its connector the engine is told to read and write files besides.
    by = "" if flink_job.has_connector() else "\n\nFlink has no Kinesis connector: by files."
    return markdown(_HEADER, rows) + by


def alone(size: Size, work: Path) -> str:
    """Return the table of `fiblake up`, in one process, on the sample and on a large lake."""
    sample, large = work / "sample", make_market(work, size.symbols, size.start)
    lake_at(sample).import_sample()
    for each in (sample, large.folder):
        lake_at(each).resample()
    named = f"{large.symbols:,} symbols, {large.rows:,} daily bars"
    asked = [
        ("the sample", sample, []),
        (f"the sample, --feed {_REPLAY}", sample, ["--feed", _REPLAY]),
        (named, large.folder, []),
    ]
    return markdown(_HEADER, [_up(name, lake, options, work) for name, lake, options in asked])


_REPLAY: Final = "replay:sample@60x"


def _up(name: str, lake: Path, options: list[str], work: Path) -> list[str]:
    port, log = free_port(), work / "up.log"
    url = f"http://127.0.0.1:{port}/health/ready"
    own = {each: told for each, told in os.environ.items() if not each.startswith("FIBLAKE_")}
    own |= {"FIBLAKE_LAKE": str(lake), "FIBLAKE_HEALTH_PORT": str(port), "PYTHONPATH": str(ROOT)}
    own |= {"FIBLAKE_STATE": str(work / "state"), "FIBLAKE_CACHE": str(work / "cache")}
    command = [sys.executable, "-c", "from fiblake.cli import main; main()", "up", "--port", "0"]
    running: list[subprocess.Popen[bytes]] = []

    def start(**more: str) -> None:
        with log.open("wb") as said:
            running.append(subprocess.Popen([*command, *options], env=own | more, stderr=said))

    def stop() -> None:
        running[-1].terminate()
        running[-1].wait()

    log.touch()
    started = _measured(start, log, url)
    stop()
    start(**_PROFILED)
    _wait_for(url)
    stop()
    return _row(name, started, log.read_text("utf-8"))


def _measured(start: Callable[[], None], log: Path, url: str) -> _Start:
    said, begun, first = log.stat().st_size, time.monotonic(), 0.0
    start()
    while not _is_ready(url):
        if not first and log.stat().st_size > said:
            first = time.monotonic() - begun
        _go_on(begun, url)
    ready = time.monotonic() - begun
    return _Start(first or ready, ready)


def _wait_for(url: str) -> None:
    begun = time.monotonic()
    while not _is_ready(url):
        _go_on(begun, url)


def _go_on(begun: float, url: str) -> None:
    if time.monotonic() - begun > _LONGEST_S:
        msg = f"{url} is not ready after {_LONGEST_S:g} s"
        raise BenchmarkError(msg)
    time.sleep(_POLL_S)


def _is_ready(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_LONGEST_S)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _row(name: str, start: _Start, profile: str) -> list[str]:
    imports = sum(int(found) for found in _IMPORT.findall(profile)) / 1e6
    return [f"`{name}`", f"{start.first_line_s:.1f}", f"{start.ready_s:.1f}", f"{imports:.1f}"]
