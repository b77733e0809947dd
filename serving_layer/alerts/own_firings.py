"""An owner's firings: listed, shown, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from database.alert_rules import had_alert
from database.deliveries import deliveries_of, redeliver
from database.firings import FiringsAsked, find_firing, list_firings
from lake.errors import InvalidRangeError
from lake.instant import utc, written
from lake.symbol import canonical
from serving_layer.alerts.answers import Firing, FiringsPage, firing_of
from serving_layer.alerts.paging import ALERT, FIRING, behind, cursor_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from database import Database
    from database.notifications import NotificationRow
    from lake.clock import Clock
    from serving_layer.alerts.whose import Whose


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which firings are asked for.

    Attributes:
        alert: Of this alert alone, deleted or not; None: of all.
        symbol: Of this symbol alone, in any spelling; None: of all.
        start: Those that happened no sooner; None: whenever.
        end: Those that happened before; None: whenever.
        limit: At most so many.
        cursor: `next_cursor` of the page before.
    """

    alert: str | None = None
    symbol: str | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    limit: int = 100
    cursor: str | None = None

    def asked(self) -> FiringsAsked:
        """Return what is asked of the database: one more, which tells whether there are more.

        Raises:
            InvalidRangeError: If the end is before the start, or the cursor is none.
        """
        start, end = self.start and utc(self.start), self.end and utc(self.end)
        if start and end and end < start:
            fact = f"The end {written(end)} is before the start {written(start)}."
            raise InvalidRangeError(fact)
        return FiringsAsked(
            alert=self.alert,
            symbol=None if self.symbol is None else canonical(self.symbol),
            start=start,
            end=end,
            after=None if self.cursor is None else behind(self.cursor, FIRING),
            limit=self.limit + 1,
        )


class OwnFirings:
    """The firings of one owner's alerts, and tests of them; many threads may use it.

    Args:
        database: Which keeps them, and is prepared.
        whose: The owner, and who asks.
        clock: Tells the present.

    Each method raises a `DatabaseError` if the database does not answer; and an
    `UnknownAlertError` if a firing or an alert is asked for that is not there, or is another's.
    """

    def __init__(self, database: Database, whose: Whose, clock: Clock) -> None:
        self._database = database
        self._whose = whose
        self._clock = clock

    def listed(self, narrowing: Narrowing) -> FiringsPage:
        """Return firings, the latest put down first: those of deleted alerts too.

        Raises:
            InvalidRangeError: As `Narrowing.asked` does.
        """
        asked = narrowing.asked()
        if asked.symbol is not None and not asked.symbol.isprintable():
            return FiringsPage([], None)  # not every text may be asked of a database
        with self._database.read() as connection:
            if asked.alert is not None:
                self._must_have_had(connection, asked.alert)
            found = list_firings(connection, self._whose.owner, asked)
            shown = found[: narrowing.limit]
            firings = _with_deliveries(connection, shown)
        if len(shown) == len(found):
            return FiringsPage(firings, None)
        return FiringsPage(firings, cursor_of(shown[-1].made, shown[-1].notification))

    def show(self, firing: str) -> Firing:
        """Return a firing."""
        with self._database.read() as connection:
            return _with_deliveries(connection, [self._found(connection, firing)])[0]

    def redeliver(self, firing: str, destination: str | None = None) -> Firing:
        """Let a firing be told once more, by the same id, though it was delivered or given up on.

        Args:
            firing: Its id.
            destination: To this one alone; None: to all that it was told to.

        Raises:
            UnknownDestinationError: If it was not told there.
            MisuseError: If it was told to nobody: its alert was muted.
        """
        whose = self._whose
        with self._database.write() as connection:
            row = self._found(connection, firing)
            redeliver(
                connection,
                whose.owner,
                firing,
                destination,
                actor=whose.actor,
                at=self._clock.now(),
            )
            return _with_deliveries(connection, [row])[0]

    def _found(self, connection: Connection, firing: str) -> NotificationRow:
        is_one = FIRING.fullmatch(firing)
        found = find_firing(connection, self._whose.owner, firing) if is_one else None
        if found is None:
            raise self._whose.no_firing(firing)
        return found

    def _must_have_had(self, connection: Connection, alert: str) -> None:
        is_one = ALERT.fullmatch(alert)
        if not is_one or not had_alert(connection, self._whose.owner, alert):
            raise self._whose.no_alert(alert)


def _with_deliveries(connection: Connection, rows: Sequence[NotificationRow]) -> list[Firing]:
    found = deliveries_of(connection, [row.notification for row in rows])
    return [firing_of(row, found[row.notification]) for row in rows]
