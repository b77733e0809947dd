"""What the realtime view promises those who read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from lake.bar import Hours
    from lake.interval import Interval


class LiveBars(Protocol):
    """Live bars and prices, each the highest version that was told."""

    def price(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the latest price of each symbol (None: of all), schema `PRICES`."""
        ...

    def bars(self, symbol: str, interval: Interval, *, hours: Hours = "regular") -> pl.DataFrame:
        """Return a symbol's live bars in order of start, schema `LIVE_BARS`."""
        ...
