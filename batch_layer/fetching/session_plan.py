"""Which sessions a fetch has to do with, and what of each is done already."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batch_layer import landing
from batch_layer.bronze import ledger
from batch_layer.fetching.daily_sources import EARLIEST
from lake import keys
from lake.errors import InvalidRangeError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from batch_layer.fetching.bars_kind import BarsKind
    from lake.session import SessionTable
    from lake.store import ObjectStore

Landed = dict[dt.date, list[str]]


@dataclass(frozen=True, slots=True)
class Held:
    """What a lake holds of a kind of bars.

    Attributes:
        landed: By session, the keys of what the source answered, the oldest first.
        noted: By session, the key of the last answer that bronze has.
        elsewhere: The sessions that bronze has from another source: nobody needs to be asked twice.
        bronze: The sessions that bronze has, whoever told of them.
        others: The sessions of which only others than sources have told: files, generation.
    """

    landed: Landed
    noted: Mapping[dt.date, str]
    elsewhere: frozenset[dt.date]
    bronze: frozenset[dt.date]
    others: frozenset[dt.date]

    def pending(self, session: dt.date) -> list[str]:
        """Return the keys of what landed of a session and is not in bronze yet, in order."""
        landed = self.landed.get(session, [])
        if session not in self.noted and session in self.bronze:
            # Brought before, and not noted: to go through all again would revise bars to and fro.
            return landed[-1:]
        return [key for key in landed if key > self.noted.get(session, "")]

    def before(self, session: dt.date, key: str) -> str | None:
        """Return the key of what landed of a session before another key; None: nothing did."""
        return max((each for each in self.landed.get(session, []) if each < key), default=None)


@dataclass(frozen=True, slots=True)
class Span:
    """The sessions that are wanted.

    Attributes:
        sessions: In order.
        is_open: Whether they begin where the source does: nobody named the first.
    """

    sessions: Sequence[dt.date]
    is_open: bool


@dataclass(frozen=True, slots=True)
class Todo:
    """What there is to do.

    Attributes:
        ask: The sessions to ask for, the latest first.
        pending: By session, the keys of what landed and is not in bronze yet, the oldest first.
        there: The sessions that bronze has.
    """

    ask: Sequence[dt.date]
    pending: Mapping[dt.date, Sequence[str]]
    there: Sequence[dt.date]

    def with_again(self, restated: Collection[dt.date]) -> Todo:
        """Return the same, where some sessions that are there are asked for again."""
        ask = sorted({*self.ask, *restated}, reverse=True)
        there = [session for session in self.there if session not in set(restated)]
        return replace(self, ask=ask, there=there)


def look(store: ObjectStore, kind: BarsKind, source: str) -> Held:
    """Return what the lake holds."""
    entries = ledger.read(store, kind.name)
    in_bronze = kind.sessions(store)
    every = {name: _sessions(landing.landed(store, name, kind.name)) for name in kind.readers}
    noted = {name: _noted(entries.get(name, {}), in_bronze) for name in kind.readers}
    elsewhere = {day for name, found in noted.items() if name != source for day in found}
    told = {session for found in every.values() for session in found}
    return Held(
        landed=every[source],
        noted=noted[source],
        elsewhere=frozenset(elsewhere & frozenset(in_bronze)),
        bronze=frozenset(in_bronze),
        others=frozenset(in_bronze) - told - _live(store),
    )


def _live(store: ObjectStore) -> frozenset[dt.date]:
    """Return the sessions of which bronze has bars that were made of the live flow."""
    return frozenset(keys.by_session(store.fingerprints(keys.TRADES)))


def _noted(
    entries: Mapping[dt.date, ledger.Entry], in_bronze: Collection[dt.date]
) -> dict[dt.date, str]:
    """Return the sessions, and the last answers, that bronze has of a source."""
    return {
        session: entry.landed
        for session, entry in entries.items()
        # What the ledger tells counts while bronze is there.
        if entry.landed is not None and (session in in_bronze or not entry.accepted)
    }


def span_of(  # noqa: PLR0913 - each bounds the span
    table: SessionTable,
    settled: dt.date,
    held: Held,
    start: dt.date | None,
    end: dt.date | None,
    *,
    reach: dt.timedelta | None = None,
) -> Span:
    """Return the sessions that are wanted.

    Args:
        table: The sessions of the exchange.
        settled: The last one whose bars may be taken.
        held: What the lake holds.
        start: The first date; None: where this source began or, if that is earlier, right after
            what other sources brought; in a lake without these, where the vendor begins.
        end: The last date, inclusive; None: the last settled session.
        reach: How long before the end it begins without a start, or where this source began, if
            that is earlier; None: as `start` says.

    Raises:
        InvalidRangeError: If `start` is after `end`.
    """
    last = settled if end is None else end
    first = _first(held, last, reach) if start is None else start
    if start is not None:
        check_range(start, last)
    return Span(sessions_between(table, first, last), is_open=start is None and reach is None)


def check_range(first: dt.date, last: dt.date) -> None:
    """Return if a span has a date.

    Raises:
        InvalidRangeError: If its first one is after its last.
    """
    if first > last:
        fact = f"The start {first} is after the end {last}."
        raise InvalidRangeError(fact, hint="give --start and --end, both inclusive.")


def sessions_between(table: SessionTable, first: dt.date, last: dt.date) -> list[dt.date]:
    """Return the sessions from one date to another, both inclusive, in order."""
    return [table[ordinal] for ordinal in table.ordinals(first, last)]


def todo_of(wanted: Sequence[dt.date], held: Held, *, again: bool) -> Todo:
    """Return what there is to do for some sessions; `again`: ask for all of them."""
    pending = {session: held.pending(session) for session in wanted}
    pending = {session: landed for session, landed in pending.items() if landed}
    has = held.noted.keys() | held.elsewhere
    there = [] if again else [each for each in wanted if each in has and each not in pending]
    done = {*there, *(() if again else pending)}
    ask = [session for session in reversed(wanted) if session not in done]
    return Todo(ask, pending, there)


def _first(held: Held, last: dt.date, reach: dt.timedelta | None) -> dt.date:
    if reach is not None:
        return min([last - reach, *held.landed])
    if not held.others:
        return EARLIEST
    after = max(held.others) + dt.timedelta(days=1)
    return min([after, *held.landed])


def _sessions(units: Mapping[str, list[str]]) -> Landed:
    return {day: keys for unit, keys in units.items() if (day := session_of(unit)) is not None}


def session_of(unit: str) -> dt.date | None:
    """Return the session that a unit of landing names; None: it names none."""
    try:
        return dt.date.fromisoformat(unit)
    except ValueError:
        return None
