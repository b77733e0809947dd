"""The correction stream applied: bars that late statements change, computed anew from all of them.

What comes too late for an engine is known by its recording. The symbols it names are recomputed by
the batch's own law from all that was recorded of the session. Only bars that are final are put into
the view: an engine goes on telling of those that form, and would only take back what it does not
know. So a longer bar is put right once it is final, and the day's once the day is over.

Only what is due is read: symbols of which something came late since, and those of which a bar that
has something late in it is final since. And those of the time before, once more: what had come by
then may have been on its way into the lake.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl
import structlog

from lake.errors import FiblakeError
from lake.exchange import ZONE
from lake.hours import hours_of
from lake.instant import from_microseconds, microseconds
from lake.interval import LIVE
from lake.live_bars import MINUTE_US, bars_of, in_force, keyed, minutes_of, prices_of, within

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from lake.event import Kind
    from lake.hours import SessionHours
    from lake.session import SessionTable

_MICROSECOND: Final = dt.timedelta(microseconds=1)
_IDENTITY: Final = ("symbol", "kind", "time", "sequence")
_STATEMENT: Final = (*_IDENTITY, "revision", "minute")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Session:
    """What was late of a session.

    Attributes:
        late: The statements.
        fresh: Symbols with some that are not applied yet.
        again: Symbols that are to be applied once more.
        until: Bars that end until then are put right, in microseconds.
    """

    late: pl.DataFrame
    fresh: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    until: int = 0

    def due(self, hours: SessionHours, over: int) -> set[str]:
        """Return the symbols of which something new is to be put right."""
        is_due = pl.col("end").is_between(self.until, over, closed="right")
        ended = (keyed(self.late, hours, interval).filter(is_due)["symbol"] for interval in LIVE)
        return self.fresh.union(*ended)


class Corrections:
    """Symbols with late statements, until their session is over and all their bars are put right.

    One thread may apply them while others note what is late.

    Args:
        table: The sessions.
        recorded: Returns what was recorded of a session and some symbols, in order of receipt.
        put: Takes bars and prices, as a view does.
        kind: Of which events bars are made.
        lateness: How long after its end a bar may still change.
    """

    def __init__(
        self,
        table: SessionTable,
        recorded: Callable[[dt.date, Collection[str]], pl.DataFrame],
        put: Callable[[pl.DataFrame, pl.DataFrame], None],
        *,
        kind: Kind,
        lateness: dt.timedelta,
    ) -> None:
        self._table = table
        self._recorded = recorded
        self._put = put
        self._kind = kind
        self._lateness = lateness
        self._noted: deque[pl.DataFrame | None] = deque()
        self._sessions: dict[dt.date, _Session] = {}
        self._done: dict[dt.date, pl.DataFrame] = {}

    def note(self, late: pl.DataFrame) -> None:
        """Take late statements, schema `EVENTS`."""
        if not late.is_empty():
            self._noted.append(late)

    def redo(self) -> None:
        """Apply once more what was late, also of the last session: a view lost it all."""
        self._noted.append(None)

    def apply(self, clock_us: int) -> None:
        """Recompute the symbols that are due, and put their final bars into the view.

        A session is done with once it is over and all its late statements are recorded: they wait
        for a while on their way into the lake.

        Args:
            clock_us: The time of the flow, in microseconds since 1970: bars that end `lateness`
                before it are final.

        Raises:
            ViewError: If the view cannot be reached; the symbols are kept for the next time.
            StoreError: If what was recorded cannot be read; likewise.
        """
        while self._noted:
            self._take(self._noted.popleft())
        over = from_microseconds(clock_us) - self._lateness
        failures: list[FiblakeError] = []
        for session in sorted(self._sessions):
            try:
                self._correct(hours_of(session, self._table), over)
            except FiblakeError as error:
                failures.append(error)
        for failure in failures:
            raise failure

    def _take(self, late: pl.DataFrame | None) -> None:
        if late is None:
            for session, of in self._sessions.items():
                self._add(session, of.late)
            for session, statements in self._done.items():
                self._add(session, statements)
            self._done.clear()
            return
        at = pl.from_epoch("minute", "us").dt.replace_time_zone("UTC")
        named = late.select(*_STATEMENT, session=at.dt.convert_time_zone(ZONE.key).dt.date())
        for (session,), some in named.group_by("session"):
            self._add(session, some.drop("session"))

    def _add(self, session: dt.date, late: pl.DataFrame) -> None:
        of = self._sessions.setdefault(session, _Session(late.clear()))
        of.late = pl.concat([of.late, late]).unique()
        of.fresh |= set(late["symbol"])

    def _correct(self, hours: SessionHours, over: dt.datetime) -> None:
        of, over_us = self._sessions[hours.session], microseconds(over)
        due = of.due(hours, over_us)
        if named := due | of.again:
            events = self._recorded(hours.session, named)
            self._recompute(events, hours, over)
            late = of.late.filter(pl.col("symbol").is_in(named))
            of.fresh = set(late.join(events, on=_STATEMENT, how="anti")["symbol"])
            _log.info("corrected", session=str(hours.session), symbols=len(named))
        of.again, of.until = due, over_us
        if hours.dusk <= over and not of.fresh | of.again:
            self._end(hours.session)

    def _recompute(self, events: pl.DataFrame, hours: SessionHours, over: dt.datetime) -> None:
        statements = in_force(within(events, hours, self._kind))
        bars = bars_of(minutes_of(statements), hours, over=microseconds(over))
        prices = prices_of(statements, hours.session)
        is_over = hours.dusk <= over
        self._put(bars.filter(pl.col("state") == "final"), prices if is_over else prices.clear())

    def _end(self, session: dt.date) -> None:
        """Be done with a session; what was late of the last one is remembered."""
        late = self._sessions.pop(session).late
        done = {**self._done, session: pl.concat([self._done.get(session, late), late]).unique()}
        self._done = {max(done): done[max(done)]}


def late_among(events: pl.DataFrame, lateness: dt.timedelta) -> pl.DataFrame:
    """Return the events that an engine may have found late, of a session's in order of receipt.

    Those that restate what was also stated of an earlier minute are late as soon as that is over.
    """
    over = pl.col("time").cum_max() - lateness // _MICROSECOND - MINUTE_US
    earliest = pl.col("minute").min().over(_IDENTITY)
    return events.filter(earliest <= over, pl.col("kind") != "heartbeat")
