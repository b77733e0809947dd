"""The exchange's dates of instants, of which the next is mostly of the same date.

Units: instants are microseconds since 1970, UTC.
"""

from __future__ import annotations

import datetime as dt

from lake.exchange import ZONE
from lake.instant import from_microseconds, microseconds


class Days:
    """The exchange's dates of instants that mostly follow each other."""

    def __init__(self) -> None:
        self._begin = self._end = 0
        self._date = dt.date.min

    def of(self, time: int) -> dt.date:
        """Return the exchange's date at a time."""
        if not self._begin <= time < self._end:
            self._date = date = from_microseconds(time).astimezone(ZONE).date()
            self._begin = _midnight(date, ZONE)
            self._end = _midnight(date + dt.timedelta(days=1), ZONE)
        return self._date

    def midnight(self, time: int) -> int:
        """Return when a daily bar of that date begins: at its midnight UTC."""
        return _midnight(self.of(time), dt.UTC)


def _midnight(date: dt.date, zone: dt.tzinfo) -> int:
    return microseconds(dt.datetime.combine(date, dt.time(), zone))
