"""What the statements of a session make: its minutes, its live bars and prices, all at once.

The law is `lake.event.contribution` and `lake.bar.merge`, which take them one by one; this is the
same on columns. What is applied of corrections comes of it, and so do bars made of what landed.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lake.event import HIGH_LOW, OPEN_CLOSE, VOLUME
from lake.interval import DAILY, MINUTE_INTERVALS
from lake.live import BARS_SCHEMA, PRICES_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.event import Kind
    from lake.hours import SessionHours
    from lake.interval import Interval

MINUTE_US: Final = 60_000_000
_IDENTITY: Final = ("symbol", "kind", "time", "sequence")
_ENDS: Final = ("open", "high", "low", "close")
_MERGED: Final = (*_ENDS, "volume", "notional", "trades", "weight", "minutes")

LATENESS: Final = dt.timedelta(minutes=15)
"""How long after its end a live bar can change, where nobody says otherwise."""


def in_force(events: pl.DataFrame) -> pl.DataFrame:
    """Return the statements in force, in order of symbol, kind, time and sequence.

    One that another revision stated of another minute is void there: there is a row of it as such,
    so that whatever a minute was ever told counts in the version of its bars.

    Args:
        events: Schema `EVENTS`, in order of receipt: of equal revisions the first holds.
    """
    told = events.filter(pl.col("kind") != "heartbeat")
    # By numbers, at less than half the time.
    ranked = [_ranked(told[name]) for name in _IDENTITY[:2]]
    rows = told.select(*ranked, "time", "sequence", "minute", restated=-pl.col("revision"))
    ordered = rows.with_row_index("row").sort(*_IDENTITY, "restated", "row")
    is_other = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in _IDENTITY)
    held = pl.when(is_other.fill_null(value=True)).then(pl.col("row", "minute")).forward_fill()
    stated = ordered.select("minute", held.name.prefix("held_")).unique(maintain_order=True)
    is_void = stated["minute"] != stated["held_minute"]
    return told[stated["held_row"]].with_columns(
        stated["minute"], cancelled=pl.col("cancelled") | is_void
    )


def _ranked(texts: pl.Series) -> pl.Series:
    """Return the place of each text in their order."""
    return texts.cast(pl.Enum(texts.unique().sort())).to_physical()


def within(events: pl.DataFrame, hours: SessionHours, kind: Kind = "trade") -> pl.DataFrame:
    """Return the events of a kind that count to a session's minutes."""
    dawn, dusk = (_micros(at) for at in (hours.dawn, hours.dusk))
    is_inside = pl.col("minute").is_between(dawn, dusk, closed="left")
    return events.filter(is_inside, pl.col("kind") == kind)


def minutes_of(statements: pl.DataFrame) -> pl.DataFrame:
    """Return what statements in force bring into each minute, in order of symbol and minute.

    Args:
        statements: Of one kind, in order of symbol, time and sequence.

    Returns:
        symbol, minute, open, high, low, close, volume, notional, trades; weight, the sum of 1 +
        revision; minutes, 1 where the minute was traded, and 0 where all in it is void.
    """
    brought = statements.select(
        "symbol",
        "minute",
        **_brought(),
        weight=1 + pl.col("revision"),
    )
    merged = brought.group_by("symbol", "minute").agg(*_merging(), weight=pl.col("weight").sum())
    is_void = pl.all_horizontal(
        *(pl.col(name).is_null() for name in _ENDS),
        *(pl.col(name).eq_missing(0) for name in ("volume", "notional", "trades")),
    )
    return merged.with_columns(minutes=(~is_void).cast(pl.Int32)).sort("symbol", "minute")


def bars_of(minutes: pl.DataFrame, hours: SessionHours, *, over: int | None = None) -> pl.DataFrame:
    """Return the live bars of a session's minutes, in order of interval, symbol and start.

    Args:
        minutes: As `minutes_of` makes them.
        hours: Of their session.
        over: The instant up to which nothing changes any more: bars that end by then are final;
            None: all are.

    Returns:
        Schema `LIVE_BARS`; prices are null where what there was is void.
    """
    parts = [keyed(minutes, hours, interval) for interval in MINUTE_INTERVALS]
    parts.append(keyed(_prices_of_regular_hours(minutes, hours), hours, DAILY))
    bars = pl.concat([_folded(part) for part in parts])
    final = pl.lit(value=True) if over is None else pl.col("end") <= over
    is_bar = pl.col("open").is_not_null() & pl.col("close").is_not_null()
    return bars.select(
        "symbol",
        "interval",
        "hours",
        "start",
        "minutes",
        *(pl.when(is_bar).then(name).alias(name) for name in _ENDS),
        "volume",
        vwap_of().alias("vwap"),
        "trades",
        session=pl.lit(hours.session),
        state=pl.when(final).then(pl.lit("final")).otherwise(pl.lit("forming")),
        version=2 * pl.col("weight") + final.cast(pl.Int64),
    ).select(pl.col(name).cast(kind) for name, kind in BARS_SCHEMA.items())


