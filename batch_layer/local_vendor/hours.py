"""The minutes of a session: when it opens and closes, and the extended hours around it.

All in ms since 1970. Extended hours run from 04:00 to 20:00 at the exchange, whenever it closes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from lake.session import SessionTable

ZONE: Final = ZoneInfo("America/New_York")
MINUTE_MS: Final = 60_000
_EARLY: Final = dt.time(4)
_LATE: Final = dt.time(20)


@dataclass(frozen=True, slots=True)
class Hours:
    """Instants of one session, in ms: each ends what the one before began."""

    early: int
    open: int
    close: int
    late: int

    @property
    def minutes(self) -> int:
        """How many minutes its regular hours have."""
        return (self.close - self.open) // MINUTE_MS


def hours_of(session: dt.date, table: SessionTable) -> Hours:
    """Return the hours of a session; those of no session are empty, at midnight."""
    ordinal = table.ordinal(session)
    if ordinal is None:
        return Hours(*[milliseconds(session)] * 4)
    return Hours(
        early=milliseconds(session, _EARLY),
        open=int(table.opens[ordinal].timestamp()) * 1000,
        close=int(table.closes[ordinal].timestamp()) * 1000,
        late=milliseconds(session, _LATE),
    )


def milliseconds(session: dt.date, time: dt.time = dt.time()) -> int:
    """Return the instant of a time of day at the exchange."""
    return int(dt.datetime.combine(session, time, tzinfo=ZONE).timestamp()) * 1000


def date_at(instant_ms: int) -> dt.date:
    """Return the date at the exchange at an instant."""
    return dt.datetime.fromtimestamp(instant_ms / 1000, tz=ZONE).date()
