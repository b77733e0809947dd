"""The resampler: rebuilds the stale partitions of silver, and then moves the boundary.

Each partition is replaced by one conditional put, then its checkpoint. Of two runs at once one wins
per partition; the other notices, looks again and goes on. A killed run is completed by the next.
Runs that share the work each look once more after their last checkpoint: the last to end publishes.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow.compute as pc
import structlog

from batch_layer.bronze.year import read_year
from batch_layer.processing.plan import PACKAGE, Checkpoint, Partition, Plan, make_plan
from lake import keys
from lake.attempts import attempts
from lake.boundary import move_boundary
from lake.documents import encode_document
from lake.errors import ConflictError
from lake.exchange import arrow_sessions
from lake.interval import FIBONACCI
from lake.parquet import encode
from lake.scan import connect, keep, scan, sql
from lake.schemas import BARS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence

    import duckdb
    import pyarrow as pa

    from batch_layer.processing.share import Share
    from lake.interval import Interval
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)
_ROUNDS: Final = 10
_WRITERS: Final = 4
_NONE_WITHDRAWN: Final = pl.DataFrame(
    schema={"listing": pl.String(), "session": pl.Date(), "revision": pl.Int32()}
)


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
    """One run's tally."""

    rebuilt: list[Rebuilt]
    rows: int = 0
    conflicts: int = 0

    def add(self, part: Partition, bars: pa.Table) -> None:
        """Count a partition that was rebuilt."""
        why = part.stale or "forced"
        self.rebuilt.append(Rebuilt(str(part.interval), part.year, why, bars.num_rows))
        self.rows += pc.sum(bars["sessions"]).as_py() or 0


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
    run = _Run(rebuilt=[])
    for round_number in attempts(_ROUNDS):
        plan = make_plan(store, FIBONACCI)
        mine = _asked_for(plan, intervals, share)
        # What another run has just rebuilt needs no force any more.
        forced = force and round_number == 0
        due = [part for part in mine if forced or part.stale]
        lost = _rebuild(store, plan, due, run, on_progress)
        left = any(part.stale for part in plan.partitions if part not in due)
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
    lost = done = 0
    on_progress(0, len(due))
    with connect(store) as connection, ThreadPoolExecutor(_WRITERS) as writers:
        builder = _Builder(store, plan, connection)
        for year, parts in groupby(sorted(due, key=attrgetter("year")), attrgetter("year")):
            of_year = list(parts)
            builder.load(year, of_year)
            made = builder.bars(of_year)
            won = writers.map(partial(_put, store, plan), of_year, made)
            for part, bars, is_mine in zip(of_year, made, won, strict=True):
                if is_mine:
                    run.add(part, bars)
                else:
                    lost += 1
            done += len(of_year)
            on_progress(done, len(due))
    return lost


class _Builder:
    """Makes bars from the bronze of one year at a time: small groups stay in the cache."""

    def __init__(
        self, store: ObjectStore, plan: Plan, connection: duckdb.DuckDBPyConnection
    ) -> None:
        self._store = store
        self._plan = plan
        self._connection = connection
        keep(connection, "sessions", arrow_sessions(plan.table).select(["ordinal", "session"]))
        keep(connection, "splits", _split_factors(plan))

    def load(self, year: int, parts: Iterable[Partition]) -> None:
        """Read what partitions of a year are built from; their last bucket may end a year later."""
        last = max(part.last for part in parts)
        span = range(year, self._plan.table[last].year + 1)
        years = [each for each in span if each in self._plan.years]
        withdrawn = [_withdrawn(self._store, each) for each in years]
        keep(self._connection, "withdrawn", pl.concat(withdrawn).to_arrow())
        found = self._store.fingerprints(keys.DAILY)
        objects = {key: found[key] for key in map(keys.daily, years) if key in found}
        scan(self._connection, self._store, objects, sql(PACKAGE, "daily"), {"last": last})

    def bars(self, parts: Sequence[Partition]) -> list[pa.Table]:
        """Return the bars of each partition of the year that was read, schema `BARS`."""
        rows = [(part.interval.sessions, part.first, part.last) for part in parts]
        bounds = pl.DataFrame(rows, schema=["n", "first", "last"], orient="row")
        keep(self._connection, "partitions", bounds.to_arrow())
        bars = self._connection.execute(sql(PACKAGE, "bars")).to_arrow_table()
        return [bars.filter(pc.equal(bars["n"], n)).drop("n").cast(BARS) for n, _, _ in rows]


def _withdrawn(store: ObjectStore, year: int) -> pl.DataFrame:
    if store.fingerprint(keys.daily_history(year)) is None:
        return _NONE_WITHDRAWN
    return read_year(store, year).withdrawn()


def _split_factors(plan: Plan) -> pa.Table:
    """Return (listing, ordinal, factor): from that session on, `factor` new shares for one."""
    ordinals = [
        plan.table.ordinals(effective, plan.table.last).start
        for effective in plan.splits["effective"]
    ]
    return plan.splits.select(
        "listing",
        pl.Series("ordinal", ordinals, pl.Int64()),
        (pl.col("split_to") / pl.col("split_from")).alias("factor"),
    ).to_arrow()


def _put(store: ObjectStore, plan: Plan, part: Partition, bars: pa.Table) -> bool:
    """Replace a partition and its checkpoint; return False where another run was first."""
    key = keys.silver(part.interval, part.year)
    try:
        placed = store.put_if(key, encode(bars), part.object_fingerprint)
        last_start = pc.max(bars["start"]).as_py()
        checkpoint = Checkpoint(
            inputs=part.inputs,
            object=placed,
            bars=bars.num_rows,
            last_start=last_start.isoformat() if last_start else None,
            through=plan.table[part.last].isoformat(),
        )
        store.put_if(
            keys.silver_checkpoint(part.interval, part.year),
            encode_document(asdict(checkpoint)),
            part.checkpoint_fingerprint,
        )
    except ConflictError:
        _log.info("lost to another run", partition=key)
        return False
    return True


def _publish(store: ObjectStore, plan: Plan) -> bool:
    try:
        move_boundary(store, plan.boundary, plan.committed)
    except ConflictError:
        return False
    return True


def _report(run: _Run, partitions: int, boundary: dt.date | None, seconds: float) -> ResampleReport:
    return ResampleReport(
        rebuilt=tuple(run.rebuilt),
        partitions=partitions,
        bars=sum(part.bars for part in run.rebuilt),
        rows=run.rows,
        conflicts=run.conflicts,
        boundary=boundary.isoformat() if boundary else None,
        seconds=seconds,
    )
