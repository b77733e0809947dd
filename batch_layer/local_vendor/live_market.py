"""A recorded day that is sold while it passes: where it is, and what was told until there."""

from __future__ import annotations

import threading
from typing import Final

import polars as pl

from lake.massive_symbols import massive_symbol

TOPICS: Final = {"trade": "T", "second": "A", "minute": "AM"}
_CORRECTED: Final = 1
_CANCELLED: Final = 8


class LiveMarket:
    """Events of a day, told one after the other.

    Args:
        events: `lake.wire.SCHEMA`, in order of receipt; heartbeats are left out.

    Attributes:
        events: With `topic`, `ticker` as Massive spells it, and the `correction` code besides.
    """

    def __init__(self, events: pl.DataFrame) -> None:
        sold = events.filter(pl.col("kind") != "heartbeat")
        names = {name: massive_symbol(name) for name in sold["symbol"].unique()}
        restated = pl.when(pl.col("revision") > 0).then(_CORRECTED).otherwise(0)
        self.events = sold.with_columns(
            topic=pl.col("kind").replace_strict(TOPICS, return_dtype=pl.String),
            ticker=pl.col("symbol").replace(names),
            correction=pl.when("cancelled").then(_CANCELLED).otherwise(restated).cast(pl.Int32),
        )
        self._lock = threading.Lock()
        self._told = 0

    @property
    def told(self) -> int:
        """How many of the events have happened: REST tells those, and no others."""
        return self._told

    def advance(self, count: int) -> pl.DataFrame:
        """Let so many more events happen, and return them."""
        with self._lock:
            begin = self._told
            self._told = min(begin + count, self.events.height)
            return self.events.slice(begin, self._told - begin)

    def past(self, ticker: str, kind: str) -> pl.DataFrame:
        """Return what is in force of a ticker's events that have happened, in order of time."""
        told = self.events.head(self._told)
        found = told.filter((pl.col("ticker") == ticker) & (pl.col("kind") == kind))
        in_force = found.sort("revision").unique(["time", "sequence"], keep="last")
        return in_force.sort("time", "sequence")
