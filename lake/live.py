"""The live bars as readers see them, whoever holds them: what serving and speed layer agree on.

Frames have the columns of `LIVE_BARS` and `PRICES`, as Polars has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self, runtime_checkable

import polars as pl

from lake.schemas import LIVE_BARS, PRICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lake.bar import Hours
    from lake.interval import Interval

BARS_SCHEMA: Final = pl.Schema(LIVE_BARS)
"""The columns of `LIVE_BARS`."""
PRICES_SCHEMA: Final = pl.Schema(PRICES)
"""The columns of `PRICES`."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed, each bar and price as it is now.

    Attributes:
        bars: Schema `LIVE_BARS`; one whose prices are null has vanished: all its trades were
            cancelled.
        prices: Schema `PRICES`; null where all trades that made it were cancelled.
        is_gap: Whether changes before these were lost: who needs all of them reads the view anew.
    """

    bars: pl.DataFrame
    prices: pl.DataFrame
    is_gap: bool = False

    def __bool__(self) -> bool:
        return self.is_gap or not (self.bars.is_empty() and self.prices.is_empty())


class Subscription(Protocol):
    """Changes as they happen, since the subscription was made; a context manager that closes it.

    Of one bar or price only the latest state waits for a reader, and of so many bars and prices at
    most: a slow reader holds up nobody, and learns by `Changes.is_gap` that it lost some.
    """

    @property
    def conflated(self) -> int:
        """How many changes were replaced by later ones of the same bar or price, unread."""
        ...

    @property
    def dropped(self) -> int:
        """How many changes were dropped because too many waited."""
        ...

    def get(self, timeout_s: float) -> Changes | None:
        """Return what changed since the last call, waiting for it if need be; None once closed.

        Returns:
            Nothing changed (it is false) where nothing did within `timeout_s`.

        Raises:
            ViewError: If changes cannot be had any longer.
        """
        ...

    def __iter__(self) -> Iterator[Changes]:
        """Yield changes until the subscription is closed."""
        ...

    def close(self) -> None:
        """End it; whoever waits for changes is told."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class LiveBars(Protocol):
    """Bars and prices of the present: those that the batch layer has not covered yet."""

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        """Return the latest prices, in order of symbol; None: of all that have one.

        Raises:
            ViewError: If they cannot be read.
        """
        ...

    def bars(self, symbol: str, interval: Interval, hours: Hours = "regular") -> pl.DataFrame:
        """Return the bars of a symbol, in order of start; none of a symbol that is unknown.

        Raises:
            ViewError: If they cannot be read.
        """
        ...


@runtime_checkable
class Subscribable(Protocol):
    """Live bars that can be subscribed to."""

    def subscribe(self, symbols: Iterable[str] | None = None) -> Subscription:
        """Return the changes from now on, of some symbols; None: of all.

        Raises:
            ViewError: If they cannot be had.
        """
        ...
