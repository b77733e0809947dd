"""What a job, or one invocation of a function, measured of itself: told once, at its end.

It is gone before anybody could scrape it, so the log alone tells, where `FIBLAKE_EMF` is set.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from lake import metrics
from lake.boundary_age import boundary_ages
from lake.clock import SystemClock
from lake.emf import Emf, tell
from lake.errors import FiblakeError
from lake.measuring import Measured, Measures
from lake.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lake.settings import Settings

_log = structlog.get_logger(__name__)
_OUTCOMES: Final = ("done", "failed")


@contextmanager
def job_told(service: str, job: str, settings: Settings) -> Iterator[list[Measured]]:
    """Yield a list of what is measured; at the end tell it, how it ended, and how far batch is.

    Args:
        service: `batch` or `fetch`, where FIBLAKE_SERVICE tells no other.
        job: As `resample`.
        settings: Whether it is told, and of which lake.
    """
    told: list[Measured] = []
    begun, outcome = time.perf_counter(), "failed"
    try:
        yield told
        outcome = "done"
    finally:
        if settings.emf:
            told.append(Measured(metrics.JOB_SECONDS, time.perf_counter() - begun, (job,)))
            told += (Measured(metrics.JOBS, each == outcome, (job, each)) for each in _OUTCOMES)
            measures = Measures(settings.service or service)
            # Apart: how it ended is told even where the lake cannot be asked.
            measures.add(lambda: told)
            measures.add(lambda: _boundary(settings))
            tell(Emf(measures))


def _boundary(settings: Settings) -> list[Measured]:
    try:
        return [*boundary_ages(open_store(settings), settings, SystemClock())]
    except FiblakeError as error:
        # Of an empty lake there is nothing to tell; and a lake that is away failed the job already.
        _log.info("how far batch is cannot be told", error=str(error))
        return []
