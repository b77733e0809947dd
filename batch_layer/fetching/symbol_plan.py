"""Which parts of some symbols' minutes a fetch has to do with, and what of each is done already.

A unit is a symbol's sessions from one to another, of one month: what is asked for at once, and
lands at once. A month that was still running when it was asked for is two units in the end.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from batch_layer import landing
from batch_layer.bronze import ledger
from batch_layer.fetching.daily_sources import MASSIVE
from lake import keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from batch_layer.bronze.ledger import Entry
    from lake.session import SessionTable
    from lake.store import ObjectStore

KIND: Final = "minute"


@dataclass(frozen=True, slots=True)
class Unit:
    """A symbol's sessions from `first` to `last`, both inclusive, of one month."""

    symbol: str
    first: dt.date
    last: dt.date

    def __str__(self) -> str:
        """Return how landing spells it."""
        return f"{self.symbol}/{self.first}_{self.last}"

    def sessions(self, table: SessionTable) -> list[dt.date]:
        """Return its sessions, in order."""
        return [table[ordinal] for ordinal in table.ordinals(self.first, self.last)]

    def overlaps(self, other: Unit) -> bool:
        """Return whether both are of some session of one symbol."""
        same = self.symbol == other.symbol
        return same and self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class LandedUnit:
    """A unit that landed: when, and where."""

    unit: Unit
    at: dt.datetime
    key: str


@dataclass(frozen=True, slots=True)
class SymbolTodo:
    """What there is to do.

    Attributes:
        ask: The units to ask for, the latest first.
        pending: What landed and is not in bronze yet, in the order in which it came.
        there: The sessions that bronze has, one for each symbol.
    """

    ask: Sequence[Unit]
    pending: Sequence[LandedUnit]
    there: Sequence[dt.date]


def landed_units(store: ObjectStore) -> dict[str, list[LandedUnit]]:
    """Return what landed of each symbol, in the order in which it came."""
    found: defaultdict[str, list[LandedUnit]] = defaultdict(list)
    prefix = keys.landing(MASSIVE, KIND)
    for text, of_unit in landing.landed(store, MASSIVE, KIND).items():
        unit = _unit(text)
        for key in of_unit if unit else ():
            told = keys.landed_unit(key, prefix)
            if unit and told:
                found[unit.symbol].append(LandedUnit(unit, told[1], key))
    return {
        symbol: sorted(each, key=lambda one: (one.at, one.key)) for symbol, each in found.items()
    }


def ledger_name(symbol: str) -> str:
    """Return the name under which the ledger keeps what came of one symbol's bars."""
    return f"{MASSIVE}.{symbol}"


@dataclass(frozen=True, slots=True)
class Brought:
    """What bronze has of what landed.

    Attributes:
        entries: Of the ledger, by name and session.
        bronze: The sessions that have minute bars, of whatever symbol.
        table: The sessions of the exchange.
    """

    entries: Mapping[str, Mapping[dt.date, Entry]]
    bronze: Collection[dt.date]
    table: SessionTable

    @classmethod
    def of(cls, store: ObjectStore, table: SessionTable) -> Brought:
        """Return what a lake's bronze has."""
        bronze = keys.by_session(store.fingerprints(keys.MINUTE))
        return cls(ledger.read(store, KIND), bronze.keys(), table)

    def has(self, landed: LandedUnit) -> bool:
        """Return whether bronze has all of what landed once, or what came later."""
        entries = self.entries.get(ledger_name(landed.unit.symbol), {})
        return all(
            self._is_newer(entries.get(session), session, landed.at)
            for session in landed.unit.sessions(self.table)
        )

    def _is_newer(self, entry: Entry | None, session: dt.date, at: dt.datetime) -> bool:
        told = entry and entry.landed and keys.landed_unit(entry.landed, "")
        if not entry or not told:
            return False
        # What the ledger tells counts while bronze is there.
        return told[1] >= at and (session in self.bronze or not entry.accepted)


def todo_of(
    wanted: Mapping[str, Sequence[dt.date]],
    landed: Mapping[str, Sequence[LandedUnit]],
    brought: Brought,
    *,
    again: bool,
) -> SymbolTodo:
    """Return what there is to do for the sessions that are wanted of each symbol.

    Args:
        wanted: The sessions by symbol, in order.
        landed: What landed of each symbol.
        brought: What bronze has of it.
        again: Ask for all of them.
    """
    ask: list[Unit] = []
    pending: list[LandedUnit] = []
    there: list[dt.date] = []
    for symbol, sessions in wanted.items():
        mine = landed.get(symbol, ())
        waiting = [
            each for each in mine if _has_some(each.unit, sessions) and not brought.has(each)
        ]
        covered = {day for day in sessions for each in mine if _covers(each.unit, day)}
        unsettled = {day for day in sessions for each in waiting if _covers(each.unit, day)}
        pending += waiting
        there += [] if again else sorted(covered - unsettled)
        missing = sessions if again else [day for day in sessions if day not in covered]
        ask += [Unit(symbol, run[0], run[-1]) for run in _runs(missing, brought.table)]
    in_order = sorted(pending, key=lambda one: (one.at, one.key))
    return SymbolTodo(sorted(ask, key=lambda unit: unit.last, reverse=True), in_order, there)


def _runs(sessions: Sequence[dt.date], table: SessionTable) -> Iterator[list[dt.date]]:
    """Yield the sessions that follow each other within a month."""
    run = list(sessions[:1])
    for before, session in pairwise(sessions):
        follows = table.ordinal(session) == (table.ordinal(before) or 0) + 1
        if not follows or before.month != session.month:
            yield run
            run = []
        run.append(session)
    if run:
        yield run


def _has_some(unit: Unit, sessions: Sequence[dt.date]) -> bool:
    return any(_covers(unit, session) for session in sessions)


def _covers(unit: Unit, session: dt.date) -> bool:
    return unit.first <= session <= unit.last


def _unit(text: str) -> Unit | None:
    symbol, _, dates = text.rpartition("/")
    first, _, last = dates.partition("_")
    try:
        return Unit(symbol, dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    except ValueError:
        return None
