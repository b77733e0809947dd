"""A market of which every symbol trades a few times a session, over all of its hours."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl

from lake.hours import SessionHours, hours_of
from lake.instant import microseconds
from lake.wire import SCHEMA
from tests.days import SESSION, calendar

TRADES: Final = 20
_DAY_US: Final = 16 * 3_600_000_000
_MINUTE_US: Final = 60_000_000
_OVER: Final = dt.timedelta(minutes=16)


def hours(number: int) -> SessionHours:
    """Return the hours of a session, by its number."""
    table = calendar()
    return hours_of(table[table.ordinals(SESSION, SESSION).start + number], table)


def instant(hours: SessionHours, place: int) -> int:
    """Return when all trade for the so many-th time, in microseconds since 1970."""
    return microseconds(hours.dawn) + _DAY_US * place // TRADES


def traded(hours: SessionHours, symbols: int, place: int) -> pl.DataFrame:
    """Return a trade of each symbol, at one of the instants at which all trade."""
    time = instant(hours, place)
    told = {
        "kind": pl.lit("trade"),
        "symbol": pl.format("S{}", pl.int_range(symbols)),
        "time": pl.lit(time),
        "sequence": pl.lit(place),
        "minute": pl.lit(time // _MINUTE_US * _MINUTE_US),
        "moves": pl.lit(7),
        "price": pl.lit(10.0 + place),
        "size": pl.lit(100.0),
        "received": pl.lit(time),
        "source": pl.lit("massive"),
    }
    return _events(told)


def over(hours: SessionHours) -> pl.DataFrame:
    """Return the heartbeat that ends a session."""
    time = pl.lit(microseconds(hours.dusk + _OVER))
    return _events({"kind": pl.lit("heartbeat"), "symbol": pl.lit(""), "time": time})


def _events(told: dict[str, pl.Expr]) -> pl.DataFrame:
    absent = {
        **dict.fromkeys(("sequence", "revision", "minute", "moves", "received"), pl.lit(0)),
        **dict.fromkeys(("price", "size"), pl.lit(0.0)),
        "cancelled": pl.lit(value=False),
        "source": pl.lit(""),
    }
    columns = {**absent, **told}
    return pl.select(
        columns.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in SCHEMA.items()
    )
