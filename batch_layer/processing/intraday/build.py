"""Builds a session's stale partitions: its minutes are read once and folded for all of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc
import structlog

from batch_layer.processing.intraday.fold import Fold
from batch_layer.processing.intraday.minutes import read_minutes
from batch_layer.processing.intraday.plan import (
    Checkpoint,
    Partition,
    Plan,
    read_checkpoints,
    write_checkpoints,
)
from lake import keys
from lake.documents import Filed, encode_document
from lake.errors import ConflictError
from lake.parquet import encode

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from concurrent.futures import Future

    from batch_layer.processing.parallel import Writers
    from lake.store import ObjectStore

_ROW_GROUP_ROWS: Final = 16_384
"""A symbol has few bars a session: to find them in a year of files, small groups take 40% less."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """Partitions of one session."""

    session: dt.date
    parts: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a partition.

    Attributes:
        bars: Bars it has.
        rows: Minutes merged in them.
        is_mine: Whether it was put in place; else another run was first.
    """

    part: Partition
    bars: int
    rows: int
    is_mine: bool


@dataclass(frozen=True, slots=True)
class BuiltSession:
    """What became of a task; `filed` is its new checkpoint, None where another run was first."""

    session: dt.date
    built: tuple[Built, ...]
    filed: Filed | None


@dataclass(frozen=True, slots=True)
class _Made:
    part: Partition
    data: bytes
    bars: int
    rows: int


class Builder:
    """Builds tasks; called from many threads.

    Args:
        store: The lake.
        plan: What is to be built.
        writers: Where partitions are written.
    """

    def __init__(self, store: ObjectStore, plan: Plan, writers: Writers) -> None:
        self._store = store
        self._plan = plan
        self._writers = writers
        self._own = threading.local()

    def build(self, task: Task) -> Sequence[Future[BuiltSession]]:
        """Build a session's partitions, and return what will have become of them in the lake.

        Raises:
            StoreError: If the lake cannot be read or written to.
        """
        made = self._made(task)
        filed = self._plan.checkpoints.get(keys.intraday_checkpoint(task.session))
        return [self._writers.submit(_put, self._store, task.session, made, filed)]

    def _made(self, task: Task) -> list[_Made]:
        hours = self._plan.hours[task.session]
        minutes = read_minutes(self._store, hours)
        due = {part.interval: part for part in task.parts}
        made = []
        for interval, bars in self._fold().bars(minutes, hours):
            if interval in due:
                rows = pc.sum(bars["minutes"]).as_py() or 0
                data = encode(bars, row_group_rows=_ROW_GROUP_ROWS)
                made.append(_Made(due.pop(interval), data, bars.num_rows, rows))
            if not due:
                break
        return made

    def _fold(self) -> Fold:
        if not hasattr(self._own, "fold"):
            self._own.fold = Fold()
        fold: Fold = self._own.fold
        return fold


def _put(
    store: ObjectStore, session: dt.date, made: Sequence[_Made], filed: Filed | None
) -> BuiltSession:
    """Replace a session's partitions, then their checkpoint, unless another run was first."""
    known = read_checkpoints(filed.document if filed else None)
    try:
        for each in made:
            part = each.part
            placed = store.put_if(part.key, each.data, part.object_fingerprint)
            known[str(part.interval)] = Checkpoint(part.inputs, placed, each.bars)
        document = write_checkpoints(known)
        fingerprint = store.put_if(
            keys.intraday_checkpoint(session),
            encode_document(document),
            filed.fingerprint if filed else None,
        )
    except ConflictError:
        _log.info("lost to another run", session=str(session))
        return BuiltSession(session, _built(made, is_mine=False), None)
    return BuiltSession(session, _built(made, is_mine=True), Filed(document, fingerprint))


def _built(made: Sequence[_Made], *, is_mine: bool) -> tuple[Built, ...]:
    return tuple(Built(each.part, each.bars, each.rows, is_mine) for each in made)
