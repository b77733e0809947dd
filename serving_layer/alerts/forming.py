"""Bars of several sessions as they were formed by then: daily bars, merged one by one."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from lake.alerts.seen import SeenBar
from lake.bar import NEUTRAL, Contribution, merge
from lake.instant import microseconds
from lake.session import Bucket, bucket_of
from serving_layer.alerts.stored import session_of

if TYPE_CHECKING:
    from lake.interval import Interval
    from lake.session import SessionTable
    from serving_layer.alerts.stored import Seens


class Forming:
    """The open bar of an interval, session by session; asked in order of time.

    Args:
        interval: Of sessions, more than one.
        days: All daily bars there are, in order, on one basis.
        table: The sessions of the exchange.
    """

    def __init__(self, interval: Interval, days: Seens, table: SessionTable) -> None:
        self._interval = interval
        self._days = days
        self._table = table
        self._next = 0
        self._bucket: Bucket | None = None
        self._merged = NEUTRAL

    def ends_with(self, session: dt.date) -> bool:
        """Return whether a session is the last of its bucket."""
        return self._bucket_of(session).last == session

    def with_(self, today: SeenBar) -> SeenBar:
        """Return the bar as it is with a daily bar, final or not: of its time, and forming."""
        session = session_of(today)
        bucket = self._bucket_of(session)
        merged = merge(self._before(session, bucket), _contribution(today))
        open_, high, low, close = merged.open, merged.high, merged.low, merged.close
        # They are there: today's are.
        assert open_ is not None and high is not None and low is not None and close is not None  # noqa: PT018, S101
        start = microseconds(dt.datetime.combine(bucket.first, dt.time(), dt.UTC))
        values = (open_, high, low, close, merged.volume)
        name = str(self._interval)
        return SeenBar(today.symbol, name, "regular", start, today.time, *values, "forming")

    def _bucket_of(self, session: dt.date) -> Bucket:
        return bucket_of(session, sessions_per_bar=self._interval.sessions, table=self._table)

    def _before(self, session: dt.date, bucket: Bucket) -> Contribution:
        """Return what a bucket has of the sessions before one."""
        if bucket != self._bucket:
            self._bucket, self._merged = bucket, NEUTRAL
        days = self._days
        while self._next < len(days.bars) and days.sessions[self._next] < session:
            if days.sessions[self._next] >= bucket.first:
                self._merged = merge(self._merged, _contribution(days.bars[self._next]))
            self._next += 1
        return self._merged


def _contribution(bar: SeenBar) -> Contribution:
    return Contribution(bar.open, bar.high, bar.low, bar.close, bar.volume)
