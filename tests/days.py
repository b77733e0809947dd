"""Made-up days of trades: small ones, and one as large as a market's.

A day is made once in a test process; nobody may change it, and frames cannot be.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import Final

import polars as pl

from batch_layer.generating.trading import made_up_bars, messy, record, trades_of
from lake.exchange import compute_sessions
from lake.hours import SessionHours, hours_of
from lake.session import SessionTable
from lake.store import ObjectStore

SESSION: Final = dt.date(2025, 11, 26)
SHORT: Final = dt.date(2025, 11, 28)
"""It closes at 13:00."""


@dataclass(frozen=True)
class Day:
    """A session's trades.

    Attributes:
        hours: Of the session.
        bars: The daily bars that they make: symbol, open, high, low, close, volume.
        trades: The clean ones, in order of symbol, time and sequence, schema `EVENTS`.
        tape: What a feed receives of it, in order of receipt, schema `EVENTS`.
    """

    hours: SessionHours
    bars: pl.DataFrame
    trades: pl.DataFrame
    tape: pl.DataFrame

    @property
    def session(self) -> dt.date:
        return self.hours.session

    def record(self, store: ObjectStore, source: str = "generated", *, each: int = 5_000) -> None:
        """Put the tape into landing, as a recorder would."""
        record(store, source, self.session, self.tape, each=each)


@cache
def calendar() -> SessionTable:
    """The sessions of NYSE to the end of 2026."""
    return compute_sessions(dt.date(2026, 12, 31))


@cache
def made_day(
    symbols: int = 20, each: int = 1_000, *, session: dt.date = SESSION, seed: int = 7
) -> Day:
    """Return a day of so many symbols, `S0000` on, of so many trades each."""
    hours = hours_of(session, calendar())
    bars = made_up_bars(session, symbols, seed=seed)
    trades = trades_of(session, bars, hours, each=each)
    return Day(hours, bars, trades, messy(trades, seed, hours))


def small_day() -> Day:
    """20,000 trades of 20 symbols."""
    return made_day()


def big_day() -> Day:
    """A million trades of 500 symbols: made in some three seconds."""
    return made_day(500, 2_000)
