"""Intraday silver as the resampler's rounds see it: looked at, built and published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_layer.processing.intraday.build import Builder, Built, BuiltSession, Task
from batch_layer.processing.intraday.plan import Partition, Plan, make_plan
from batch_layer.processing.parallel import Writers, build_all, cores
from lake import keys
from lake.boundary import move_boundary
from lake.documents import file_documents

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from lake.store import ObjectStore

_BUILDERS: Final = min(cores(), 4)
"""Each holds the minutes of one session: half a gigabyte for two million."""
_WAITING: Final = 8
"""Sessions that may wait to be written, some twenty megabytes each."""


class IntradaySilver:
    """The bars of 5m 15m 1h 2h 4h.

    Args:
        store: The lake.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._plan: Plan

    def look(self) -> Sequence[Partition]:
        """Return every partition there should be, as it is now.

        Raises:
            EmptyLakeError: If bronze holds no minutes.
        """
        self._plan = make_plan(self._store)
        return self._plan.partitions

    def rebuild(
        self, due: Sequence[Partition], on_progress: Callable[[int, int], None]
    ) -> list[Built]:
        """Rebuild some of the partitions looked at last, the latest sessions first."""
        by_session: dict[dt.date, list[Partition]] = {}
        for part in due:
            by_session.setdefault(part.session, []).append(part)
        tasks = [
            Task(day, tuple(of_day)) for day, of_day in sorted(by_session.items(), reverse=True)
        ]
        built: list[BuiltSession] = []

        def note(session: BuiltSession) -> None:
            built.append(session)
            on_progress(len(built), len(tasks))

        on_progress(0, len(tasks))
        writers = Writers(_WAITING)
        builder = Builder(self._store, self._plan, writers)
        build_all(builder.build, tasks, builders=_BUILDERS, writers=writers, on_result=note)
        filed = {keys.intraday_checkpoint(each.session): each.filed for each in built if each.filed}
        index = {**self._plan.checkpoints, **filed}
        file_documents(self._store, keys.INTRADAY_CHECKPOINTS_INDEX, index)
        return [each for session in built for each in session.built]

    def committed(self) -> dt.date:
        """Return the last session of which bronze has minutes."""
        return self._plan.committed

    def boundary(self) -> dt.date | None:
        """Return the boundary of minutes at the last look."""
        return self._plan.boundary.minute

    def publish(self) -> None:
        """Move the boundary of minutes to what was committed at the last look, never back."""
        boundary = self._plan.boundary
        # Another run may have seen, built and published a later session since.
        last = max(filter(None, (boundary.minute, self._plan.committed)))
        move_boundary(self._store, boundary, minute=last)
