"""What the container of an AWS Batch job runs: `python -m batch_layer.entry [INTERVAL...]`.

Child i of an array job of n rebuilds share i of n of the stale silver of some intervals, of all by
default; a job without children rebuilds all of it. Exit codes: 0 done, 1 failed, 2 misused.

Batch ends a container with SIGTERM, and soon after with SIGKILL: on a timeout, by hand, or when the
host is taken away (Spot, two minutes ahead). Every write is atomic, and what was not written is
stale still, so the process just ends: the next attempt goes on where this one stopped.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog

from batch_layer.processing.resample import resample
from batch_layer.processing.share import Share
from lake.errors import FiblakeError, MisuseError
from lake.interval import RESAMPLED, parse_one_of
from lake.logs import configure_logs
from lake.settings import BatchChild, read_batch_child, read_settings
from lake.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_layer.processing.resample import ResampleReport

_log = structlog.get_logger(__name__)
_ENDED_BY_SIGTERM: Final = 128 + signal.SIGTERM


def main() -> None:
    """Rebuild this child's share; an error ends it with one line of the log."""
    try:
        _rebuild(sys.argv[1:])
    except FiblakeError as error:
        _log.error(str(error))
        sys.exit(2 if isinstance(error, MisuseError) else 1)


def _rebuild(names: Sequence[str]) -> None:
    settings = read_settings()
    configure_logs(settings)
    child = read_batch_child()
    share = _share(child)
    structlog.contextvars.bind_contextvars(
        job=child.job_id, attempt=child.job_attempt, share=share and str(share)
    )
    # Without a handler, a container's first process is spared the signal.
    signal.signal(signal.SIGTERM, _end)
    _log.info("started", lake=settings.lake)
    report = resample(
        open_store(settings),
        intervals=[parse_one_of(name, RESAMPLED) for name in names] or RESAMPLED,
        share=share,
        on_progress=lambda done, total: _log.info("rebuilding", done=done, partitions=total),
    )
    _log.info("resampled", **_counts(report))


def _counts(report: ResampleReport) -> dict[str, Any]:
    of_minutes = _counts(report.intraday) if report.intraday else None
    return asdict(report) | {"rebuilt": len(report.rebuilt), "intraday": of_minutes}


def _share(child: BatchChild) -> Share | None:
    if child.job_array_index is None:
        return None
    return Share(child.job_array_index, child.job_array_size or 0)


def _end(*_: object) -> NoReturn:
    # Not by an exception: threads that write would be waited for. Not with a word in the log
    # either: the line being written when the signal came holds its lock.
    os._exit(_ENDED_BY_SIGTERM)


if __name__ == "__main__":
    main()
