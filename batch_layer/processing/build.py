"""Builds stale partitions: some of one year's at a time, called from several threads."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from batch_layer.processing.dailies import BronzeYear, gather, read_bronze, session_dates
from batch_layer.processing.fold import Fold, Span, Splits
from batch_layer.processing.plan import Checkpoint, Partition, Plan
from batch_layer.processing.shape import bars_of
from lake import keys
from lake.documents import Filed, encode_document
from lake.errors import ConflictError
from lake.parquet import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_layer.processing.parallel import Writers
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """Partitions of one year, and the years of bronze that their buckets cover."""

    parts: tuple[Partition, ...]
    years: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a partition.

    Attributes:
        bars: Bars it has.
        rows: Session bars merged in them.
        filed: Its new checkpoint; None where another run was first.
    """

    part: Partition
    bars: int
    rows: int
    filed: Filed | None

    @property
    def is_mine(self) -> bool:
        """Whether it was put in place."""
        return self.filed is not None


@dataclass(frozen=True, slots=True)
class _Made:
    data: bytes
    bars: int
    rows: int
    last_start: str | None


class Builder:
    """Builds the partitions of tasks; called from many threads.

    Args:
        store: The lake.
        plan: What is to be built.
        tasks: All that will be, so that each year of bronze is read once.
        writers: Where partitions are written.
    """

    def __init__(
        self, store: ObjectStore, plan: Plan, tasks: Sequence[Task], writers: Writers
    ) -> None:
        self._store = store
        self._writers = writers
        self._dates = session_dates(plan.sessions)
        self._splits = Splits.read(plan.splits, self._dates)
        self._own = threading.local()
        uses = Counter(year for task in tasks for year in task.years)
        self._shelf = _Shelf(
            lambda year: read_bronze(store, year, self._dates, plan.listings), uses
        )

    def build(self, task: Task) -> list[Future[Built]]:
        """Build a task's partitions, and return what will have become of each in the lake.

        Raises:
            StoreError: If the lake cannot be read or written to.
        """
        years = [self._shelf.take(year) for year in task.years]
        last = max(part.last for part in task.parts)
        what = f"{' and '.join(map(keys.daily, task.years))} in {self._store.location}"
        dailies = gather(years, last, what)
        for year in task.years:
            self._shelf.put_back(year)
        spans = [Span(part.interval.sessions, part.first, part.last) for part in task.parts]
        merged = self._fold().merged(dailies, self._splits, spans)
        return [
            self._write(part, bars_of(dailies, pieces, span, self._dates))
            for part, span, pieces in zip(task.parts, spans, merged, strict=True)
        ]

    def _write(self, part: Partition, bars: pa.Table) -> Future[Built]:
        last_start = pc.max(bars["start"]).as_py()
        made = _Made(
            data=encode(bars),
            bars=bars.num_rows,
            rows=pc.sum(bars["sessions"]).as_py() or 0,
            last_start=last_start.isoformat() if last_start else None,
        )
        return self._writers.submit(_put, self._store, part, made)

    def _fold(self) -> Fold:
        if not hasattr(self._own, "fold"):
            self._own.fold = Fold()
        fold: Fold = self._own.fold
        return fold


class _Shelf:
    """Years of bronze: each is read once, and kept until its last use.

    Args:
        read: Reads a year.
        uses: How often each year will be taken.
    """

    def __init__(self, read: Callable[[int], BronzeYear], uses: Counter[int]) -> None:
        self._read = read
        self._uses = uses
        self._years: dict[int, Future[BronzeYear]] = {}
        self._lock = threading.Lock()

    def take(self, year: int) -> BronzeYear:
        """Return a year, read by whoever comes first."""
        with self._lock:
            is_first = year not in self._years
            future = self._years.setdefault(year, Future())
        if is_first:
            try:
                future.set_result(self._read(year))
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is taken
                future.set_exception(error)
        return future.result()

    def put_back(self, year: int) -> None:
        """Say that a year that was taken is needed no more by its taker."""
        with self._lock:
            self._uses[year] -= 1
            if not self._uses[year]:
                del self._years[year]


def _put(store: ObjectStore, part: Partition, made: _Made) -> Built:
    """Replace a partition and its checkpoint, unless another run was first."""
    key = keys.silver(part.interval, part.year)
    try:
        placed = store.put_if(key, made.data, part.object_fingerprint)
        checkpoint = Checkpoint(part.inputs, placed, made.bars, made.last_start)
        document = asdict(checkpoint)
        fingerprint = store.put_if(
            keys.silver_checkpoint(part.interval, part.year),
            encode_document(document),
            part.checkpoint_fingerprint,
        )
    except ConflictError:
        _log.info("lost to another run", partition=key)
        return Built(part, made.bars, made.rows, None)
    return Built(part, made.bars, made.rows, Filed(document, fingerprint))
