"""Minute bars made anew from landing, without any vendor: as fetching made them.

Each month's answers are brought, in the order in which they came, into a scratch lake; what comes
of them takes the place of what bronze has of the same bars. A bar that came another way is left as
it is: landing does not know of that.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from batch_layer import landing
from batch_layer.bronze import ledger, minute
from batch_layer.bronze.committed import last_committed
from batch_layer.bronze.daily import Changes
from batch_layer.fetching.daily_sources import FLATFILES, MASSIVE
from batch_layer.fetching.landed import Landed, read_landed
from batch_layer.fetching.minute_landed import KIND, READERS, MinuteBringer
from batch_layer.fetching.rebuild import RebuildReport, summed
from batch_layer.fetching.session_plan import session_of
from batch_layer.fetching.symbol_landed import SymbolBringer, UnitRows, read_unit
from batch_layer.fetching.symbol_plan import LandedUnit, landed_units
from lake import keys
from lake.exchange import ensure_sessions, last_settled, trading_day
from lake.lease import leased
from lake.store import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lake.clock import Clock
    from lake.lease import Holder
    from lake.session import SessionTable
    from lake.store import ObjectStore

_SOURCES = (FLATFILES, MASSIVE)


@dataclass(frozen=True, slots=True)
class Version:
    """One answer that landed: of the whole market's session, or of a unit of one symbol.

    Attributes:
        at: When it had come.
        key: Where it landed.
        sessions: Which it is of.
        read: Reads it.
    """

    at: dt.datetime
    key: str
    sessions: Sequence[dt.date]
    read: Callable[[], Landed | UnitRows] = field(repr=False)


@dataclass(frozen=True, slots=True)
class MinuteRebuilder:
    """Makes the minute bars of one lake's bronze anew.

    Attributes:
        store: The lake.
        clock: Tells which sessions are over.
        settling: How long after its close a session's bars are taken.
        on_progress: Called with (done, of how many) as months are done.
        on_wait: Called where another process fetches, which is then waited for; None: nobody is.
    """

    store: ObjectStore
    clock: Clock
    settling: dt.timedelta = dt.timedelta()
    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    on_wait: Callable[[Holder], None] | None = None

    def minutes(self) -> RebuildReport:
        """Make the minute bars of bronze anew, from all that landed of them.

        Raises:
            BusyError: If another process fetches, and is not waited for.
            DamagedObjectError: If landing or bronze cannot be read.
            ConflictError: If others kept writing the same bars.
        """
        started = time.perf_counter()
        with ExitStack() as leases:
            for source in _SOURCES:
                name = f"fetch-{source}"
                hold = leased(self.store, name, clock=self.clock, on_wait=self.on_wait)
                leases.enter_context(hold)
            report = self._minutes()
        return replace(report, seconds=time.perf_counter() - started)

    def _minutes(self) -> RebuildReport:
        table = ensure_sessions(
            self.store,
            today=trading_day(self.clock.now()),
            committed=lambda: last_committed(self.store),
        )
        settled = last_settled(table, self.clock.now(), self.settling)
        by_month = versions(self.store, table)
        total = RebuildReport()
        for done, (_, of_month) in enumerate(sorted(by_month.items()), start=1):
            total = summed(total, self._month(of_month, table, settled))
            self.on_progress(done, len(by_month))
        return total

    def _month(
        self, of_month: Sequence[Version], table: SessionTable, settled: dt.date
    ) -> RebuildReport:
        total = RebuildReport(answers=len(of_month))
        instants: defaultdict[dt.date, set[dt.datetime]] = defaultdict(set)
        with TemporaryDirectory() as folder:
            scratch = LocalStore(Path(folder))
            scratch.put(keys.SESSIONS, self.store.get(keys.SESSIONS).data)
            by_session = MinuteBringer(scratch, self.store, FLATFILES, table, settled)
            by_symbol = SymbolBringer(scratch, self.store, table, settled)
            for version in sorted(of_month, key=lambda one: (one.at, one.key)):
                answer = version.read()
                if isinstance(answer, Landed):
                    by_session.bring([answer])
                    came = [answer.fetched_at]
                else:
                    by_symbol.bring([answer])
                    came = answer.rows["known_from"].head(1).to_list()
                for session in version.sessions:
                    instants[session].update(came)
            for session, at in sorted(instants.items()):
                total = summed(total, remake(self.store, session, scratch, at))
            self._note(scratch)
        return total

    def _note(self, scratch: ObjectStore) -> None:
        """Tell the lake what the scratch lake was told beside its bars: the ledger, rejects."""
        for source, entries in ledger.read(scratch, KIND).items():
            ledger.note(self.store, KIND, source, entries)
        for key in scratch.fingerprints(keys.REJECTS):
            self.store.put(key, scratch.get(key).data)


def versions(store: ObjectStore, table: SessionTable) -> dict[tuple[int, int], list[Version]]:
    """Return all answers of minute bars that landed, by year and month."""
    found: defaultdict[tuple[int, int], list[Version]] = defaultdict(list)
    prefix = keys.landing(FLATFILES, KIND)
    for unit, landed in landing.landed(store, FLATFILES, KIND).items():
        session = session_of(unit)
        for key, before in zip(landed, [None, *landed], strict=False):
            told = keys.landed_unit(key, prefix)
            if session and told:
                read = partial(read_landed, store, READERS[FLATFILES], session, key, before)
                month = (session.year, session.month)
                found[month].append(Version(told[1], key, [session], read))
    for every in landed_units(store).values():
        for each in every:
            month = (each.unit.first.year, each.unit.first.month)
            found[month].append(_of_unit(store, each, every, table))
    return dict(found)


def _of_unit(
    store: ObjectStore, landed: LandedUnit, every: Sequence[LandedUnit], table: SessionTable
) -> Version:
    read = partial(read_unit, store, landed, every)
    return Version(landed.at, landed.key, landed.unit.sessions(table), read)


def remake(
    store: ObjectStore, session: dt.date, scratch: ObjectStore, instants: set[dt.datetime]
) -> RebuildReport:
    """Let what was made anew take the place of what bronze has of the same bars of a session.

    Args:
        store: The lake.
        session: Which session.
        scratch: Has what landing makes of it.
        instants: When its answers had come.
    """
    made, _ = minute.read(scratch, session)
    counts = RebuildReport()

    def revised(old: pl.DataFrame) -> tuple[pl.DataFrame, Changes]:
        nonlocal counts
        kept = _foreign(old, made, instants)
        fresh = made.join(kept, on=minute.KEY, how="anti")
        mine = old.join(kept, on=minute.KEY, how="anti")
        counts = _compared(mine, fresh, kept.height)
        changes = Changes(counts.restored, counts.changed, counts.unchanged, counts.dropped)
        return pl.concat([kept, fresh]), changes

    minute.revise(store, session, revised)
    return replace(counts, sessions=1)


def _foreign(old: pl.DataFrame, made: pl.DataFrame, instants: set[dt.datetime]) -> pl.DataFrame:
    """Return the bars of bronze that came at an instant of which landing does not know."""
    came = pl.Series(sorted(instants), dtype=old.schema["known_from"])
    odd = old.filter(~pl.col("known_from").is_in(came.implode()))
    # Of two that came at one instant the later is known a little after it.
    return odd.join(made, on=[*minute.KEY, "known_from"], how="anti")


def _compared(mine: pl.DataFrame, fresh: pl.DataFrame, kept: int) -> RebuildReport:
    same = fresh.join(mine, on=fresh.columns, how="semi", nulls_equal=True).height
    both = fresh.join(mine, on=minute.KEY, how="semi").height
    return RebuildReport(
        restored=fresh.height - both,
        changed=both - same,
        unchanged=same,
        dropped=mine.height - both,
        kept=kept,
    )
