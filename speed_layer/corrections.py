"""The correction stream applied: bars that late statements change, computed anew from all of them.

What comes too late for an engine is known by its recording. The symbols it names are recomputed by
the batch's own law from all that was recorded of the session. Only bars that are final are put into
the view: an engine goes on telling of those that form, and would only take back what it does not
know. So a longer bar is put right once it is final, and the day's once the day is over.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl
import structlog

from lake.errors import FiblakeError
from lake.exchange import ZONE
from lake.hours import hours_of
from lake.instant import from_microseconds, microseconds
from lake.live_bars import MINUTE_US, bars_of, in_force, minutes_of, prices_of, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from lake.event import Kind
    from lake.hours import SessionHours
    from lake.session import SessionTable

_MICROSECOND: Final = dt.timedelta(microseconds=1)
_STATEMENT: Final = ("symbol", "kind", "time", "sequence", "revision")
_log = structlog.get_logger(__name__)


class Corrections:
    """Symbols with late statements, until their session is over and all their bars are put right.

    Args:
        table: The sessions.
        recorded: Returns all that was recorded of a session, in order of receipt.
        put: Takes bars and prices, as a view does.
        kind: Of which events bars are made.
        lateness: How long after its end a bar may still change.
    """

    def __init__(
        self,
        table: SessionTable,
        recorded: Callable[[dt.date], pl.DataFrame],
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
        self._late: dict[dt.date, pl.DataFrame] = {}
        self._done: dict[dt.date, pl.DataFrame] = {}

    def note(self, late: pl.DataFrame) -> None:
        """Take late statements, schema `EVENTS`."""
        if late.is_empty():
            return
        at = pl.from_epoch("minute", "us").dt.replace_time_zone("UTC")
        named = late.select(*_STATEMENT, session=at.dt.convert_time_zone(ZONE.key).dt.date())
        for (session,), some in named.group_by("session"):
            told = some.drop("session")
            self._late[session] = pl.concat([self._late.get(session, told), told]).unique()

    def redo(self) -> None:
        """Apply once more what was late of the last session: a view lost it, no engine knows it."""
        for session, late in self._done.items():
            self._late[session] = pl.concat([self._late.get(session, late), late]).unique()
        self._done.clear()

    def apply(self, clock_us: int) -> None:
        """Recompute the symbols that were named, and put their final bars into the view.

        A session is done with once it is over and all its late statements are recorded: they wait
        for a while on their way into the lake.

        Args:
            clock_us: The time of the flow, in microseconds since 1970: bars that end `lateness`
                before it are final.

        Raises:
            ViewError: If the view cannot be reached; the symbols are kept for the next time.
            StoreError: If what was recorded cannot be read; likewise.
        """
        over = from_microseconds(clock_us) - self._lateness
        failures: list[FiblakeError] = []
        for session in sorted(self._late):
            try:
                self._correct(hours_of(session, self._table), over)
            except FiblakeError as error:
                failures.append(error)
        for failure in failures:
            raise failure

    def _correct(self, hours: SessionHours, over: dt.datetime) -> None:
        late = self._late[hours.session]
        events = self._recorded(hours.session)
        named = events.filter(pl.col("symbol").is_in(late["symbol"].unique()))
        statements = in_force(within(named, hours, self._kind))
        bars = bars_of(minutes_of(statements), hours, over=microseconds(over))
        is_over = hours.dusk <= over
        prices = prices_of(statements, hours.session)
        final = bars.filter(pl.col("state") == "final")
        self._put(final, prices if is_over else prices.clear())
        _log.info("corrected", session=str(hours.session), symbols=late["symbol"].n_unique())
        if is_over and late.join(named, on=_STATEMENT, how="anti").is_empty():
            self._end(hours.session)

    def _end(self, session: dt.date) -> None:
        """Be done with a session; what was late of the last one is remembered."""
        late = self._late.pop(session)
        done = {**self._done, session: pl.concat([self._done.get(session, late), late]).unique()}
        self._done = {max(done): done[max(done)]}


def late_among(events: pl.DataFrame, lateness: dt.timedelta) -> pl.DataFrame:
    """Return the events that an engine may have found late, of a session's in order of receipt.

    Those that restate what was also stated of an earlier minute are late as soon as that is over.
    """
    over = pl.col("time").cum_max() - lateness // _MICROSECOND - MINUTE_US
    earliest = pl.col("minute").min().over(_STATEMENT[:-1])
    return events.filter(earliest <= over, pl.col("kind") != "heartbeat")
