"""Made-up trades of the present: those that a vendor tells while sessions pass."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.generating.trading.trades import trades_of
from lake.exchange import trading_day
from lake.hours import timetable
from lake.instant import microseconds
from lake.wire import SCHEMA

if TYPE_CHECKING:
    import datetime as dt

    from lake.hours import SessionHours
    from lake.session import SessionTable

_SOURCE: Final = "vendor"
_SESSIONS: Final = 5
_TRADES: Final = 40_000
_LEAST: Final = 4


def present_trades(day: pl.DataFrame, table: SessionTable, now: dt.datetime) -> pl.DataFrame:
    """Return trades of the session that is on, if one is, and of the next ones: five in all.

    Each session has the prices of the same daily bars, spread from dawn to dusk. Asked again, the
    same session has the same trades: who starts twice tells nothing else.

    Args:
        day: Daily bars: symbol, open, high, low, close, volume; one row a symbol.
        table: The sessions.
        now: The present instant.

    Returns:
        Schema `EVENTS`, in order of receipt; each is received as it prints.
    """
    each = max(_TRADES // max(day.height, 1), _LEAST)
    ahead = timetable(table, trading_day(now), table.last).days
    sessions = [hours for hours in ahead if hours.dusk > now][:_SESSIONS]
    made = [_spread(day, hours, each) for hours in sessions]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *made]).sort("received", maintain_order=True)


def _spread(day: pl.DataFrame, hours: SessionHours, each: int) -> pl.DataFrame:
    whole = replace(hours, open=hours.dawn, close=hours.dusk)
    made = trades_of(hours.session, day, whole, each=each, source=_SOURCE)
    # What closes the day comes after dusk, and is none of the closing auction's: it is left out.
    return made.filter(pl.col("time") < microseconds(hours.dusk))
