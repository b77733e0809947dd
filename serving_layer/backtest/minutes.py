"""Bars of minutes and hours for a backtest: those of whole sessions, some of them before its start.

Not all there ever were: what a bar of minutes still shows of months before is nothing.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from lake import keys
from lake.interval import MINUTE
from serving_layer.query import BarsQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.interval import Interval
    from lake.store import ObjectStore
    from serving_layer.asked import Market
    from serving_layer.backtest.query import BacktestQuery
    from serving_layer.intraday import IntradayBars

_SESSION_MINUTES: Final = 390
_GAPS: Final = 2
"""So many times the sessions that would do, were no bar missing."""
_MATRIX_SESSIONS: Final = 10


def most_bars_of_one(
    store: ObjectStore, interval: Interval, start: dt.date | None, end: dt.date | None
) -> int:
    """Return how many regular bars a listing has at most in the sessions of a range."""
    prefix = keys.MINUTE if interval == MINUTE else keys.silver_prefix(interval)
    first, last = start or dt.date.min, end or dt.date.max
    sessions = keys.by_session(store.fingerprints(prefix))
    return _a_session(interval) * sum(first <= session <= last for session in sessions)


def regular_bars(
    intraday: IntradayBars,
    query: BacktestQuery,
    interval: Interval,
    market: Market,
    sessions: Sequence[dt.date],
) -> pa.Table:
    """Return regular bars, final ones alone unless others are asked for, in order.

    Args:
        intraday: Reads them.
        query: For which.
        interval: Of minutes or hours.
        market: Whose; what is asked for of it.
        sessions: Of the exchange, in order.

    Returns:
        Schema `INTRADAY_BARS`, from some sessions before the query's start on, as many as
        `sessions_before` says.
    """
    start = query.start and _earlier(query.start, sessions_before(query, interval), sessions)
    asked = BarsQuery(None, interval, start=start, end=query.end)
    bars = intraday.bars(asked, market)
    return bars if query.include_forming else bars.filter(pc.equal(bars["state"], "final"))


def sessions_before(query: BacktestQuery, interval: Interval) -> int:
    """Return how many sessions before its start a query looks at."""
    if query.kind == "matrix":
        return _MATRIX_SESSIONS
    return _GAPS * -(-query.memory // _a_session(interval))


def _earlier(day: dt.date, by: int, sessions: Sequence[dt.date]) -> dt.date:
    """Return the session so many sessions before a date; the date, where that is outside them."""
    at = bisect_left(sessions, day) - by
    return min(sessions[max(at, 0)], day) if at < len(sessions) else day


def _a_session(interval: Interval) -> int:
    return -(-_SESSION_MINUTES // interval.minutes)
