"""The trace of a price: an id that each hop from the feed to the client finds by itself.

    symbol, time ──► is it one that is followed? ──► 16 bytes, as W3C's trace ids are

Nothing is carried along: whoever has a trade, a price or a firing has its symbol and its time, and
so its trace. Which ones are followed is told by the time alone, so all hops follow the same ones,
and a whole batch is looked through at once. Each hop logs before it hands on: so lines of one trace
are in the order of its way.

Source: https://www.w3.org/TR/trace-context/#trace-id; multiplicative hashing, Knuth, TAOCP 3, 6.4.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lake.logs import always

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio: its multiples are spread evenly, whatever the step of a clock."""
_WORD: Final = 1 << 64
_MOST_AT_ONCE: Final = 20
"""Of a batch: a market that is told again at once must not flood the log."""


def trace_of(symbol: str, time_us: int) -> str:
    """Return the trace of what traded at an instant: 32 hexadecimal digits.

    Args:
        symbol: As the lake spells it.
        time_us: The event's own time, in microseconds since 1970.
    """
    return hashlib.blake2b(f"{symbol}@{time_us}".encode(), digest_size=16).hexdigest()


class Traces:
    """Follows one price in so many through one hop, in the log.

    Args:
        hop: Where this is, as `feed` or `view`.
        one_in: How many there are for each that is followed; 0: none is.
    """

    def __init__(self, hop: str, one_in: int) -> None:
        self._hop = hop
        self._limit = _WORD // one_in if one_in else 0
        self._numpy_limit = np.uint64(min(self._limit, _WORD - 1))

    @property
    def is_on(self) -> bool:
        """Whether any is followed."""
        return self._limit > 0

    def is_followed(self, time_us: int) -> bool:
        """Return whether what traded at an instant is followed."""
        return (time_us * _GOLDEN) % _WORD < self._limit

    def pass_frame(self, frame: pl.DataFrame) -> None:
        """Log those of a frame's rows that are followed, by its `symbol` and `time`."""
        if not self._limit or frame.is_empty():
            return
        times = frame["time"].to_numpy()
        followed = times.astype(np.uint64) * np.uint64(_GOLDEN) < self._numpy_limit
        if not followed.any():
            return
        for place in np.flatnonzero(followed)[:_MOST_AT_ONCE]:
            if time_us := int(times[place]):
                self.log(frame["symbol"][int(place)], time_us)

    def pass_all(self, rows: Iterable[Any]) -> None:
        """Log those of some rows that are followed, by their `symbol` and `time`."""
        if not self._limit:
            return
        for row in rows:
            if row.time and self.is_followed(row.time):
                self.log(row.symbol, row.time)

    def pass_one(self, symbol: str, time_us: int, **told: object) -> None:
        """Log one, if it is followed."""
        if self._limit and time_us and self.is_followed(time_us):
            self.log(symbol, time_us, **told)

    def log(self, symbol: str, time_us: int, **told: object) -> None:
        """Log that it passes, and how old it is by now."""
        age_ms = round(time.time() * 1000 - time_us / 1000, 3)
        always().info(
            "trace",
            trace=trace_of(symbol, time_us),
            hop=self._hop,
            symbol=symbol,
            time_us=time_us,
            age_ms=age_ms,
            **told,
        )
