"""The matrix: all intervals on one timeline, at each instant what was final then and no more.

finest interval   |--1d--|--1d--|--1d--|--1d--|     a row at the end of each of its bars
3d bars           ...-----|-----------3d------|     the row there has the one that ends with it;
row               A       A      A      A             the two before it, the bar before that
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa

    from lake.interval import Interval
    from serving_layer.backtest.history import History

STATEMENTS: Final = (
    "backtest_available",
    "backtest_matrix",
    "backtest_steps",
    "backtest_timeline",
)


def matrix_of(history: History) -> pl.DataFrame:
    """Return what was there when, in order of name (of a whole market: listing) and instant.

    Returns:
        Listing, symbol, session and available_at: one row a bar of the finest interval asked for,
        at its end; of sessions a day that the listing traded. Then for each interval
        `available_at_13d`, `close_13d` and so on: null before its first bar was final.
    """
    query = history.query
    closes = history.sessions.select("session", close_at="close")
    history.register("hours", closes)
    history.register("steps_of_basis", _steps(history))
    history.register("available", _available(history, query.finest))
    timeline = pl.DataFrame(history.run("backtest_timeline", first=query.start, last=query.end))
    history.register("timeline", timeline.with_row_index("nth"))
    parts = [_part(history, each) for each in query.intervals]
    return pl.concat([timeline, *parts], how="horizontal")


def _steps(history: History) -> pa.Table:
    steps = history.run("backtest_steps")
    return steps.slice(0, 0) if history.query.adjustment == "raw" else steps


def _available(history: History, interval: Interval) -> pa.Table:
    history.register("bars", history.bars(interval))
    return history.run("backtest_available", minutes=interval.minutes)


def _part(history: History, interval: Interval) -> pl.DataFrame:
    """Return the columns of one interval, a row an instant of the timeline."""
    history.register("available", _available(history, interval))
    bars = pl.DataFrame(history.run("backtest_matrix", as_of=history.query.as_of))
    return bars.select(pl.col("available_at", *history.query.columns).name.suffix(f"_{interval}"))
