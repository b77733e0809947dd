"""Bars of minutes and hours for a backtest: those of whole sessions, some of them before its start.

Not all there ever were: what a bar of minutes still shows of months before is nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from lake import keys
from lake.interval import MINUTE
from serving_layer.query import BarsQuery

if TYPE_CHECKING:
    import datetime as dt
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


def stored_sessions(store: ObjectStore, interval: Interval) -> list[dt.date]:
    """Return the sessions of which the lake has bars of an interval, in order."""
    prefix = keys.MINUTE if interval == MINUTE else keys.silver_prefix(interval)
    return sorted(keys.by_session(store.fingerprints(prefix)))


def most_bars_of_one(query: BacktestQuery, interval: Interval, stored: Sequence[dt.date]) -> int:
    """Return how many regular bars a listing has at most in the sessions of a query's range."""
    return _a_session(interval) * len(_range(query, stored))


def most_read_of_one(query: BacktestQuery, interval: Interval, stored: Sequence[dt.date]) -> int:
    """Return how many regular bars of a listing are read at most, those before the range too."""
    of_range = _range(query, stored)
    before = min(sessions_before(query, interval), of_range.start)
    return _a_session(interval) * (before + len(of_range))


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


def _range(query: BacktestQuery, stored: Sequence[dt.date]) -> range:
    """Return which of some sessions are in a query's range."""
    first = bisect_left(stored, query.start) if query.start else 0
    last = bisect_right(stored, query.end) if query.end else len(stored)
    return range(first, max(first, last))


def _earlier(day: dt.date, by: int, sessions: Sequence[dt.date]) -> dt.date:
    """Return the session so many sessions before a date; the date, where that is outside them."""
    at = bisect_left(sessions, day) - by
    return min(sessions[max(at, 0)], day) if at < len(sessions) else day


def _a_session(interval: Interval) -> int:
    return -(-_SESSION_MINUTES // interval.minutes)