def prices_of(statements: pl.DataFrame, session: dt.date) -> pl.DataFrame:
    """Return the latest price of each symbol, schema `PRICES`; null where there is none (any more).

    Args:
        statements: Those in force in the session, in order of symbol, time and sequence.
        session: Which session.
    """
    close = _brought()["close"]
    told = statements.select("symbol", "time", "received", "source", "revision", price=close)
    priced = pl.col("price").is_not_null()
    last = told.group_by("symbol", maintain_order=True).agg(
        *(pl.col(name).filter(priced).last() for name in ("price", "time", "received", "source")),
        version=(1 + pl.col("revision")).sum(),
    )
    filled = last.with_columns(
        pl.col("time", "received").fill_null(0),
        pl.col("source").fill_null(""),
        session=pl.lit(session),
    )
    return filled.select(pl.col(name).cast(kind) for name, kind in PRICES_SCHEMA.items())


def vwap_of() -> pl.Expr:
    """Return notional over volume: null without volume, or where a part with volume lacks it."""
    return pl.when(pl.col("volume") != 0).then(pl.col("notional") / pl.col("volume"))


def _brought() -> dict[str, pl.Expr]:
    """Return what a statement brings in, by name: `lake.event.contribution` on columns."""
    is_void = pl.col("cancelled")
    is_trade = pl.col("kind") == "trade"
    first_last, extreme, counts = (
        (pl.col("moves") & bit) != 0 for bit in (OPEN_CLOSE, HIGH_LOW, VOLUME)
    )
    of_trade = {
        "open": pl.when(first_last).then("price"),
        "high": pl.when(extreme).then("price"),
        "low": pl.when(extreme).then("price"),
        "close": pl.when(first_last).then("price"),
        "volume": pl.when(counts).then("size").otherwise(0.0),
        "notional": pl.when(counts).then(pl.col("price") * pl.col("size")).otherwise(0.0),
        "trades": counts.cast(pl.Int64),
    }
    has_size = pl.col("size") != 0
    of_aggregate = {
        "open": pl.col("open"),
        "high": pl.col("high"),
        "low": pl.col("low"),
        "close": pl.col("price"),
        "volume": pl.col("size"),
        "notional": pl.when(has_size).then(pl.col("vwap") * pl.col("size")).otherwise(0.0),
        "trades": pl.when(has_size).then("trades").otherwise(0),
    }
    neutral = dict.fromkeys(_ENDS) | {"volume": 0.0, "notional": 0.0, "trades": 0}
    return {
        name: pl.when(is_void)
        .then(pl.lit(neutral[name]))
        .otherwise(pl.when(is_trade).then(of_trade[name]).otherwise(of_aggregate[name]))
        for name in of_trade
    }


def _merging() -> Sequence[pl.Expr]:
    """Return how contributions in order of time merge: `lake.bar.merge` on columns."""
    return (
        pl.col("open").first(ignore_nulls=True),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(ignore_nulls=True),
        pl.col("volume").sum(),
        *(
            pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).alias(name)
            for name in ("notional", "trades")
        ),
    )


def keyed(minutes: pl.DataFrame, hours: SessionHours, interval: Interval) -> pl.DataFrame:
    """Return rows of minutes with the bar of an interval that each is in.

    Args:
        minutes: `minute`, and whatever else.
        hours: Of their session.
        interval: An intraday one, or `1d`.

    Returns:
        The same rows in order, with interval, hours, start and end (both in microseconds).
    """
    if interval == DAILY:
        midnight = dt.datetime.combine(hours.session, dt.time(), dt.UTC)
        return minutes.with_columns(
            interval=pl.lit(str(interval)),
            hours=pl.lit("regular"),
            start=pl.lit(_micros(midnight)),
            end=pl.lit(_micros(hours.dusk)),
        )
    dawn = _micros(hours.dawn)
    begin, lasts = hours.buckets(interval.minutes)
    place = (minutes["minute"].to_numpy() - dawn) // MINUTE_US
    first = begin[place]
    opens, closes = hours.edges
    return minutes.with_columns(
        interval=pl.lit(str(interval)),
        hours=pl.Series(np.where((first >= opens) & (first < closes), "regular", "extended")),
        start=pl.Series(dawn + first * MINUTE_US),
        end=pl.Series(dawn + (first + lasts[place]) * MINUTE_US),
    )


def _prices_of_regular_hours(minutes: pl.DataFrame, hours: SessionHours) -> pl.DataFrame:
    """Return minutes as the bar of the day takes them: with the prices of regular hours alone."""
    opens, closes = (_micros(at) for at in (hours.open, hours.close))
    regular = pl.col("minute").is_between(opens, closes, closed="left")
    return minutes.with_columns(pl.when(regular).then(name).alias(name) for name in _ENDS)


def _folded(minutes: pl.DataFrame) -> pl.DataFrame:
    key = ("symbol", "interval", "hours", "start", "end")
    # The minutes are in order: so are those of each group.
    merged = minutes.group_by(key).agg(*_merging(), pl.col("weight", "minutes").sum())
    return merged.select(*key, *_MERGED).sort("symbol", "start")


def _micros(instant: dt.datetime) -> int:
    return int(instant.timestamp()) * 1_000_000
