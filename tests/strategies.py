"""Hypothesis strategies for bars, and small frames of them."""

from __future__ import annotations

import datetime as dt
import itertools

import polars as pl
from hypothesis import strategies as st

from lake.bar import Contribution
from lake.schemas import DAILY
from lake.session import SessionTable

# Whole shares and quarters of a dollar add up exactly: equality needs no tolerance.
volumes = st.integers(0, 10**9).map(float)
prices = st.integers(1, 40_000).map(lambda quarters: quarters / 4)


@st.composite
def contributions(draw: st.DrawFn) -> Contribution:
    """A contribution as a daily bar, a volume-only trade or nothing at all makes it."""
    volume = draw(volumes)
    priced = draw(st.booleans())
    a, b, c, d = (draw(prices) for _ in range(4))
    knows_vwap = draw(st.booleans())
    knows_trades = draw(st.booleans())
    return Contribution(
        open=a if priced else None,
        high=max(a, b, c, d) if priced else None,
        low=min(a, b, c, d) if priced else None,
        close=b if priced else None,
        volume=volume,
        notional=volume * c if knows_vwap else (0.0 if volume == 0 else None),
        trades=draw(st.integers(0, 10**6)) if knows_trades else (0 if volume == 0 else None),
    )


@st.composite
def daily_bars(
    draw: st.DrawFn,
    table: SessionTable,
    *,
    first: dt.date,
    last: dt.date,
    symbols: tuple[str, ...] = ("AA", "B", "C.D"),
) -> pl.DataFrame:
    """Daily bars of some symbols, with gaps: the columns of `DAILY` less the last two."""
    days = [table[ordinal] for ordinal in table.ordinals(first, last)]
    keys = draw(
        st.lists(st.sampled_from(list(itertools.product(symbols, days))), min_size=1, unique=True)
    )
    rows = [_row(draw, symbol, day) for symbol, day in keys]
    names = DAILY.names[:-2]
    return pl.DataFrame(rows, schema=_frame_schema(names), orient="row").sort("symbol", "session")


def _row(draw: st.DrawFn, symbol: str, day: dt.date) -> tuple[object, ...]:
    a, b, c, d = (draw(prices) for _ in range(4))
    vwap = draw(st.none() | st.just(c))
    trades = draw(st.none() | st.integers(0, 10**6))
    high, low = max(a, b, c, d), min(a, b, c, d)
    return (symbol, day, a, high, low, b, draw(volumes), vwap, trades)


def _frame_schema(names: list[str]) -> dict[str, pl.DataType]:
    kinds: dict[str, pl.DataType] = {
        "symbol": pl.String(),
        "session": pl.Date(),
        "trades": pl.Int64(),
    }
    return {name: kinds.get(name, pl.Float64()) for name in names}
