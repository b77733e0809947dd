"""The hours of a session: regular from its open to its close, extended before and after.

Units: instants are UTC and half-open; 04:00 and 20:00, where extended hours begin and end, are
exchange time. A minute belongs to the hours in which it starts.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from lake.errors import UnknownSessionError
from lake.exchange import ZONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lake.bar import Hours
    from lake.session import SessionTable

HOURS: Final[tuple[Hours, ...]] = ("regular", "extended")
_DAWN: Final = dt.time(4)
_DUSK: Final = dt.time(20)
DAY_MINUTES: Final = 16 * 60
"""From 04:00 to 20:00: the clocks change on Sundays, which are no sessions."""
_MINUTE: Final = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SessionHours:
    """One session's hours.

    Attributes:
        session: The date.
        dawn: 04:00, when extended hours begin.
        open: When regular hours begin.
        close: When they end, early closes included; extended hours begin again.
        dusk: 20:00, when those end.
    """

    session: dt.date
    dawn: dt.datetime
    open: dt.datetime
    close: dt.datetime
    dusk: dt.datetime

    @property
    def edges(self) -> tuple[int, int]:
        """Open and close, in minutes after dawn."""
        return (self.open - self.dawn) // _MINUTE, (self.close - self.dawn) // _MINUTE

    def buckets(self, minutes: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return, for each minute after dawn, where its bucket begins and how long that is.

        Buckets of so many minutes are anchored at dawn, at the open and at the close, and cut where
        the next of these is.
        """
        opens, closes = self.edges
        minute = np.arange(DAY_MINUTES)
        segment = np.digitize(minute, [opens, closes])
        anchor = np.array([0, opens, closes])[segment]
        begin = anchor + (minute - anchor) // minutes * minutes
        end = np.minimum(begin + minutes, np.array([opens, closes, DAY_MINUTES])[segment])
        return begin, (end - begin).astype(np.int32)


@dataclass(frozen=True)
class Timetable:
    """The hours of sessions that follow each other.

    Args:
        days: In order of time.
    """

    days: Sequence[SessionHours]

    @cached_property
    def arrow(self) -> pa.Table:
        """One row a session: session, dawn, open, close and dusk."""
        names = ("session", "dawn", "open", "close", "dusk")
        kinds = (pa.date32(), *[pa.timestamp("us", tz="UTC")] * 4)
        columns = [
            pa.array([getattr(day, name) for day in self.days], kind)
            for name, kind in zip(names, kinds, strict=True)
        ]
        return pa.table(columns, names=names)

    def of(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for each start (microseconds since 1970) which day it is in; -1 where in none."""
        dawn, dusk = self._edges["dawn"], self._edges["dusk"]
        day: NDArray[np.int64] = np.searchsorted(dawn[:-1], starts, "right") - 1
        # The place behind the last is for those before all dawns.
        return np.where((day >= 0) & (starts < dusk[day]), day, -1)

    def regular(self, day: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return when regular hours open and close on days as `of` tells them; on none, 0."""
        return self._edges["open"][day], self._edges["close"][day]

    @cached_property
    def _edges(self) -> dict[str, NDArray[np.int64]]:
        """By name the instants of all days, in microseconds since 1970, and 0 behind the last."""
        return {
            name: np.append(self.arrow[name].cast(pa.int64()).to_numpy(), 0)
            for name in ("dawn", "open", "close", "dusk")
        }


def hours_of(session: dt.date, table: SessionTable) -> SessionHours:
    """Return the hours of a session.

    Raises:
        UnknownSessionError: If the exchange did not trade then.
    """
    ordinal = table.ordinal(session)
    if ordinal is None:
        fact = f"{session} is not a session of {table.exchange}."
        raise UnknownSessionError(fact)
    return _hours(ordinal, table)


def timetable(table: SessionTable, first: dt.date, last: dt.date) -> Timetable:
    """Return the hours of the sessions in [first, last], both inclusive."""
    return Timetable([_hours(ordinal, table) for ordinal in table.ordinals(first, last)])


def _hours(ordinal: int, table: SessionTable) -> SessionHours:
    session = table[ordinal]
    return SessionHours(
        session=session,
        dawn=_at(session, _DAWN),
        open=table.opens[ordinal],
        close=table.closes[ordinal],
        dusk=_at(session, _DUSK),
    )


def _at(session: dt.date, time: dt.time) -> dt.datetime:
    return dt.datetime.combine(session, time, ZONE).astimezone(dt.UTC)
