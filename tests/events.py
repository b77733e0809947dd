"""Events that tests put into streams."""

from __future__ import annotations

import polars as pl

from lake.wire import SCHEMA

MINUTE_US = 60_000_000
OPEN_US = 1_767_623_400_000_000
"""The open of 2026-01-05."""


def trades(symbols: list[str], *, first: int = 0) -> pl.DataFrame:
    """Return a trade of each symbol in turn, numbered from `first`, a millisecond apart."""
    numbers = range(first, first + len(symbols))
    times = [OPEN_US + number * 1_000 for number in numbers]
    return pl.DataFrame(
        {
            "kind": "trade",
            "symbol": symbols,
            "time": times,
            "sequence": list(numbers),
            "revision": 0,
            "minute": [time // MINUTE_US * MINUTE_US for time in times],
            "moves": 7,
            "price": [100 + number / 100 for number in numbers],
            "size": 100.0,
            "cancelled": False,
            "open": None,
            "high": None,
            "low": None,
            "vwap": None,
            "trades": None,
            "conditions": [[] for _ in numbers],
            "received": [time + 5_000 for time in times],
            "source": "test",
        },
        schema=SCHEMA,
    )


def heartbeat(number: int) -> pl.DataFrame:
    """Return a heartbeat that tells the time of trade `number`."""
    return trades([""], first=number).with_columns(
        kind=pl.lit("heartbeat"), minute=pl.lit(0, pl.Int64), price=0.0, size=0.0
    )


def sequences(events: pl.DataFrame, symbol: str) -> list[int]:
    """Return the sequences of a symbol's events, each once: as it came first."""
    own = events.filter(pl.col("symbol") == symbol)
    return own["sequence"].unique(maintain_order=True).to_list()
