"""When live bars end, by their interval, session and start."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lake.hours import hours_of
from lake.instant import microseconds
from lake.interval import DAILY, Interval
from lake.live_bars import MINUTE_US

if TYPE_CHECKING:
    import datetime as dt

    from lake.session import SessionTable

_REMEMBERED: Final = 64


class Ends:
    """The ends of bars.

    Args:
        table: The sessions.
    """

    def __init__(self, table: SessionTable) -> None:
        self._table = table
        self.of = lru_cache(_REMEMBERED)(self._of)
        """Return by start, both in microseconds, when a session's bars of an interval end."""

    def dawn(self, session: dt.date) -> int:
        """Return when the extended hours of a session begin."""
        return microseconds(hours_of(session, self._table).dawn)

    def _of(self, interval: str, session: dt.date) -> dict[int, int]:
        if self._table.ordinal(session) is None:
            return {}
        hours = hours_of(session, self._table)
        dawn = microseconds(hours.dawn)
        parsed = Interval.parse(interval)
        if parsed == DAILY:
            return {midnight(session): microseconds(hours.dusk)}
        begins, lengths = hours.buckets(parsed.minutes)
        return {
            dawn + begin * MINUTE_US: dawn + (begin + length) * MINUTE_US
            for begin, length in zip(begins.tolist(), lengths.tolist(), strict=True)
        }


def midnight(session: dt.date) -> int:
    """Return midnight UTC of a date, where bars of sessions start, in microseconds."""
    return (session.toordinal() - _EPOCH) * _DAY_US


_EPOCH: Final = 719_163
"""The ordinal of 1970-01-01."""
_DAY_US: Final = 86_400_000_000
