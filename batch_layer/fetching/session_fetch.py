"""The smart backfill by session: what is missing is fetched, once, and lands before it counts.

Each session is one unit of work. What bronze has is left alone; what had landed is brought into
bronze without asking; the rest is asked for, several sessions at once, and lands at once, each in
an object of its own. Bronze takes landed sessions in chunks: a year's object is rewritten for each.

The latest sessions come first. They are what users wait for, and a plan that reaches back two years
says so at the first session that it leaves out: those before it need not be asked for.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from batch_layer import landing
from batch_layer.bronze.committed import last_committed
from batch_layer.fetching.daily_sources import RESTATING
from batch_layer.fetching.misses import Misses
from batch_layer.fetching.session_plan import look, span_of, todo_of
from batch_layer.fetching.session_run import SessionRun
from lake.errors import DamagedObjectError
from lake.exchange import ensure_sessions, last_settled, trading_day
from lake.lease import leased

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_layer.fetching.bars_kind import BarsKind
    from batch_layer.fetching.fetch_report import FetchReport
    from batch_layer.fetching.session_plan import Held, Span, Todo
    from batch_layer.fetching.session_source import SessionSource
    from lake.clock import Clock
    from lake.lease import Holder
    from lake.settings import Settings
    from lake.store import ObjectStore

_RECENT: Final = 5
"""How many of the last sessions may be without bars because they are not published yet."""
_LONG_MIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted.

    Attributes:
        source: Whom to ask.
        start: The first date; None: see `session_plan.span_of`.
        end: The last one, inclusive; None: the last settled session.
        again: Ask for what is there, too.
    """

    source: str
    start: dt.date | None = None
    end: dt.date | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class SessionFetcher:
    """Brings a vendor's bars of one kind into one lake, session by session.

    Attributes:
        kind: Of bars.
        store: The lake.
        clock: Tells which sessions are over.
        opened: Returns a source by name, once there is something to ask it.
        settling: How long after its close a session's bars are taken.
        workers: How many sessions are asked for at once.
        on_progress: Called with (done, of how many) as sessions are done.
        on_wait: Called where another process fetches from the source, which is then waited for;
            None: nobody is waited for.
        on_long: Called with (calls, minutes) where the pace makes it take more than a minute.
        is_over: Tells whether it is time to stop asking; what is left is for another time.
    """

    kind: BarsKind
    store: ObjectStore
    clock: Clock
    opened: Callable[[str], SessionSource]
    settling: dt.timedelta = dt.timedelta()
    workers: int = 8
    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    on_wait: Callable[[Holder], None] | None = None
    on_long: Callable[[int, float], None] = lambda _calls, _minutes: None
    is_over: Callable[[], bool] = lambda: False

    @classmethod
    def of(
        cls, kind: BarsKind, store: ObjectStore, settings: Settings, clock: Clock
    ) -> SessionFetcher:
        """Return what fetches into a lake as the settings say, and tells nobody."""
        return cls(
            kind=kind,
            store=store,
            clock=clock,
            opened=lambda name: kind.open_source(name, settings, clock),
            settling=dt.timedelta(minutes=settings.settling_minutes),
            workers=min(settings.fetch_workers, kind.workers),
        )

    def fetch(self, order: Order) -> FetchReport:
        """Fetch what is missing.

        Raises:
            MisuseError: If the source is none, or the start is after the end.
            BusyError: If another process fetches from it, and is not waited for.
            VendorError: If the source cannot be asked at all; what had landed stays.
            StoreError: If the lake cannot be written.
        """
        started = time.perf_counter()
        self.kind.check_source(order.source)
        name = f"fetch-{order.source}"
        with leased(self.store, name, clock=self.clock, on_wait=self.on_wait) as lease:
            run = self._run(order, lease.check)
            run.go()
        return run.report(time.perf_counter() - started)

    def _run(self, order: Order, check: Callable[[], None]) -> SessionRun:
        table = ensure_sessions(
            self.store,
            today=trading_day(self.clock.now()),
            committed=lambda: last_committed(self.store),
        )
        settled = last_settled(table, self.clock.now(), self.settling)
        held = look(self.store, self.kind, order.source)
        span = span_of(table, settled, held, order.start, order.end, reach=self.kind.reach)
        opened = _once(partial(self.opened, order.source))
        todo = self._todo(span, settled, held, order, opened)
        last = table.ordinal(settled) or 0
        recent = {table[ordinal] for ordinal in range(max(last + 1 - _RECENT, 0), last + 1)}
        misses = Misses(recent, span.is_open)
        misses.not_yet += [session for session in span.sessions if session > settled]
        return SessionRun(
            kind=self.kind,
            store=self.store,
            held=held,
            todo=todo,
            bringer=self.kind.bringer(self.store, self.store, order.source, table, settled),
            misses=misses,
            workers=self.workers,
            opened=opened,
            check=check,
            is_over=self.is_over,
            on_progress=self.on_progress,
        )

    def _todo(
        self,
        span: Span,
        settled: dt.date,
        held: Held,
        order: Order,
        opened: Callable[[], SessionSource],
    ) -> Todo:
        wanted = [session for session in span.sessions if session <= settled]
        todo = todo_of(wanted, held, again=order.again)
        if order.source in RESTATING and todo.there:
            landed = {
                session: held.landed[session][-1]
                for session in todo.there
                if session in held.landed
            }
            todo = todo.with_again(opened().restated(landed, self._version_of))
        if todo.ask:
            self._tell_long(len(todo.ask), opened().calls_per_minute)
        return todo

    def _version_of(self, key: str) -> str:
        try:
            return landing.read(self.store, key)[-1].version
        except DamagedObjectError:
            return ""  # and so it is fetched again

    def _tell_long(self, calls: int, per_minute: float | None) -> None:
        if per_minute is not None and calls / per_minute > _LONG_MIN:
            self.on_long(calls, calls / per_minute)


def _once(open_: Callable[[], SessionSource]) -> Callable[[], SessionSource]:
    opened: list[SessionSource] = []

    def open_once() -> SessionSource:
        if not opened:
            opened.append(open_())
        return opened[0]

    return open_once
