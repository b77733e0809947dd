"""Which sessions a fetch has to do with, and what of each is done already."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_layer import landing
from batch_layer.bronze import ledger, manifest
from batch_layer.fetching.daily_sources import EARLIEST, KIND, READERS
from lake.errors import InvalidRangeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lake.session import SessionTable
    from lake.store import ObjectStore

Landed = dict[dt.date, list[str]]


@dataclass(frozen=True, slots=True)
class Held:
    """What a lake holds of daily bars.

    Attributes:
        landed: By session, the keys of what the source answered, the oldest first.
        noted: By session, the key of the last answer that bronze has.
        others: The sessions of which only others than sources have told: files, generation.
    """

    landed: Landed
    noted: Mapping[dt.date, str]
    others: frozenset[dt.date]

    def pending(self, session: dt.date) -> list[str]:
        """Return the keys of what landed of a session and is not in bronze yet, in order."""
        last = self.noted.get(session, "")
        return [key for key in self.landed.get(session, []) if key > last]

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


def look(store: ObjectStore, source: str) -> Held:
    """Return what the lake holds."""
    entries = ledger.read(store, KIND).get(source, {})
    in_bronze = manifest.read(store).keys()
    every = {name: _sessions(landing.landed(store, name, KIND)) for name in READERS}
    noted = {
        session: entry.landed
        for session, entry in entries.items()
        # What the ledger tells counts while bronze is there.
        if entry.landed is not None and (session in in_bronze or not entry.accepted)
    }
    told = {session for found in every.values() for session in found}
    return Held(every[source], noted, frozenset(in_bronze - told))


def span(
    table: SessionTable, settled: dt.date, held: Held, start: dt.date | None, end: dt.date | None
) -> Span:
    """Return the sessions that are wanted.

    Args:
        table: The sessions of the exchange.
        settled: The last one whose bars may be taken.
        held: What the lake holds.
        start: The first date; None: where this source began or, if that is earlier, right after
            what other sources brought; in a lake without these, where the vendor begins.
        end: The last date, inclusive; None: the last settled session.

    Raises:
        InvalidRangeError: If `start` is after `end`.
    """
    last = settled if end is None else end
    first = _first(table, held) if start is None else start
    if first > last and start is not None:
        fact = f"The start {first} is after the end {last}."
        raise InvalidRangeError(fact, hint="give --start and --end, both inclusive.")
    found = [table[ordinal] for ordinal in table.ordinals(first, last)]
    return Span(found, is_open=start is None)


def _first(table: SessionTable, held: Held) -> dt.date:
    if not held.others:
        return EARLIEST
    after = max(held.others) + dt.timedelta(days=1)
    return min([after, *held.landed])


def _sessions(units: Mapping[str, list[str]]) -> Landed:
    return {day: keys for unit, keys in units.items() if (day := _date(unit)) is not None}


def _date(unit: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(unit)
    except ValueError:
        return None
