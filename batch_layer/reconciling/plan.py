"""Which sessions are to be reconciled: those that batch has, and whose bars changed since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from inspect import getsource
from typing import TYPE_CHECKING, Final

from batch_layer.bronze import manifest
from batch_layer.processing.intraday import plan as intraday
from batch_layer.reconciling import differences, evidence, sides
from lake import keys, live_bars
from lake.documents import read_documents
from lake.errors import EmptyLakeError
from lake.exchange import load_sessions
from lake.hours import hours_of
from lake.interval import INTRADAY
from lake.schemas import DIFFERENCES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping

    from lake.documents import Document, Filed
    from lake.hours import SessionHours
    from lake.store import ObjectStore

_TOLD: Final = ("speed", "batch", "agreed", "forming", "differences")


@dataclass(frozen=True, slots=True)
class Work:
    """A session to be reconciled, and of which objects."""

    hours: SessionHours
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do.

    Attributes:
        due: The sessions to be reconciled, in order.
        known: What is told of those that need not be.
        pending: Those that batch has not made all bars of.
    """

    due: tuple[Work, ...]
    known: Mapping[dt.date, Document]
    pending: tuple[dt.date, ...]


def make_plan(
    store: ObjectStore, lateness: dt.timedelta, sessions: Collection[dt.date] | None
) -> Plan:
    """Return what there is to do of all sessions with live bars, or of some.

    Raises:
        EmptyLakeError: If the lake has no session table.
        StoreError: If the lake cannot be read.
    """
    speed = store.fingerprints(keys.LIVE_BARS)
    wanted = [day for day in keys.by_session(speed) if sessions is None or day in sessions]
    if not wanted:
        return Plan((), {}, ())
    table = load_sessions(store)
    ready = _ready(store)
    days, trades = manifest.read(store), store.fingerprints(keys.TRADES)
    documents = read_documents(store, keys.RECONCILIATIONS, keys.RECONCILIATIONS_INDEX)
    kept = store.fingerprints(keys.DIFFERENCES)
    due, known = [], {}
    for day in wanted:
        if day not in ready:
            continue
        inputs = {
            "speed": speed[keys.live_bars(day)],
            "days": days.get(day, ""),
            "trades": trades.get(keys.trades(day), ""),
            "lateness": str(lateness),
            "code": _code(),
            **ready[day],
        }
        told = _known(documents.get(keys.reconciliation(day)))
        if told.get("inputs") == inputs and told["object"] == kept.get(keys.differences(day)):
            known[day] = told
        else:
            due.append(Work(hours_of(day, table), inputs))
    return Plan(tuple(due), known, tuple(day for day in wanted if day not in ready))


def _ready(store: ObjectStore) -> dict[dt.date, dict[str, str]]:
    """Return the sessions of which batch has all bars, and fingerprints of these."""
    try:
        plan = intraday.make_plan(store)
    except EmptyLakeError:
        return {}
    found: dict[dt.date, dict[str, str]] = {}
    stale = {part.session for part in plan.partitions if part.stale}
    for part in plan.partitions:
        if part.session not in stale:
            of_session = found.setdefault(part.session, {"minutes": part.inputs.bars})
            of_session[str(part.interval)] = part.object_fingerprint or ""
    return {day: each for day, each in found.items() if len(each) == len(INTRADAY) + 1}


def _known(filed: Filed | None) -> Document:
    """Return what is told of a session; nothing where that is damaged."""
    document = (filed.document if filed else None) or {}
    is_whole = {*_TOLD, "inputs", "object"} <= document.keys()
    return document if is_whole else {}


@cache
def _code() -> str:
    modules = (differences, evidence, sides, live_bars)
    text = "\n".join([*map(getsource, modules), str(DIFFERENCES)])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
