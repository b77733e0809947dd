"""The bars of a backtest: one row a bar, its indicators beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa

    from lake.interval import Interval
    from serving_layer.backtest.history import History

STATEMENTS: Final = ("known", "known_bars", "known_last", "fold", "kept", "basis")


def bars_of(history: History) -> pl.DataFrame:
    """Return bars, in order of name (of a whole market: listing), interval as asked, and start.

    Returns:
        Listing, symbol, interval, start, the columns asked for, and a column an indicator.
    """
    asked = history.market.asked or ()
    places = {each.listing: place for place, each in enumerate(asked)}
    told = pl.concat(_told(history, nth, each) for nth, each in enumerate(history.query.intervals))
    place = pl.col("listing").replace_strict(places, return_dtype=pl.Int64)
    return told.sort(place, "nth", "start").drop("nth")


def _told(history: History, nth: int, interval: Interval) -> pl.DataFrame:
    query = history.query
    bars = _based(history, interval)
    for each in query.indicators:
        bars = bars.append_column(str(each), each.column(history.cursor, bars))
    day = pl.col("through") if interval.is_intraday else pl.col("start")
    frame = pl.DataFrame(bars)
    if query.start is not None:
        frame = frame.filter(day >= query.start)
    frame = frame.filter(pl.lit(query.include_forming) | (pl.col("state") == "final"))
    named = frame.with_columns(interval=pl.lit(str(interval)), nth=pl.lit(nth))
    columns = [*query.columns, *map(str, query.indicators)]
    return named.select("listing", "symbol", "interval", "start", *columns, "nth")


def _based(history: History, interval: Interval) -> pa.Table:
    """Return bars up to the end, those before the start too, on the basis asked for."""
    query = history.query
    history.register("bars", history.bars(interval))
    return history.run(
        "basis",
        first=None,
        last=None if interval.is_intraday else query.end,
        after_place=None,
        after_start=None,
        as_of=query.as_of,
        limit=None,
    )
