"""Which live bars are looked at, and how: nobody makes rows of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import polars as pl

from lake.interval import DAILY, Interval

if TYPE_CHECKING:
    from collections.abc import Collection

    from lake.alerts.history import BarsKey


@dataclass(frozen=True, slots=True)
class Wanted:
    """Keys of bars.

    Attributes:
        final: Of those that are told once they are complete; None: of all.
        forming: Of those that are told while they form; None: of all.
    """

    final: frozenset[BarsKey] | None = None
    forming: frozenset[BarsKey] | None = None

    @classmethod
    def of(cls, final: Collection[BarsKey] | None, forming: Collection[BarsKey] | None) -> Self:
        """Return what is wanted of the flow: bars of more sessions are formed of the 1d bar."""
        if forming is not None:
            days = {(symbol, str(DAILY), hours) for symbol, of, hours in forming if is_of_days(of)}
            forming = frozenset(forming) | days
        return cls(None if final is None else frozenset(final), forming)

    @property
    def symbols(self) -> frozenset[str] | None:
        """Of whom the flow makes bars; None: of all. Final ones of sessions batch makes."""
        if self.final is None or self.forming is None:
            return None
        final = {symbol for symbol, interval, _ in self.final if not is_of_days(interval)}
        return frozenset(final | {symbol for symbol, _, _ in self.forming})

    def is_final(self, key: BarsKey) -> bool:
        """Return whether a bar is told once it is complete."""
        return self.final is None or key in self.final

    def is_forming(self, key: BarsKey) -> bool:
        """Return whether a bar is told while it forms."""
        return self.forming is None or key in self.forming


def is_of_days(interval: str) -> bool:
    """Return whether bars of an interval are of sessions."""
    return not Interval.parse(interval).is_intraday


def with_extremes(bars: pl.DataFrame) -> pl.DataFrame:
    """Return live bars with a high and a low: trades that may be the last price need not make one.

    Args:
        bars: Schema `LIVE_BARS`.
    """
    if not (bars.get_column("high").null_count() or bars.get_column("low").null_count()):
        return bars
    return bars.with_columns(
        high=pl.coalesce("high", pl.max_horizontal("open", "close")),
        low=pl.coalesce("low", pl.min_horizontal("open", "close")),
    )
