"""What AWS Lambda runs: `daily`, `backfill`, `minutes`, `reference` of `batch_layer.handlers`.

An event is a JSON object with some of `source`, `start` and `end`; one of an EventBridge rule has
it in `detail`. The answer is a summary, a JSON object too; `state` is

    done       nothing is left
    continue   time ran out: `next` is the event to go on with, as a Step Functions loop does
    busy       another invocation fetches from this source at the moment

Lambda delivers an event at least once. Of two invocations at once one fetches, by the lease of the
source; one that comes again finds everything there. Where sessions failed the handler raises, so
that Lambda tries again, and sends the event to the dead-letter queue in the end: what had landed
stays, and the next try asks for the rest alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from batch_layer.fetching.daily_kind import DAILY
from batch_layer.fetching.daily_sources import FLATFILES, MASSIVE
from batch_layer.fetching.minute_kind import MINUTE
from batch_layer.fetching.reference import ReferenceFetcher, ReferenceOrder
from batch_layer.fetching.session_fetch import Order, SessionFetcher
from lake import metrics
from lake.clock import SystemClock
from lake.errors import BusyError, MisuseError, VendorError
from lake.exchange import trading_day
from lake.job_told import job_told
from lake.logs import name_logs
from lake.measuring import Measured
from lake.settings import read_settings
from lake.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch_layer.fetching.bars_kind import BarsKind
    from batch_layer.fetching.fetch_report import FetchReport
    from batch_layer.fetching.reference_report import Part
    from lake.clock import Clock
    from lake.settings import Settings

_log = structlog.get_logger(__name__)
_FIELDS: Final = ("source", "start", "end")
_RECENT: Final = dt.timedelta(days=7)
# To bring into bronze what has landed once no more is asked for.
_RESERVE_S: Final = 120.0
_SHOWN: Final = 20

Summary = dict[str, Any]


class Context(Protocol):
    """The part of Lambda's context that handlers use."""

    def get_remaining_time_in_millis(self) -> int:
        """Return for how long the invocation may still run."""
        ...


def daily(event: Mapping[str, Any], context: Context) -> Summary:
    """Fetch what is missing of the last week's daily bars, or from `start` to `end`.

    Raises:
        MisuseError: If the event is none.
        VendorError: If the vendor cannot be asked, or sessions failed.
        StoreError: If the lake cannot be written.
    """
    clock = SystemClock()
    return _fetched(DAILY, _of_last_week(_order(event, MASSIVE), clock), clock, context)


def backfill(event: Mapping[str, Any], context: Context) -> Summary:
    """Fetch all daily bars that are missing, or those from `start` to `end`, for as long as it may.

    Raises:
        MisuseError: If the event is none.
        VendorError: If the vendor cannot be asked, sessions failed, or none could be had in time.
        StoreError: If the lake cannot be written.
    """
    return _fetched(DAILY, _order(event, MASSIVE), SystemClock(), context)


def minutes(event: Mapping[str, Any], context: Context) -> Summary:
    """Fetch what is missing of the last week's minute bars, or from `start` to `end`.

    Raises:
        MisuseError: If the event is none.
        VendorError: If the vendor cannot be asked, sessions failed, or none could be had in time.
        StoreError: If the lake cannot be written.
    """
    clock = SystemClock()
    return _fetched(MINUTE, _of_last_week(_order(event, FLATFILES), clock), clock, context)


def reference(event: Mapping[str, Any], context: Context) -> Summary:  # noqa: ARG001 - Lambda's
    """Fetch reference data; of splits and dividends the years from `start` to `end`.

    Where its time ends it, what had landed stays: the next invocation asks for the rest.

    Raises:
        MisuseError: If the event is none.
        VendorError: If the vendor cannot be asked, or units failed.
        StoreError: If the lake cannot be written.
    """
    order = _order(event, MASSIVE)
    if order.source != MASSIVE:
        fact = f"{order.source!r} is no source of reference data. Allowed: {MASSIVE}."
        raise MisuseError(fact)
    settings = read_settings()
    name_logs("fetch", settings)
    with job_told("fetch", "reference", settings) as told:
        return _fetched_reference(order, settings, told)


def _fetched_reference(order: Order, settings: Settings, told: list[Measured]) -> Summary:
    fetcher = ReferenceFetcher.of(open_store(settings), settings, SystemClock())
    try:
        report = fetcher.fetch(ReferenceOrder(order.start, order.end))
    except BusyError as error:
        return _busy(order, error)
    parts = report.parts
    told += _told(
        "reference",
        {"fetched": sum(part.asked for part in parts), "not_yet": 0, "failed": report.failed},
        sum(part.rows for part in parts),
        sum(part.rejected for part in parts),
    )
    summary: Summary = {"state": "done", "source": report.source, "changed": report.changed}
    summary |= {part.what: _counts(part) for part in report.parts}
    _log.info("fetched", **summary)
    if report.failed:
        part = next(part for part in report.parts if part.failed)
        first = part.failed[0]
        fact = f"{report.failed} units failed, the first {part.what} {first.unit}: {first.why}"
        raise VendorError(fact)
    return summary


