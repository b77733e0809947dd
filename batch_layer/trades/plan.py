"""Of which sessions recorded events are to be made into bronze, anew or for the first time.

What is made of a session is a function of the objects that landed of it (events, and notes of what
of it is recorded), the table of conditions
and this code. Its checkpoint tells of which it was made last, and comes after all else is written.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from inspect import getsource
from typing import TYPE_CHECKING

from batch_layer.trades import bring, owned, partial, recorded, statements
from lake import conditions, coverage, eligibility, event, hours, keys, live_bars
from lake.documents import read_documents
from lake.exchange import last_settled
from lake.hours import hours_of
from lake.schemas import DAILY, MINUTE, TRADES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping

    from lake.conditions import Conditions
    from lake.documents import Document, Filed
    from lake.hours import SessionHours
    from lake.session import SessionTable
    from lake.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a session's bronze is made of: fingerprints of each."""

    events: str
    conditions: str
    hours: str
    code: str


@dataclass(frozen=True, slots=True)
class Work:
    """A session to be made.

    Attributes:
        hours: Its hours.
        objects: What landed of it.
        inputs: Of which it is made.
    """

    hours: SessionHours
    objects: Mapping[str, str]
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do.

    Attributes:
        due: The sessions to be made, in order.
        fresh: How many are as they should be.
        pending: Those that are not settled yet.
    """

    due: tuple[Work, ...]
    fresh: int
    pending: tuple[dt.date, ...]


def make_plan(  # noqa: PLR0913, PLR0917 - what decides of it
    store: ObjectStore,
    table: SessionTable,
    known: Conditions,
    now: dt.datetime,
    settling: dt.timedelta,
    sessions: Collection[dt.date] | None = None,
) -> Plan:
    """Return what there is to do.

    Args:
        store: The lake.
        table: The sessions of the exchange.
        known: The conditions.
        now: The present instant.
        settling: How long after its close a session's events are taken, after 20:00 at least.
        sessions: Only these; None: all.

    Raises:
        StoreError: If the lake cannot be read.
    """
    landed = {
        session: objects
        for session, objects in recorded.recorded(store).items()
        if table.ordinal(session) is not None and (sessions is None or session in sessions)
    }
    if not landed:
        return Plan((), 0, ())
    settled = last_settled(table, now, settling)
    over = {day: hours_of(day, table) for day in landed}
    ready = {day: each for day, each in over.items() if day <= settled and each.dusk <= now}
    works = [
        Work(each, landed[day], inputs_of(landed[day], each, known)) for day, each in ready.items()
    ]
    checkpoints = read_documents(store, keys.TRADES_CHECKPOINTS, keys.TRADES_CHECKPOINTS_INDEX)
    there = store.fingerprints(keys.TRADES) | store.fingerprints(keys.MINUTE)
    due = tuple(each for each in works if is_stale(each, checkpoints, there))
    return Plan(due, len(works) - len(due), tuple(day for day in over if day not in ready))


def is_stale(work: Work, checkpoints: Mapping[str, Filed], there: Mapping[str, str]) -> bool:
    """Return whether what there is of a session is not what there should be.

    Args:
        work: The session.
        checkpoints: All, by key.
        there: The fingerprints of bronze's trades and minutes, by key.
    """
    session = work.hours.session
    filed = checkpoints.get(keys.trades_checkpoint(session))
    told: Document = (filed.document if filed else None) or {}
    is_made = told.get("inputs") == asdict(work.inputs)
    is_there = told.get("object") == there.get(keys.trades(session))
    has_minutes = not told.get("minutes") or keys.minute(session) in there
    return not (is_made and is_there and has_minutes)


def inputs_of(objects: Mapping[str, str], of: SessionHours, known: Conditions) -> Inputs:
    """Return of what a session's bronze is made."""
    return Inputs(
        events=_digest(repr(sorted(objects.items()))),
        conditions=_digest(repr(sorted(known.moves.items()))),
        hours=_digest(repr((of.open, of.close))),
        code=_code(),
    )


@cache
def _code() -> str:
    ours = (bring, owned, partial, recorded, statements)
    modules = (*ours, conditions, coverage, eligibility, event, hours, live_bars)
    schemas = (str(TRADES), str(MINUTE), str(DAILY))
    return _digest("\n".join([*map(getsource, modules), *schemas]))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
