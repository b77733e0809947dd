"""The chapter of start-up: how soon each service is ready."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.bench.chapter import Chapter, Sections, Size
from tests.bench.start_up import alone, services

_INTRODUCTION: Final = """# Start-up

Written by `make bench` on {machine}.

`make bench ARGS='--chapter start-up'` measures this chapter alone. A service is to be ready within
six seconds of its start. It is ready when its own health check, at `/health/ready`, says so: the
feed is subscribed, all tasks of the engine's job run, the others read their stream, or answer.
Imports are those of Python, measured in a start of their own; the engine's JVM is no part of them.
The engine's start is processor time nearly alone: it varies as the machine does.
"""
_TEXTS: Final = {
    "services": """## Services

The commands of `compose.yaml`, each started again as a process while the rest of the system runs
beside it on the same cores: Kinesis, Redis, PostgreSQL, moto and the local vendor, live.
""",
    "alone": """## All in one process

`fiblake up`, with nothing else on the machine.
""",
}


def _told(_: Size) -> Mapping[str, object]:
    return {}


def _sections(size: Size, work: Path) -> Sections:
    return {"services": lambda: services(work), "alone": lambda: alone(size, work)}


START_UP: Final = Chapter(_INTRODUCTION, _TEXTS, _told, _sections)