def _counts(part: Part) -> dict[str, int]:
    return {
        "asked": part.asked,
        "there": part.there,
        "rows": part.rows,
        "rejected": part.rejected,
        "changed": part.changed,
    }


def _told(kind: str, outcomes: Mapping[str, int], rows: int, rejected: int) -> Iterator[Measured]:
    """Yield what is measured of a fetch."""
    for outcome, count in outcomes.items():
        yield Measured(metrics.FETCHED, count, (kind, outcome))
    yield Measured(metrics.ROWS, rows - rejected, (kind, "accepted"))
    yield Measured(metrics.ROWS, rejected, (kind, "rejected"))


def _busy(order: Order, error: BusyError) -> Summary:
    _log.info("busy", source=order.source, why=error.fact)
    return {"state": "busy", "source": order.source}


def _of_last_week(order: Order, clock: Clock) -> Order:
    """Return an order that begins a week before its end where it tells no start."""
    last = order.end or trading_day(clock.now())
    return replace(order, start=order.start or last - _RECENT)


def _fetched(kind: BarsKind, order: Order, clock: Clock, context: Context) -> Summary:
    settings = read_settings()
    name_logs("fetch", settings)
    with job_told("fetch", kind.name, settings) as told:
        fetcher = SessionFetcher.of(kind, open_store(settings), settings, clock)
        return _fetched_sessions(replace(fetcher, is_over=_is_over(context)), order, told)


def _fetched_sessions(fetcher: SessionFetcher, order: Order, told: list[Measured]) -> Summary:
    try:
        report = fetcher.fetch(order)
    except BusyError as error:
        return _busy(order, error)
    brought = report.fetched + report.from_landing
    left = {"not_yet": len(report.not_yet), "failed": len(report.failed)}
    told += _told(fetcher.kind.name, {"fetched": brought, **left}, report.rows, report.rejected)
    summary = _summary(order, report)
    _log.info("fetched", **summary)
    _refuse_failures(report, is_last=summary["state"] == "done")
    return summary


def _is_over(context: Context) -> Callable[[], bool]:
    """Return what tells that the rest of the time is needed to bring in what has landed."""
    reserve_ms = min(1000 * _RESERVE_S, context.get_remaining_time_in_millis() / 3)
    return lambda: context.get_remaining_time_in_millis() < reserve_ms


def _order(event: Mapping[str, Any], source: str) -> Order:
    asked = event.get("detail", event)
    if not isinstance(asked, Mapping):
        fact = f"The event's detail is {asked!r}. Allowed: an object with some of its fields."
        raise MisuseError(fact)
    unknown = sorted(set(asked) - set(_FIELDS))
    if unknown:
        fact = f"The event has {', '.join(unknown)}. Allowed: {', '.join(_FIELDS)}."
        raise MisuseError(fact)
    return Order(asked.get("source", source), _date(asked, "start"), _date(asked, "end"))


def _date(asked: Mapping[str, Any], field: str) -> dt.date | None:
    text = asked.get(field)
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except (TypeError, ValueError):
        fact = f"The event's {field} is {text!r}. Allowed: a date, as 2025-10-03."
        raise MisuseError(fact) from None


def _summary(order: Order, report: FetchReport) -> Summary:
    left = report.not_asked > 0
    return {
        "state": "continue" if left else "done",
        "source": report.source,
        "start": _text(report.start),
        "end": _text(report.end),
        "sessions": report.sessions,
        "fetched": report.fetched,
        "from_landing": report.from_landing,
        "already_there": report.already_there,
        "not_yet": [_text(session) for session in report.not_yet[:_SHOWN]],
        "failed": len(report.failed),
        "not_asked": report.not_asked,
        "added": report.added,
        "corrected": report.corrected,
        "withdrawn": report.withdrawn,
        "rejected": report.rejected,
        "next": _event(order) if left else None,
    }


def _event(order: Order) -> dict[str, str]:
    fields = {"source": order.source, "start": _text(order.start), "end": _text(order.end)}
    return {name: text for name, text in fields.items() if text is not None}


def _refuse_failures(report: FetchReport, *, is_last: bool) -> None:
    if report.failed and is_last:
        first = report.failed[0]
        fact = f"{len(report.failed)} sessions failed, the first {first.session}: {first.why}"
        raise VendorError(fact)
    if not is_last and not (report.fetched or report.from_landing):
        # The next invocation would do no better, and so on without an end.
        fact = f"None of {report.not_asked:,} sessions could be had before the time ran out."
        raise VendorError(fact, hint="give the function more time, at best 15 minutes.")


def _text(date: dt.date | None) -> str | None:
    return None if date is None else date.isoformat()
