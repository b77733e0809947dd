"""The resampler: rebuilds the stale partitions of silver, and then moves the boundary.

Each partition is replaced by one conditional put, then its checkpoint. Of two runs at once one wins
per partition; the other notices, looks again and goes on. A killed run is completed by the next.
Runs that share the work each look once more after their last checkpoint: the last to end publishes.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_layer.processing.build import Builder, Built, Task
from batch_layer.processing.fold import GRAINS
from batch_layer.processing.plan import Partition, Plan, make_plan
from lake import keys
from lake.attempts import attempts
from lake.boundary import move_boundary
from lake.documents import file_documents
from lake.errors import ConflictError
from lake.interval import FIBONACCI

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from batch_layer.processing.share import Share
    from lake.interval import Interval
    from lake.store import ObjectStore


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_ROUNDS: Final = 10
_BUILDERS: Final = min(_cores(), 8)
_WRITERS: Final = 8


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A partition that was rebuilt, why, and how many bars it now has."""

    interval: str
    year: int
    why: str
    bars: int


@dataclass(frozen=True, slots=True)
class ResampleReport:
    """What a run did.

    Attributes:
        rebuilt: The partitions it rebuilt.
        partitions: How many there are of the intervals asked for.
        bars: Bars in the rebuilt partitions.
        rows: Session bars read to build them, counted once an interval.
        conflicts: How often another run was first, and this one looked again.
        boundary: The boundary after the run, a date; None before the first.
        seconds: How long it took.
    """

    rebuilt: tuple[Rebuilt, ...]
    partitions: int
    bars: int
    rows: int
    conflicts: int
    boundary: str | None
    seconds: float


@dataclass(slots=True)
class _Run:
    """One run's tally: the partitions it rebuilt, and how often another was first."""

    built: list[Built] = field(default_factory=list)
    conflicts: int = 0


def resample(
    store: ObjectStore,
    *,
    intervals: Sequence[Interval] = FIBONACCI,
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
        on_progress: Called with (done, of how many) as partitions are rebuilt.

    Raises:
        EmptyLakeError: If bronze holds no bars.
        ConflictError: If other runs kept writing the same partitions all the while.
    """
    started = time.perf_counter()
    run = _Run()
    for round_number in attempts(_ROUNDS):
        plan = make_plan(store, FIBONACCI)
        mine = _asked_for(plan, intervals, share)
        # What another run has just rebuilt needs no force any more.
        forced = force and round_number == 0
        due = [part for part in mine if forced or part.stale]
        lost = _rebuild(store, plan, due, run, on_progress)
        done = {(part.interval, part.year) for part in due}
        others = (part for part in plan.partitions if (part.interval, part.year) not in done)
        left = any(part.stale for part in others)
        if left and due and not lost:
            # Others may have rebuilt it meanwhile, and each of them saw this run's work left.
            plan = make_plan(store, FIBONACCI)
            left = any(part.stale for part in plan.partitions)
        if not lost and (left or _publish(store, plan)):
            boundary = plan.boundary.daily if left else plan.committed
            return _report(run, len(mine), boundary, time.perf_counter() - started)
        run.conflicts += max(lost, 1)
    fact = f"Other runs kept writing the same partitions through {_ROUNDS} rounds."
    raise ConflictError(fact, hint="run the command again when they are done.")


def _asked_for(plan: Plan, intervals: Sequence[Interval], share: Share | None) -> list[Partition]:
    years = {part.year for part in plan.partitions}
    owned = share.years(years) if share else years
    return [part for part in plan.partitions if part.interval in intervals and part.year in owned]


def _rebuild(
    store: ObjectStore,
    plan: Plan,
    due: Sequence[Partition],
    run: _Run,
    on_progress: Callable[[int, int], None],
) -> int:
    """Rebuild partitions, and return how many another run was first with."""
    if not due:
        return 0
    on_progress(0, len(due))
    tasks = _tasks(plan, due)
    built: list[Built] = []
    with ThreadPoolExecutor(_BUILDERS) as builders, ThreadPoolExecutor(_WRITERS) as writers:
        builder = Builder(store, plan, tasks, writers)
        try:
            for of_task in builders.map(builder.build, tasks):
                built += [each.result() for each in of_task]
                on_progress(len(built), len(due))
        except BaseException:
            # What still waits would but fail as well, after all its attempts.
            writers.shutdown(wait=False, cancel_futures=True)
            raise
    mine = [each for each in built if each.filed]
    run.built += mine
    filed = {keys.silver_checkpoint(b.part.interval, b.part.year): b.filed for b in mine if b.filed}
    file_documents(store, keys.SILVER_CHECKPOINTS_INDEX, {**plan.checkpoints, **filed})
    return len(built) - len(mine)


def _tasks(plan: Plan, due: Sequence[Partition]) -> list[Task]:
    """Return the work in pieces, the latest and largest years first; few years are shared out."""
    by_year: dict[int, list[Partition]] = defaultdict(list)
    for part in due:
        by_year[part.year].append(part)
    pieces = -(-_BUILDERS // len(by_year))
    return [
        Task(tuple(of_piece), _covered_years(plan, of_piece))
        for _, parts in sorted(by_year.items(), reverse=True)
        for of_piece in _pieces(parts, pieces)
    ]


def _pieces(parts: Sequence[Partition], pieces: int) -> Iterator[Sequence[Partition]]:
    """Yield a year's partitions in pieces, those next to each other that have most in common."""
    in_order = sorted(parts, key=lambda part: [part.interval.sessions in grain for grain in GRAINS])
    size = -(-len(in_order) // pieces)
    for begin in range(0, len(in_order), size):
        yield in_order[begin : begin + size]


def _covered_years(plan: Plan, parts: Sequence[Partition]) -> tuple[int, ...]:
    first = plan.sessions[min(part.first for part in parts)].year
    last = plan.sessions[max(part.last for part in parts)].year
    return tuple(year for year in range(first, last + 1) if year in plan.years)


def _publish(store: ObjectStore, plan: Plan) -> bool:
    try:
        move_boundary(store, plan.boundary, plan.committed)
    except ConflictError:
        return False
    return True


def _report(run: _Run, partitions: int, boundary: dt.date | None, seconds: float) -> ResampleReport:
    in_order = sorted(run.built, key=lambda each: (each.part.year, each.part.interval.sessions))
    return ResampleReport(
        rebuilt=tuple(
            Rebuilt(str(each.part.interval), each.part.year, each.part.stale or "forced", each.bars)
            for each in in_order
        ),
        partitions=partitions,
        bars=sum(each.bars for each in in_order),
        rows=sum(each.rows for each in in_order),
        conflicts=run.conflicts,
        boundary=boundary.isoformat() if boundary else None,
        seconds=seconds,
    )
