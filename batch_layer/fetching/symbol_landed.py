"""From landing into bronze: some symbols' minute bars, of those sessions and symbols alone.

Killed between any two writes, it does the same again the next time: what is in bronze already
changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer import landing
from batch_layer.bronze import ledger, minute
from batch_layer.bronze.daily import Changes
from batch_layer.fetching.landed import Brought
from batch_layer.fetching.minute_landed import judged_of, not_mentioned
from batch_layer.fetching.minutes import keep_rejected
from batch_layer.fetching.symbol_plan import KIND, ledger_name
from batch_layer.vendors.massive_minutes import minute_rows
from lake.errors import VendorAnswerError
from lake.exchange import ZONE
from lake.massive_symbols import massive_symbol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from batch_layer.fetching.minutes import ValidatedMinutes
    from batch_layer.fetching.symbol_plan import LandedUnit, Unit
    from batch_layer.landing import Answer
    from lake.session import SessionTable
    from lake.store import ObjectStore

_SESSION: Final = pl.col("start").dt.convert_time_zone(ZONE.key).dt.date().alias("session")


@dataclass(frozen=True, slots=True)
class UnitRows:
    """What landed of a unit.

    Attributes:
        landed: When and where.
        rows: Its bars, as validation knows them.
        before: What landed before it of the same symbol and sessions, whose bars may be gone.
    """

    landed: LandedUnit
    rows: pl.DataFrame = field(repr=False)
    before: Sequence[LandedUnit] = ()


def rows_of(answers: Sequence[Answer], unit: Unit) -> pl.DataFrame:
    """Return the bars that the pages of an answer have of a unit.

    Raises:
        VendorAnswerError: If they make no sense, or have others, too.
    """
    bodies = [answer.body for answer in answers]
    rows = minute_rows(bodies, massive_symbol(unit.symbol), unit.symbol)
    days = rows.select(_SESSION)["session"]
    other = days.filter(~days.is_between(unit.first, unit.last))
    if not other.is_empty():
        fact = (
            f"Massive answers with bars of {other[0]} where those of {unit.first} to {unit.last} "
            "were asked for."
        )
        raise VendorAnswerError(fact)
    known_from = answers[-1].fetched_at
    return rows.with_columns(known_from=pl.lit(known_from, pl.Datetime("us", "UTC")))


def last_session(rows: pl.DataFrame) -> dt.date | None:
    """Return the last session of bars; None: there are none."""
    days: list[dt.date] = rows.select(_SESSION)["session"].unique().to_list()
    return max(days, default=None)


def read_unit(store: ObjectStore, landed: LandedUnit, every: Iterable[LandedUnit] = ()) -> UnitRows:
    """Return what landed of a unit.

    Args:
        store: The lake.
        landed: Which, and where.
        every: All that landed of its symbol.

    Raises:
        DamagedObjectError: If it is not whole.
        VendorAnswerError: If it makes no sense.
    """
    rows = rows_of(landing.read(store, landed.key), landed.unit)
    return UnitRows(landed, rows, before(landed, every))


def before(landed: LandedUnit, every: Iterable[LandedUnit]) -> list[LandedUnit]:
    """Return what landed before of the same symbol, and of some of the same sessions."""
    return [
        each
        for each in every
        if each.unit.overlaps(landed.unit) and (each.at, each.key) < (landed.at, landed.key)
    ]


@dataclass(frozen=True, slots=True)
class SymbolBringer:
    """Brings landed units into bronze.

    Attributes:
        store: The lake whose bronze it is.
        landing: The lake that they landed in.
        table: The sessions of the exchange.
        settled: The last one whose bars may be taken.
    """

    store: ObjectStore
    landing: ObjectStore
    table: SessionTable
    settled: dt.date

    def bring(self, units: Sequence[UnitRows]) -> Brought:
        """Bring units into bronze, in the order in which they came.

        Raises:
            ConflictError: If others kept writing the same bars.
            DamagedObjectError: If what landed before cannot be read.
            StoreError: If the lake cannot be written.
        """
        total = Brought()
        for apart in _apart(units):
            total += self._bring(apart)
        return total

    def _bring(self, units: Sequence[UnitRows]) -> Brought:
        """Bring units into bronze that do not overlap: each session is written once."""
        rows = pl.concat([each.rows for each in units], how="vertical_relaxed")
        judged = self._judged(rows)
        changes = minute.commit(self.store, judged.good)
        for each in units:
            changes += self._withdraw(each, judged)
        self._keep_rejected(judged)
        for symbol, entries in self._entries(units, rows, judged).items():
            ledger.note(self.store, KIND, ledger_name(symbol), entries)
        return Brought(rows.height, judged.rejected.height, changes)

    def _judged(self, rows: pl.DataFrame) -> ValidatedMinutes:
        return judged_of(rows, self.table, self.settled)

    def _withdraw(self, new: UnitRows, judged: ValidatedMinutes) -> Changes:
        """Withdraw what landed before of the unit's sessions and is not mentioned any more."""
        unit = new.landed.unit
        total = Changes()
        for old in new.before:
            rows = read_unit(self.landing, old).rows
            within = rows.filter(_SESSION.is_between(unit.first, unit.last))
            gone = not_mentioned(self._judged(within), judged)
            for session, part in _by_session(gone):
                total += minute.withdraw(self.store, session, part)
        return total

    def _keep_rejected(self, judged: ValidatedMinutes) -> None:
        for session, of_session in _by_session(judged.rejected):
            for symbol in of_session["symbol"].unique():
                part = of_session.filter(pl.col("symbol") == symbol)
                keep_rejected(self.store, ledger_name(symbol), session, part)

    def _entries(
        self, units: Sequence[UnitRows], rows: pl.DataFrame, judged: ValidatedMinutes
    ) -> dict[str, dict[dt.date, ledger.Entry]]:
        """Return what there is to note of each symbol: of every session asked for."""
        counted = {
            (symbol, session): count
            for symbol, session, count in rows.group_by("symbol", _SESSION).len().iter_rows()
        }
        bad = judged.rejected.group_by("symbol", _SESSION, "reason").len().sort("reason")
        reasons: defaultdict[tuple[str, dt.date], dict[str, int]] = defaultdict(dict)
        for symbol, session, reason, count in bad.iter_rows():
            reasons[symbol, session][reason] = count
        found: defaultdict[str, dict[dt.date, ledger.Entry]] = defaultdict(dict)
        for each in units:
            symbol = each.landed.unit.symbol
            for session in each.landed.unit.sessions(self.table):
                told, rejected = counted.get((symbol, session), 0), reasons[symbol, session]
                accepted = told - sum(rejected.values())
                entry = ledger.Entry(told, accepted, rejected, each.landed.key)
                found[symbol][session] = entry
        return found


def _by_session(rows: pl.DataFrame) -> Iterator[tuple[dt.date, pl.DataFrame]]:
    told = rows.select(_SESSION)["session"]
    for session in told.unique().sort():
        yield session, rows.filter(told == session)


def _apart(units: Sequence[UnitRows]) -> Iterator[list[UnitRows]]:
    """Yield units that do not overlap, in the order in which they came."""
    group: list[UnitRows] = []
    for each in sorted(units, key=lambda one: (one.landed.at, one.landed.key)):
        if any(each.landed.unit.overlaps(other.landed.unit) for other in group):
            yield group
            group = []
        group.append(each)
    if group:
        yield group
