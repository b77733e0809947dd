"""What the lake holds, and what of it is stale."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import polars as pl

from batch_layer.bronze import dividends
from batch_layer.processing.fold import PACKAGE
from batch_layer.processing.intraday import plan as intraday
from batch_layer.processing.plan import Partition, Plan, make_plan
from batch_layer.trades.partial import Partial, partial_sessions
from lake import keys
from lake.boundary import boundary_to_move
from lake.errors import EmptyLakeError
from lake.exchange import arrow_sessions
from lake.interval import FIBONACCI, INTRADAY
from lake.scan import connect, keep, scan, sql

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lake.interval import Interval
    from lake.store import ObjectStore

T = TypeVar("T")


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


_NO_BRONZE: Final = BronzeStatus(0, 0, 0, None, None, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class MinuteStatus:
    """Minute bars.

    Attributes:
        bars: Minute bars.
        sessions: Sessions with a bar.
        first: The first of them.
        last: The last of them.
        boundary: The last session that intraday silver has committed; None before the first.
    """

    bars: int
    sessions: int
    first: dt.date
    last: dt.date
    boundary: dt.date | None


@dataclass(frozen=True, slots=True)
class SilverStatus:
    """The bars of one interval.

    Attributes:
        interval: Its name.
        bars: Bars stored.
        last_start: Start of the last bucket that has a bar; the last session of an intraday one.
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
        committed: The last session that bronze has committed; None where it holds minutes alone.
        minute: Of minute bars; None where bronze holds none.
        partial: Sessions of which not all was recorded, and what was made of the rest.
        silver: Of each interval of which bronze holds what it is made of.
    """

    lake: str
    boundary: dt.date | None
    committed: dt.date | None
    bronze: BronzeStatus
    minute: MinuteStatus | None
    partial: tuple[Partial, ...]
    silver: tuple[SilverStatus, ...]


def status_of(store: ObjectStore) -> Status:
    """Return what the lake holds.

    Raises:
        EmptyLakeError: If bronze holds no bars.
        StoreError: If the lake cannot be read.
    """
    days, empty = _tried(lambda: make_plan(store, FIBONACCI))
    minutes, _ = _tried(lambda: intraday.make_plan(store))
    if empty and minutes is None:
        raise empty
    boundary = days.boundary if days else boundary_to_move(store)
    silver = [_silver(each, days.partitions) for each in FIBONACCI] if days else []
    of_minutes = [_intraday(each, minutes.partitions) for each in INTRADAY] if minutes else []
    return Status(
        lake=store.location,
        boundary=boundary.daily,
        committed=days.committed if days else None,
        bronze=_bronze(store, days) if days else _NO_BRONZE,
        minute=_minute(minutes) if minutes else None,
        partial=partial_sessions(store),
        silver=(*of_minutes, *silver),
    )


def _tried(plan: Callable[[], T]) -> tuple[T | None, EmptyLakeError | None]:
    try:
        return plan(), None
    except EmptyLakeError as error:
        return None, error


def _bronze(store: ObjectStore, plan: Plan) -> BronzeStatus:
    found = store.fingerprints(keys.DAILY)
    objects = {key: found[key] for key in keys.by_year(found).values()}
    with connect(store) as connection:
        keep(connection, "sessions", arrow_sessions(plan.sessions))
        counts = scan(connection, store, objects, sql(PACKAGE, "coverage"), {}).to_pylist()[0]
    known_dividends = dividends.read(store).filter(pl.col("amount") > 0).height
    return BronzeStatus(**counts, splits=plan.splits.height, dividends=known_dividends)


def _minute(plan: intraday.Plan) -> MinuteStatus:
    return MinuteStatus(
        bars=sum(told.bars for told in plan.held.values()),
        sessions=len(plan.held),
        first=min(plan.held),
        last=plan.committed,
        boundary=plan.boundary.minute,
    )


def _intraday(interval: Interval, partitions: Sequence[intraday.Partition]) -> SilverStatus:
    mine = [part for part in partitions if part.interval == interval]
    built = [(part.session, part.checkpoint.bars) for part in mine if part.checkpoint]
    return SilverStatus(
        interval=str(interval),
        bars=sum(bars for _, bars in built),
        last_start=max((session for session, bars in built if bars), default=None),
        partitions=len(mine),
        stale=sum(part.stale is not None for part in mine),
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
