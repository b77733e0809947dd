"""The backfill of some symbols' minute bars: a month of a symbol is asked for at once.

What landed is not asked for again: landing itself tells which sessions of which symbol did. What a
symbol has no bars of lands, too, once it has some: it was not listed yet, or is no more.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_layer.bronze.committed import last_committed
from batch_layer.fetching.daily_sources import MASSIVE
from batch_layer.fetching.minute_kind import MINUTE
from batch_layer.fetching.session_plan import check_range, sessions_between
from batch_layer.fetching.symbol_landed import SymbolBringer
from batch_layer.fetching.symbol_plan import Brought, landed_units, todo_of
from batch_layer.fetching.symbol_run import SymbolRun
from lake.errors import MisuseError
from lake.exchange import ensure_sessions, last_settled, trading_day
from lake.lease import leased
from lake.massive_symbols import lake_symbol
from lake.symbol import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_layer.fetching.fetch_report import FetchReport
    from batch_layer.fetching.symbol_plan import LandedUnit
    from batch_layer.vendors.massive import Massive
    from lake.clock import Clock
    from lake.lease import Holder
    from lake.session import SessionTable
    from lake.settings import Settings
    from lake.store import ObjectStore

_RECENT: Final = 5
"""How many of the last sessions may be without bars because they are not published yet."""
_LONG_MIN: Final = 1.0
_SYMBOL: Final = re.compile(r"[A-Z0-9]+(?:[.-][A-Z0-9]+)*")


@dataclass(frozen=True, slots=True)
class SymbolOrder:
    """What is wanted.

    Attributes:
        symbols: Whose bars, as the lake or Massive spells them.
        start: The first date; None: where what landed of a symbol begins, or a week before the end.
        end: The last one, inclusive; None: the last settled session.
        again: Ask for what is there, too.
    """

    symbols: Sequence[str]
    start: dt.date | None = None
    end: dt.date | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class SymbolFetcher:
    """Brings some symbols' minute bars from Massive into one lake.

    Attributes:
        store: The lake.
        clock: Tells which sessions are over.
        opened: Returns Massive, once there is something to ask it.
        settling: How long after its close a session's bars are taken.
        workers: How many units are asked for at once.
        calls_per_minute: How many may be.
        on_progress: Called with (done, of how many) as units are done.
        on_wait: Called where another process fetches from the source, which is then waited for;
            None: nobody is waited for.
        on_long: Called with (calls, minutes) where the pace makes it take more than a minute.
    """

    store: ObjectStore
    clock: Clock
    opened: Callable[[], Massive]
    settling: dt.timedelta = dt.timedelta()
    workers: int = 8
    calls_per_minute: float | None = None
    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    on_wait: Callable[[Holder], None] | None = None
    on_long: Callable[[int, float], None] = lambda _calls, _minutes: None

    @classmethod
    def of(cls, store: ObjectStore, settings: Settings, clock: Clock) -> SymbolFetcher:
        """Return what fetches into a lake as the settings say, and tells nobody."""

        def open_() -> Massive:
            from batch_layer.vendors.massive import Massive  # noqa: PLC0415 - an extra

            return Massive.of(settings, clock=clock)

        return cls(
            store=store,
            clock=clock,
            opened=open_,
            settling=dt.timedelta(minutes=settings.settling_minutes),
            workers=settings.fetch_workers,
            calls_per_minute=settings.massive_calls_per_minute,
        )

    def fetch(self, order: SymbolOrder) -> FetchReport:
        """Fetch what is missing.

        Raises:
            MisuseError: If a symbol cannot be one, or the start is after the end.
            BusyError: If another process fetches from Massive, and is not waited for.
            VendorError: If Massive cannot be asked at all; what had landed stays.
            StoreError: If the lake cannot be written.
        """
        started = time.perf_counter()
        symbols = sorted({_symbol(text) for text in order.symbols})
        name = f"fetch-{MASSIVE}"
        with leased(self.store, name, clock=self.clock, on_wait=self.on_wait) as lease:
            run = self._run(symbols, order, lease.check)
            run.go()
        return run.report(time.perf_counter() - started)

    def _run(
        self, symbols: Sequence[str], order: SymbolOrder, check: Callable[[], None]
    ) -> SymbolRun:
        table = ensure_sessions(
            self.store,
            today=trading_day(self.clock.now()),
            committed=lambda: last_committed(self.store),
        )
        settled = last_settled(table, self.clock.now(), self.settling)
        landed = landed_units(self.store)
        span = {each: _span(table, settled, landed.get(each, ()), order) for each in symbols}
        wanted = {each: [day for day in days if day <= settled] for each, days in span.items()}
        todo = todo_of(wanted, landed, Brought.of(self.store, table), again=order.again)
        self._tell_long(len(todo.ask))
        last = table.ordinal(settled) or 0
        return SymbolRun(
            store=self.store,
            table=table,
            todo=todo,
            landed=landed,
            bringer=SymbolBringer(self.store, self.store, table, settled),
            recent=table[max(last + 1 - _RECENT, 0)],
            workers=self.workers,
            opened=self.opened,
            check=check,
            on_progress=self.on_progress,
            not_yet=[day for days in span.values() for day in days if day > settled],
        )

    def _tell_long(self, calls: int) -> None:
        per_minute = self.calls_per_minute
        if per_minute is not None and calls / per_minute > _LONG_MIN:
            self.on_long(calls, calls / per_minute)


def _span(
    table: SessionTable, settled: dt.date, landed: Sequence[LandedUnit], order: SymbolOrder
) -> Sequence[dt.date]:
    last = order.end or settled
    if order.start is not None:
        check_range(order.start, last)
    assert MINUTE.reach is not None  # noqa: S101 - tells mypy so
    first = order.start or min([last - MINUTE.reach, *(each.unit.first for each in landed)])
    return sessions_between(table, first, last)


def _symbol(text: str) -> str:
    """Return a symbol as the lake spells it, of the lake's spelling or Massive's.

    Raises:
        MisuseError: If it cannot be one.
    """
    plain = text.strip()
    # A small letter means something to Massive; who writes all of them small means none of that.
    symbol = canonical(plain) if plain in {plain.upper(), plain.lower()} else lake_symbol(plain)
    if not _SYMBOL.fullmatch(symbol):
        fact = f"{text!r} is no symbol."
        raise MisuseError(fact, hint="name one as the lake spells it, as AAPL, BRK.B or BAC.PRL.")
    return symbol
