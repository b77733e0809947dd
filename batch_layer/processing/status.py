"""What the lake holds, and what of it is stale."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from batch_layer.bronze import dividends
from batch_layer.processing.fold import PACKAGE
from batch_layer.processing.plan import Partition, Plan, make_plan
from lake import keys
from lake.exchange import arrow_sessions
from lake.interval import FIBONACCI
from lake.scan import connect, keep, scan, sql

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
        dividends: Dividends known; those withdrawn are none.
    """

    symbols: int
    bars: int
    sessions: int
    first: dt.date | None
    last: dt.date | None
    missing_bars: int
    missing_sessions: int
    splits: int
    dividends: int


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
    found = store.fingerprints(keys.DAILY)
    objects = {key: found[key] for key in keys.by_year(found).values()}
    with connect(store) as connection:
        keep(connection, "sessions", arrow_sessions(plan.sessions))
        counts = scan(connection, store, objects, sql(PACKAGE, "coverage"), {}).to_pylist()[0]
    known_dividends = dividends.read(store).filter(pl.col("amount") > 0).height
    return BronzeStatus(**counts, splits=plan.splits.height, dividends=known_dividends)


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
