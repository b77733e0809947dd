"""Recorded events into bronze: trades, and the minutes and days that they make.

Of a symbol that was recorded only in part of the regular hours there are minutes, and no daily bar.
A session is a build product: it is made anew where what landed of it, the conditions or the code
changed. Killed between any two writes, the next run does the same again.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl
import structlog

from batch_layer.bronze.committed import last_committed
from batch_layer.bronze.daily import Changes
from batch_layer.trades.bring import Made, bring
from batch_layer.trades.partial import Partial, held_to_coverage
from batch_layer.trades.plan import make_plan
from batch_layer.trades.recorded import read_events, recorded
from batch_layer.trades.statements import statements_of
from lake import keys
from lake.conditions import load_conditions
from lake.documents import encode_document
from lake.exchange import ensure_sessions, trading_day
from lake.interval import DAILY
from lake.live_bars import bars_of, minutes_of, vwap_of
from lake.parquet import encode_frame
from lake.schemas import TRADES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection

    from batch_layer.trades.plan import Work
    from batch_layer.trades.statements import Statements
    from lake.clock import Clock
    from lake.conditions import Conditions
    from lake.hours import SessionHours
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class TradesReport:
    """What became of what was recorded.

    Attributes:
        sessions: How many were made.
        fresh: How many were as they should be.
        pending: Those that are not settled yet.
        events: Events of the sessions made, of all kinds.
        statements: Statements in force among them.
        unreadable: Lines that tell no event.
        foreign: Events of a coarser kind than the one that bars are made of.
        outside: Events that are of no hours of their session.
        partial: Of the sessions made, those of which not all was recorded.
        minutes: What that changed of bronze's minutes.
        days: And of its daily bars.
        seconds: How long it took.
    """

    sessions: int = 0
    fresh: int = 0
    pending: tuple[dt.date, ...] = ()
    events: int = 0
    statements: int = 0
    unreadable: int = 0
    foreign: int = 0
    outside: int = 0
    partial: tuple[Partial, ...] = ()
    minutes: Changes = field(default_factory=Changes)
    days: Changes = field(default_factory=Changes)
    seconds: float = 0.0


def build_trades(
    store: ObjectStore,
    clock: Clock,
    settling: dt.timedelta,
    sessions: Collection[dt.date] | None = None,
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> TradesReport:
    """Make bronze of what was recorded of the live flow, where it is not made yet.

    Args:
        store: The lake.
        clock: Tells which sessions are settled.
        settling: How long after its close a session is taken; not before 20:00 in any case.
        sessions: Only these; None: all.
        on_progress: Called with (done, of how many) as sessions are made.

    Raises:
        ConflictError: If others kept writing the same bars.
        StoreError: If the lake cannot be read or written.
    """
    started = time.perf_counter()
    if not recorded(store):
        return TradesReport()
    table = ensure_sessions(
        store, today=trading_day(clock.now()), committed=lambda: last_committed(store)
    )
    conditions = load_conditions(store)
    plan = make_plan(store, table, conditions, clock.now(), settling, sessions)
    report = TradesReport(fresh=plan.fresh, pending=plan.pending)
    for done, work in enumerate(plan.due, start=1):
        report = _with(report, *_build(store, work, conditions, clock))
        on_progress(done, len(plan.due))
    return replace(report, seconds=time.perf_counter() - started)


def _build(
    store: ObjectStore, work: Work, conditions: Conditions, clock: Clock
) -> tuple[Statements, int, Partial, Changes, Changes]:
    session = work.hours.session
    events, unreadable = read_events(store, work.objects)
    told = statements_of(events, work.hours, conditions)
    made = made_of(told.rows, work.hours, clock.now())
    whole, partial = held_to_coverage(store, work.objects, work.hours, told.kind, made.days)
    made = replace(made, days=whole)
    minutes, days = bring(store, made, clock)
    placed = None
    if told.kind == "trade":
        placed = store.put(keys.trades(session), encode_frame(told.rows, TRADES))
    document = {
        "inputs": asdict(work.inputs),
        "object": placed,
        "kind": told.kind,
        "statements": told.rows.height,
        "minutes": made.minutes.height,
        "days": made.days.height,
        "unreadable": unreadable,
        "foreign": told.foreign,
        "outside": told.outside,
        "withheld": partial.withheld,
        "gaps": partial.gaps,
    }
    store.put(keys.trades_checkpoint(session), encode_document(document))
    _log.info("made bronze of recorded events", session=str(session), statements=told.rows.height)
    return told, unreadable, partial, minutes, days


def made_of(statements: pl.DataFrame, hours: SessionHours, known_from: dt.datetime) -> Made:
    """Return the minutes and days that statements in force make, as bronze takes them.

    Args:
        statements: Of one kind and session, in order of symbol, time and sequence.
        hours: Of the session.
        known_from: When the lake learns of them.
    """
    known = pl.lit(known_from, pl.Datetime("us", "UTC")).alias("known_from")
    minutes = minutes_of(statements)
    bars = bars_of(minutes, hours).filter(
        pl.col("interval") == str(DAILY),
        pl.all_horizontal(pl.col(name).is_not_null() for name in _PRICES),
    )
    values = ("volume", "vwap", "trades")
    return Made(
        hours.session,
        minutes.filter(pl.col("minutes") > 0).select(
            "symbol",
            pl.from_epoch("minute", "us").dt.replace_time_zone("UTC").alias("start"),
            *_PRICES,
            "volume",
            vwap_of().alias("vwap"),
            "trades",
            known,
        ),
        bars.select("symbol", "session", *_PRICES, *values, known),
    )


def _with(  # noqa: PLR0913, PLR0917 - what a session adds
    report: TradesReport,
    told: Statements,
    unreadable: int,
    partial: Partial,
    minutes: Changes,
    days: Changes,
) -> TradesReport:
    return replace(
        report,
        sessions=report.sessions + 1,
        events=report.events + told.events,
        statements=report.statements + told.rows.height,
        unreadable=report.unreadable + unreadable,
        foreign=report.foreign + told.foreign,
        outside=report.outside + told.outside,
        partial=(*report.partial, partial) if partial.gaps else report.partial,
        minutes=report.minutes + minutes,
        days=report.days + days,
    )
