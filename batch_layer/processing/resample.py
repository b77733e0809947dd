"""The resampler: rebuilds the stale partitions of silver, and then moves the boundary.

Session bars come of daily bars, intraday bars of minutes: each half where bronze holds something.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batch_layer.processing.intraday.silver import IntradaySilver
from batch_layer.processing.rounds import Outcome, P, Partition, Silver, Wanted, run
from batch_layer.processing.sessions import SessionSilver
from lake.errors import EmptyLakeError
from lake.interval import FIBONACCI, INTRADAY, RESAMPLED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_layer.processing.share import Share
    from lake.interval import Interval
    from lake.store import ObjectStore

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A partition that was rebuilt, why, and how many bars it now has.

    Attributes:
        session: Of an intraday partition, a date; None: it is of a whole year.
    """

    interval: str
    year: int
    why: str
    bars: int
    session: str | None = None


@dataclass(frozen=True, slots=True)
class ResampleReport:
    """What a run did to session bars, and in `intraday` to those of minutes and hours.

    Attributes:
        rebuilt: The partitions it rebuilt.
        partitions: How many there are of the intervals asked for.
        bars: Bars in the rebuilt partitions.
        rows: Session bars (or minutes) read to build them, counted once an interval.
        conflicts: How often another run was first, and this one looked again.
        boundary: The boundary after the run, a date; None before the first.
        seconds: How long it took.
        intraday: The same of intraday bars; None where bronze holds no minutes, or none were asked
            for.
    """

    rebuilt: tuple[Rebuilt, ...] = ()
    partitions: int = 0
    bars: int = 0
    rows: int = 0
    conflicts: int = 0
    boundary: str | None = None
    seconds: float = 0.0
    intraday: ResampleReport | None = None


def resample(
    store: ObjectStore,
    *,
    intervals: Sequence[Interval] = RESAMPLED,
    force: bool = False,
    share: Share | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ResampleReport:
    """Rebuild what is stale of some intervals; move the boundary once no interval is.

    Args:
        store: The lake.
        intervals: Those to rebuild.
        force: Rebuild their partitions even where they are not stale.
        share: Rebuild those of this share's years alone; None: of all years.
        on_progress: Called with (done, of how many) as partitions are rebuilt, or sessions are.

    Raises:
        EmptyLakeError: If bronze holds no bars to make them of.
        ConflictError: If other runs kept writing the same partitions all the while.
    """
    days = Wanted([each for each in intervals if each in FIBONACCI], force, share)
    minutes = Wanted([each for each in intervals if each in INTRADAY], force, share)
    empty: list[EmptyLakeError] = []
    of_days = _resampled(SessionSilver(store), days, on_progress, empty)
    of_minutes = _resampled(IntradaySilver(store), minutes, on_progress, empty)
    if of_days is None and of_minutes is None and empty:
        raise empty[0]
    return replace(of_days or ResampleReport(), intraday=of_minutes)


def _resampled(
    silver: Silver[P], wanted: Wanted, on_progress: Progress, empty: list[EmptyLakeError]
) -> ResampleReport | None:
    """Return what a run did; None where there was nothing to do it with, and note the error."""
    if not wanted.intervals:
        return None
    started = time.perf_counter()
    try:
        outcome = run(silver, wanted, on_progress)
    except EmptyLakeError as error:
        empty.append(error)
        return None
    return _report(outcome, time.perf_counter() - started)


def _report(outcome: Outcome[P], seconds: float) -> ResampleReport:
    in_order = sorted(outcome.built, key=lambda each: _place(each.part))
    return ResampleReport(
        rebuilt=tuple(
            Rebuilt(
                interval=str(each.part.interval),
                year=each.part.year,
                why=each.part.stale or "forced",
                bars=each.bars,
                session=_text(each.part.session),
            )
            for each in in_order
        ),
        partitions=outcome.partitions,
        bars=sum(each.bars for each in in_order),
        rows=sum(each.rows for each in in_order),
        conflicts=outcome.conflicts,
        boundary=_text(outcome.boundary),
        seconds=seconds,
    )


def _text(session: dt.date | None) -> str | None:
    return session.isoformat() if session else None


def _place(part: Partition) -> tuple[int, dt.date, int, int]:
    """Return where a partition stands in a report: by time, the shortest interval first."""
    interval = part.interval
    return part.year, part.session or dt.date.min, interval.sessions, interval.minutes
