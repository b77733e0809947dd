"""What the lake holds, and what of it is stale."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_layer.processing.plan import PACKAGE, Partition, Plan, make_plan
from lake import keys
from lake.exchange import arrow_sessions
from lake.interval import FIBONACCI
from lake.scan import connect, execute, keep, sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.interval import Interval
    from lake.store import ObjectStore


@dataclass(frozen=True, slots=True)
class BronzeStatus:
    """Daily bars, against the sessions of the exchange.

    Attributes:
        symbols: Listings with a bar.
        bars: Daily bars.
        sessions: Sessions with a bar.
        first: The first of them.
        last: The last of them.
        missing_bars: Sessions between a listing's first and last bar without one, over all.
        missing_sessions: Sessions between `first` and `last` without any bar.
        splits: Splits known.
    """

    symbols: int
    bars: int
    sessions: int
    first: dt.date | None
    last: dt.date | None
    missing_bars: int
    missing_sessions: int
    splits: int


@dataclass(frozen=True, slots=True)
class SilverStatus:
    """The bars of one interval.

    Attributes:
        interval: Its name.
        bars: Bars stored.
        last_start: Start of the last bucket that has a bar.
        partitions: Partitions there should be.
        stale: How many of them must be rebuilt.
    """

    interval: str
    bars: int
    last_start: dt.date | None
    partitions: int
    stale: int


@dataclass(frozen=True, slots=True)
class Status:
    """The whole lake.

    Attributes:
        lake: Its location.
        boundary: The last session that silver has committed; None before the first.
        committed: The last session that bronze has committed.
    """

    lake: str
    boundary: dt.date | None
    committed: dt.date
    bronze: BronzeStatus
    silver: tuple[SilverStatus, ...]


def status_of(store: ObjectStore) -> Status:
    """Return what the lake holds.

    Raises:
        EmptyLakeError: If bronze holds no bars.
        StoreError: If the lake cannot be read.
    """
    plan = make_plan(store, FIBONACCI)
    return Status(
        lake=store.location,
        boundary=plan.boundary.daily,
        committed=plan.committed,
        bronze=_bronze(store, plan),
        silver=tuple(_silver(interval, plan.partitions) for interval in FIBONACCI),
    )


def _bronze(store: ObjectStore, plan: Plan) -> BronzeStatus:
    files = [store.uri(keys.daily(year)) for year in sorted(plan.years)]
    with connect(store) as connection:
        keep(connection, "sessions", arrow_sessions(plan.table))
        counts = execute(connection, sql(PACKAGE, "coverage"), {"files": files}).fetchone()
    assert counts is not None  # noqa: S101 - an aggregate has one row; tells mypy so
    symbols, bars, sessions, first, last, missing_bars, missing_sessions = counts
    return BronzeStatus(
        symbols=symbols,
        bars=bars,
        sessions=sessions or 0,
        first=first,
        last=last,
        missing_bars=missing_bars,
        missing_sessions=missing_sessions or 0,
        splits=plan.splits.height,
    )


def _silver(interval: Interval, partitions: Sequence[Partition]) -> SilverStatus:
    mine = [part for part in partitions if part.interval == interval]
    built = [part.checkpoint for part in mine if part.checkpoint]
    starts = [checkpoint.last_start for checkpoint in built if checkpoint.last_start]
    return SilverStatus(
        interval=str(interval),
        bars=sum(checkpoint.bars for checkpoint in built),
        last_start=dt.date.fromisoformat(max(starts)) if starts else None,
        partitions=len(mine),
        stale=sum(part.stale is not None for part in mine),
    )
