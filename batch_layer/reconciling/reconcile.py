"""What the speed layer told of sessions, held to batch once batch has them.

A session's reconciliation is a function of both layers' bars: it is made anew where either changed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from batch_layer.reconciling.differences import differences
from batch_layer.reconciling.evidence import evidence
from batch_layer.reconciling.plan import make_plan
from batch_layer.reconciling.sides import KEY, batch_bars, speed_bars
from lake import keys
from lake.documents import encode_document
from lake.live_bars import LATENESS
from lake.parquet import encode_frame
from lake.schemas import DIFFERENCES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Mapping

    import polars as pl

    from batch_layer.reconciling.plan import Work
    from lake.documents import Document
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)
Counts = dict[str, dict[str, int]]
"""How many bars differ, by cause and interval."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What came of a session.

    Attributes:
        session: Which session.
        speed: Bars that the speed layer told.
        batch: Bars that batch has.
        agreed: Those of both that agree in every value.
        forming: Live bars that were never final.
        differences: How many differ, by cause and interval.
        is_new: Whether that was found now; else it was known, and nothing changed since.
    """

    session: dt.date
    speed: int
    batch: int
    agreed: int
    forming: int
    differences: Mapping[str, Mapping[str, int]]
    is_new: bool


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """What came of all sessions.

    Attributes:
        sessions: Those that batch has, in order.
        pending: Those that batch has not made all bars of yet.
        seconds: How long it took.
    """

    sessions: tuple[Reconciled, ...]
    pending: tuple[dt.date, ...]
    seconds: float

    def count(self, cause: str) -> int:
        """Return how many bars differ by a cause, in all sessions."""
        return sum(sum(each.differences.get(cause, {}).values()) for each in self.sessions)


def reconcile(
    store: ObjectStore,
    sessions: Collection[dt.date] | None = None,
    *,
    lateness: dt.timedelta = LATENESS,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ReconcileReport:
    """Compare the sessions of which the speed layer stored bars, where it was not done yet.

    Args:
        store: The lake.
        sessions: Only these; None: all.
        lateness: How long after its end engines let a bar change.
        on_progress: Called with (done, of how many) as sessions are compared.

    Raises:
        EmptyLakeError: If the lake has no session table.
        StoreError: If the lake cannot be read or written.
    """
    started = time.perf_counter()
    plan = make_plan(store, lateness, sessions)
    found = dict(plan.known)
    for done, work in enumerate(plan.due, start=1):
        found[work.hours.session] = _reconcile(store, work, lateness)
        on_progress(done, len(plan.due))
    done_now = {work.hours.session for work in plan.due}
    return ReconcileReport(
        sessions=tuple(
            _reconciled(day, document, is_new=day in done_now)
            for day, document in sorted(found.items())
        ),
        pending=plan.pending,
        seconds=time.perf_counter() - started,
    )


def _reconcile(store: ObjectStore, work: Work, lateness: dt.timedelta) -> Document:
    hours = work.hours
    speed, batch = speed_bars(store, hours), batch_bars(store, hours)
    told = evidence(store, hours, lateness)
    apart = differences(speed, batch, told, hours.session)
    placed = store.put(keys.differences(hours.session), encode_frame(apart, DIFFERENCES))
    document: Document = {
        "inputs": work.inputs,
        "object": placed,
        "speed": speed.height,
        "batch": batch.height,
        "agreed": speed.join(batch, on=KEY, how="semi").height - apart["lacks"].null_count(),
        "forming": int((speed["state"] == "forming").sum()),
        "differences": _counts(apart),
        "symbols": {
            str(symbol): _counts(part)
            for (symbol,), part in sorted(apart.partition_by("symbol", as_dict=True).items())
        },
    }
    store.put(keys.reconciliation(hours.session), encode_document(document))
    _log.info("reconciled", session=str(hours.session), differences=apart.height)
    return document


def _counts(apart: pl.DataFrame) -> Counts:
    counts: Counts = {}
    grouped = apart.group_by("cause", "interval").len().sort("cause", "interval")
    for cause, interval, count in grouped.iter_rows():
        counts.setdefault(cause, {})[interval] = count
    return counts


def _reconciled(session: dt.date, document: Document, *, is_new: bool) -> Reconciled:
    names = ("speed", "batch", "agreed", "forming", "differences")
    return Reconciled(session, **{name: document[name] for name in names}, is_new=is_new)
