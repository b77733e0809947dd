"""What the container of an AWS Batch job runs: `python -m batch_layer.entry COMMAND ...`.

    [resample] [INTERVAL...]                     rebuilds stale silver, of all intervals by default;
                                                 child i of an array job of n its share i of n
    trades                                       makes bronze of what was recorded of the live flow
    reconcile [--start SESSION] [--end SESSION]  holds what live bars told to batch; differences
                                                 are counted, and are no failure
    backup [--keep 7] [--landing]                keeps the database and what the lake has, and then
                                                 removes older backups

A command that says no more than intervals, or nothing, rebuilds silver: so do definitions of jobs
that name no command. Exit codes: 0 done, 1 failed, 2 misused.

Batch ends a container with SIGTERM, and soon after with SIGKILL: on a timeout, by hand, or when the
host is taken away (Spot, two minutes ahead). Every write is atomic, and what was not written is
stale still, so the process just ends: the next attempt goes on where this one stopped.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog

from batch_layer.processing.resample import resample
from batch_layer.processing.share import Share
from batch_layer.reconciling.reconcile import reconcile
from batch_layer.trades.build import build_trades
from lake import keys, metrics
from lake.clock import SystemClock
from lake.errors import FiblakeError, MisuseError
from lake.interval import RESAMPLED, parse_one_of
from lake.job_told import job_told
from lake.logs import name_logs
from lake.measuring import Measured
from lake.settings import read_settings
from lake.store import open_backups, open_store
from lake.surroundings import read_batch_child

if TYPE_CHECKING:
    from batch_layer.processing.resample import ResampleReport
    from batch_layer.reconciling.reconcile import ReconcileReport
    from lake.settings import Settings
    from lake.surroundings import BatchChild

_log = structlog.get_logger(__name__)
_ENDED_BY_SIGTERM: Final = 128 + signal.SIGTERM
RESAMPLE: Final = "resample"
Command = Callable[[Sequence[str], "Settings", "BatchChild"], Sequence[Measured]]


def main() -> None:
    """Do what the arguments ask for; an error ends it with one line of the log."""
    try:
        _run(sys.argv[1:])
    except FiblakeError as error:
        _log.error(str(error))
        sys.exit(2 if isinstance(error, MisuseError) else 1)


def _run(arguments: Sequence[str]) -> None:
    settings = read_settings()
    name_logs("batch", settings)
    child = read_batch_child()
    # Without a handler, a container's first process is spared the signal.
    signal.signal(signal.SIGTERM, _end)
    structlog.contextvars.bind_contextvars(job=child.job_id, attempt=child.job_attempt)
    name, *rest = arguments if arguments and arguments[0] in COMMANDS else (RESAMPLE, *arguments)
    with job_told("batch", name, settings) as told:
        told.extend(COMMANDS[name](rest, settings, child))


def _resample(names: Sequence[str], settings: Settings, child: BatchChild) -> Sequence[Measured]:
    share = _share(child)
    structlog.contextvars.bind_contextvars(share=share and str(share))
    _log.info("started", lake=settings.lake)
    report = resample(
        open_store(settings),
        intervals=[parse_one_of(name, RESAMPLED) for name in names] or RESAMPLED,
        share=share,
        on_progress=lambda done, total: _log.info("rebuilding", done=done, partitions=total),
    )
    _log.info("resampled", **_counts(report))
    of_minutes = len(report.intraday.rebuilt) if report.intraday else 0
    return [Measured(metrics.REBUILT, len(report.rebuilt) + of_minutes)]


def _trades(arguments: Sequence[str], settings: Settings, child: BatchChild) -> Sequence[Measured]:
    _Options("trades").parse_args(arguments)
    _alone("trades", child)
    _log.info("started", lake=settings.lake)
    settling = dt.timedelta(minutes=settings.settling_minutes)
    report = build_trades(open_store(settings), SystemClock(), settling)
    told = {"pending": len(report.pending), "partial": len(report.partial)}
    _log.info("made", **(asdict(report) | told))
    return []


def _reconcile(
    arguments: Sequence[str], settings: Settings, child: BatchChild
) -> Sequence[Measured]:
    options = _Options("reconcile")
    options.add_argument("--start")
    options.add_argument("--end")
    asked = options.parse_args(arguments)
    first = _session("--start", asked.start) or dt.date.min
    last = _session("--end", asked.end) or dt.date.max
    _alone("reconcile", child)
    _log.info("started", lake=settings.lake)
    store = open_store(settings)
    kept = keys.by_session(store.fingerprints(keys.LIVE_BARS))
    lateness = dt.timedelta(seconds=settings.lateness_seconds)
    report = reconcile(store, [day for day in kept if first <= day <= last], lateness=lateness)
    found = _found(report)
    _log.info("reconciled", **found)
    return [Measured(metrics.DIFFERENCES, sum(found["differences"].values()))]


def _backup(arguments: Sequence[str], settings: Settings, child: BatchChild) -> Sequence[Measured]:
    # Imported here: other jobs need no database.
    from batch_layer.backups.backup import KEPT, create  # noqa: PLC0415
    from batch_layer.backups.manifest import made_last  # noqa: PLC0415
    from database import open_database  # noqa: PLC0415

    options = _Options("backup")
    options.add_argument("--keep", type=int, default=KEPT)
    options.add_argument("--landing", action="store_true")
    asked = options.parse_args(arguments)
    _alone("backup", child)
    _log.info("started", lake=settings.lake)
    place, clock = open_backups(settings), SystemClock()
    with closing(open_database(settings)) as database:
        made = create(
            open_store(settings),
            database,
            place,
            clock=clock,
            keep=asked.keep,
            landing=asked.landing,
        )
    _log.info("kept", **asdict(made))
    last = made_last(place)
    age = (clock.now() - last).total_seconds() if last else None
    return [] if age is None else [Measured(metrics.BACKUP_AGE, age)]


COMMANDS: Final[dict[str, Command]] = {
    RESAMPLE: _resample,
    "trades": _trades,
    "reconcile": _reconcile,
    "backup": _backup,
}
"""What a job may be told to do: each is given the rest of the arguments, and tells measures.
"""


class _Options(argparse.ArgumentParser):
    """Refuses as everything else here does: by one line of the log."""

    def __init__(self, command: str) -> None:
        super().__init__(prog=command, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        fact = f"{self.prog}: {message}. Allowed: {self.format_usage().strip()}"
        raise MisuseError(fact)


def _session(option: str, text: str | None) -> dt.date | None:
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError:
        fact = f"{option} is {text!r}. Allowed: a date, as 2025-10-03."
        raise MisuseError(fact) from None


def _alone(command: str, child: BatchChild) -> None:
    """Refuse to do by many children what one does.

    Raises:
        MisuseError: If the job is an array.
    """
    index = child.job_array_index
    if index is not None:
        fact = f"{command} is the work of one job, and this is child {index} of an array."
        raise MisuseError(fact, hint="submit it without arrayProperties.")


def _found(report: ReconcileReport) -> dict[str, Any]:
    causes: Counter[str] = Counter()
    for session in report.sessions:
        for cause, counts in session.differences.items():
            causes[cause] += sum(counts.values())
    return {
        "sessions": len(report.sessions),
        "new": sum(session.is_new for session in report.sessions),
        "pending": len(report.pending),
        "differences": dict(causes),
        "seconds": report.seconds,
    }


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
