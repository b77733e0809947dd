"""The demo's own job, as `make demo` runs it: files into bronze, bronze into silver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.lakes import lake_at
from tests.bench.timing import markdown, run_alone, seconds_of


def demo_task(folder: str) -> dict[str, Any]:
    """Import and resample the sample, twice."""
    lake = lake_at(folder)
    steps = {
        "make the session table (once a lake)": lake.importer().sessions,
        "import the sample": lake.import_sample,
        "resample six intervals": lake.resample,
        "import it again: nothing to do": lake.import_sample,
        "resample again: nothing to do": lake.resample,
    }
    return {"steps": {what: seconds_of(step) for what, step in steps.items()}}


def demo_job(work: Path) -> str:
    """Return the table of the demo's steps."""
    steps = run_alone(demo_task, folder=work / "demo").result["steps"]
    return markdown(["step", "seconds"], [[what, f"{took:.2f}"] for what, took in steps.items()])
