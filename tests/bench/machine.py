"""On what benchmarks ran."""

from __future__ import annotations

import datetime as dt
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_PACKAGES: Final = (
    *("duckdb", "polars", "pyarrow", "numpy", "numba", "arcticdb", "chdb"),
    *("uvicorn", "websockets", "granian", "picows"),
)


def machine() -> str:
    """Return the processor, the memory, the versions and the date."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name)))
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB of memory, "
        f"{platform.system()}, Python {platform.python_version()}, "
        f"{versions}; {dt.datetime.now(dt.UTC):%Y-%m-%d}"
    )


def _processor() -> str:
    # Linux alone says its name there; elsewhere the kind must do.
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
