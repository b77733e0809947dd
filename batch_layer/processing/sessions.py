"""Silver of session intervals as the resampler's rounds see it: looked at, built, published."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from batch_layer.processing.build import Builder, Built, Task
from batch_layer.processing.fold import GRAINS
from batch_layer.processing.parallel import Writers, build_all, cores
from batch_layer.processing.plan import Partition, Plan, make_plan
from lake import keys
from lake.boundary import move_boundary
from lake.documents import file_documents
from lake.interval import FIBONACCI

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from lake.store import ObjectStore

_BUILDERS: Final = min(cores(), 8)
_WAITING: Final = 24
"""Partitions that may wait to be written."""


class SessionSilver:
    """The bars of 3d 5d 8d 13d 21d 34d.

    Args:
        store: The lake.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._plan: Plan

    def look(self) -> Sequence[Partition]:
        """Return every partition there should be, as it is now.

        Raises:
            EmptyLakeError: If bronze holds no daily bars.
        """
        self._plan = make_plan(self._store, FIBONACCI)
        return self._plan.partitions

    def rebuild(
        self, due: Sequence[Partition], on_progress: Callable[[int, int], None]
    ) -> list[Built]:
        """Rebuild some of the partitions looked at last."""
        built: list[Built] = []

        def note(each: Built) -> None:
            built.append(each)
            on_progress(len(built), len(due))

        on_progress(0, len(due))
        tasks = _tasks(self._plan, due)
        writers = Writers(_WAITING)
        builder = Builder(self._store, self._plan, tasks, writers)
        build_all(builder.build, tasks, builders=_BUILDERS, writers=writers, on_result=note)
        filed = {
            keys.silver_checkpoint(each.part.interval, each.part.year): each.filed
            for each in built
            if each.filed
        }
        index = {**self._plan.checkpoints, **filed}
        file_documents(self._store, keys.SILVER_CHECKPOINTS_INDEX, index)
        return built

    def committed(self) -> dt.date:
        """Return the last session of which bronze has daily bars."""
        return self._plan.committed

    def boundary(self) -> dt.date | None:
        """Return the boundary of days at the last look."""
        return self._plan.boundary.daily

    def publish(self) -> None:
        """Move the boundary of days to what was committed at the last look."""
        move_boundary(self._store, self._plan.boundary, daily=self._plan.committed)


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
