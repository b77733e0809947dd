"""One fetch of some symbols' minute bars: what is missing, how it came, what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from batch_layer import landing
from batch_layer.fetching.at_once import at_once
from batch_layer.fetching.daily_sources import MASSIVE
from batch_layer.fetching.fetch_report import Failure, FetchReport
from batch_layer.fetching.landed import Brought
from batch_layer.fetching.misses import OF_A_SESSION
from batch_layer.fetching.symbol_landed import UnitRows, before, last_session, read_unit, rows_of
from batch_layer.fetching.symbol_plan import KIND, LandedUnit, Unit
from lake import keys
from lake.errors import FiblakeError, NotPublishedError, VendorError, VendorRefusedError
from lake.massive_symbols import massive_symbol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import polars as pl

    from batch_layer.fetching.symbol_landed import SymbolBringer
    from batch_layer.fetching.symbol_plan import SymbolTodo
    from batch_layer.landing import Answer
    from batch_layer.vendors.massive import Massive
    from lake.session import SessionTable
    from lake.store import ObjectStore

_CHUNK: Final = 32
"""Units that bronze takes at once: each session that they share is written once."""
# Failures on end without a success in between, after which Massive is given up on.
_FAILURES_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class _Came:
    """A unit that the vendor answered.

    Attributes:
        unit: As it was asked for.
        answers: The pages.
        landed: What landed of it; None: it has no bars.
    """

    unit: Unit
    answers: Sequence[Answer] = field(repr=False)
    landed: UnitRows | None


@dataclass(frozen=True, slots=True)
class _Missed:
    """A unit whose bars did not come."""

    unit: Unit
    error: FiblakeError


@dataclass(slots=True)
class SymbolRun:
    """A fetch at work.

    Attributes:
        store: The lake.
        table: The sessions of the exchange.
        todo: What there is to do.
        landed: By symbol, what had landed at first.
        bringer: Brings units into bronze.
        recent: From this session on, what has no bars is not published yet.
        workers: How many units are asked for at once.
        opened: Returns Massive.
        check: Raises an error where this process may not go on.
        on_progress: Called with (done, of how many).
        not_yet: Sessions that are not published yet, one for each symbol.
    """

    store: ObjectStore
    table: SessionTable
    todo: SymbolTodo
    landed: Mapping[str, Sequence[LandedUnit]]
    bringer: SymbolBringer
    recent: dt.date
    workers: int
    opened: Callable[[], Massive]
    check: Callable[[], None]
    on_progress: Callable[[int, int], None]
    not_yet: list[dt.date]
    fetched: list[Unit] = field(default_factory=list)
    from_landing: list[Unit] = field(default_factory=list)
    missed: list[_Missed] = field(default_factory=list)
    empty: list[_Came] = field(default_factory=list)
    brought: Brought = field(default_factory=Brought)
    _done: int = 0
    _failures: int = 0
    _refused: _Missed | None = None

    def go(self) -> None:
        """Do what there is to do.

        Raises:
            VendorError: If Massive is given up on, or refuses all that was wanted.
            StoreError: If the lake cannot be written.
        """
        self._advance(0)
        self._bring_what_landed()
        if self.todo.ask:
            self._fetch(self.opened())
            self._land_empty()
        if self._refused and not (self.fetched or self.from_landing or self.todo.there):
            raise self._refused.error

    def report(self, seconds: float) -> FetchReport:
        """Return what came of it; a session counts once for each symbol."""
        fetched, from_landing = self._sessions(self.fetched), self._sessions(self.from_landing)
        failed = [
            Failure(session, f"{each.unit.symbol}: {each.error.fact}")
            for each in sorted(self.missed, key=lambda one: one.unit.last, reverse=True)
            for session in reversed(each.unit.sessions(self.table))
        ]
        counted = [*fetched, *from_landing, *self.todo.there, *self.not_yet]
        counted += [failure.session for failure in failed]
        changes = self.brought.changes
        return FetchReport(
            kind=KIND,
            source=MASSIVE,
            start=min(counted, default=None),
            end=max(counted, default=None),
            sessions=len(counted),
            fetched=len(fetched),
            from_landing=len(from_landing),
            already_there=len(self.todo.there),
            not_yet=tuple(sorted(self.not_yet)),
            failed=tuple(failed),
            rows=self.brought.rows,
            rejected=self.brought.rejected,
            added=changes.added,
            corrected=changes.corrected,
            unchanged=changes.unchanged,
            withdrawn=changes.withdrawn,
            seconds=seconds,
        )

    def _sessions(self, units: Sequence[Unit]) -> list[dt.date]:
        return [session for unit in units for session in unit.sessions(self.table)]

    def _bring_what_landed(self) -> None:
        pending = self.todo.pending
        for at in range(0, len(pending), _CHUNK):
            units = []
            for each in pending[at : at + _CHUNK]:
                try:
                    units.append(read_unit(self.store, each, self.landed[each.unit.symbol]))
                except OF_A_SESSION as error:
                    self.missed.append(_Missed(each.unit, error))
            self._bring(units)
            self.from_landing += [each.landed.unit for each in units]
            self._advance(len(pending[at : at + _CHUNK]))

    def _fetch(self, massive: Massive) -> None:
        """Ask for units, and bring them into bronze in chunks."""
        chunk: list[UnitRows] = []
        found = at_once(
            self._wanted(),
            partial(self._ask, massive),
            workers=self.workers,
            ahead=2 * self.workers,
            stop=massive.stop,
        )
        try:
            for each in found:
                rows = self._note(each)
                if rows is not None:
                    chunk.append(rows)
                if len(chunk) == _CHUNK:
                    self._bring(chunk)
                    chunk = []
                self._advance(1)
        except VendorError:
            massive.stop()
            self._bring(chunk)
            raise
        self._bring(chunk)

    def _wanted(self) -> Iterator[Unit]:
        for unit in self.todo.ask:
            # What the plan leaves out once, it leaves out of all that is older.
            if self._refused and unit.last <= self._refused.unit.last:
                self.missed.append(_Missed(unit, self._refused.error))
                self._advance(1)
            else:
                yield unit

    def _ask(self, massive: Massive, unit: Unit) -> _Came | _Missed:
        """Return what landed of a unit, or why nothing did."""
        try:
            ticker = massive_symbol(unit.symbol)
            answers = list(massive.aggregates(ticker, KIND, unit.first, unit.last))
            rows = rows_of(answers, unit)
        except OF_A_SESSION as error:
            return _Missed(unit, error)
        last = last_session(rows)
        landed = None if last is None else self._land(self._until(unit, last), answers, rows)
        return _Came(unit, answers, landed)

    def _until(self, unit: Unit, last: dt.date) -> Unit:
        """Return what is published of a unit: to its last bar, or all but the recent sessions."""
        old = [session for session in unit.sessions(self.table) if session < self.recent]
        return replace(unit, last=max([last, *old]))

    def _land(self, unit: Unit, answers: Sequence[Answer], rows: pl.DataFrame) -> UnitRows:
        key = landing.land(self.store, MASSIVE, KIND, str(unit), answers)
        landed = LandedUnit(unit, keys.landed_at(key), key)
        return UnitRows(landed, rows, before(landed, self.landed.get(unit.symbol, ())))

    def _note(self, each: _Came | _Missed) -> UnitRows | None:
        """Note what came of a unit; return what bronze is to take."""
        if isinstance(each, _Missed):
            self.missed.append(each)
            self._miss(each)
            return None
        self._failures = 0
        if each.landed is None:
            self.empty.append(each)
            return None
        self._came(each.unit, each.landed)
        return each.landed

    def _came(self, asked: Unit, rows: UnitRows) -> None:
        unit = rows.landed.unit
        self.fetched.append(unit)
        self.not_yet += [day for day in asked.sessions(self.table) if day > unit.last]

    def _miss(self, missed: _Missed) -> None:
        if isinstance(missed.error, VendorRefusedError):
            if self._refused is None or missed.unit.last > self._refused.unit.last:
                self._refused = missed
            return
        self._failures += 1
        if self._failures >= _FAILURES_MOST:
            raise missed.error

    def _land_empty(self) -> None:
        """Land what has no bars of symbols that have some elsewhere; of others it is a failure."""
        known = {*self.landed, *(unit.symbol for unit in self.fetched)}
        units = []
        for each in self.empty:
            old = [day for day in each.unit.sessions(self.table) if day < self.recent]
            if each.unit.symbol not in known and each.unit.first < self.bringer.settled:
                fact = f"Massive has no minutes of it from {each.unit.first} to {each.unit.last}."
                self.missed.append(_Missed(each.unit, NotPublishedError(fact)))
            elif each.unit.symbol not in known or not old:
                self.not_yet += each.unit.sessions(self.table)
            else:
                rows = rows_of(each.answers, each.unit)
                units.append(self._land(replace(each.unit, last=old[-1]), each.answers, rows))
                self._came(each.unit, units[-1])
        self._bring(units)

    def _bring(self, units: Sequence[UnitRows]) -> None:
        self.check()
        if units:
            self.brought += self.bringer.bring(units)

    def _advance(self, done: int) -> None:
        self._done += done
        self.on_progress(self._done, len(self.todo.ask) + len(self.todo.pending))
