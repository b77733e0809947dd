"""The seam between an engine and whoever holds its bars for readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lake.live import LiveBars

if TYPE_CHECKING:
    import datetime as dt

    import polars as pl

    from lake.bar import Hours
    from lake.interval import Interval


class View(LiveBars, Protocol):
    """Holds bars and prices, each in its highest version.

    Many processes may put into one view, in any order and as often as they like: what has the same
    or a lower version than what is held changes nothing (of a price: an earlier session, or the
    same one and such a version). A bar of null prices has vanished: the view keeps its version,
    against older ones that come late, and does not return it; a null price likewise. Versions are
    below 2**53, so that each server can compare them.
    """

    @property
    def filling(self) -> str:
        """Which filling of the view the last `put` went to: another once it lost what it held.

        Whoever puts compares it after each `put`; where it changed, all bars and prices that are
        known must be put again, for which order and versions need no care.
        """
        ...

    def put(self, bars: pl.DataFrame, prices: pl.DataFrame) -> None:
        """Bring in bars and prices, in any order.

        Args:
            bars: Schema `LIVE_BARS`.
            prices: Schema `PRICES`.

        Raises:
            ViewError: If not all could be put; what could may be put again, as may the others.
        """
        ...

    def bars(
        self,
        symbol: str,
        interval: Interval,
        hours: Hours = "regular",
        *,
        vanished: bool = False,
    ) -> pl.DataFrame:
        """Return the bars of a symbol, in order of start; none of a symbol that is unknown.

        Args:
            symbol: Whose.
            interval: Of which interval.
            hours: Of which hours.
            vanished: Also those that have vanished, with null prices.

        Raises:
            ViewError: If they cannot be read.
        """
        ...

    def forget(self, *, daily: dt.date | None, minute: dt.date | None) -> None:
        """Drop what the batch layer has covered; prices stay.

        Args:
            daily: 1d bars of sessions up to this one.
            minute: All other bars of sessions up to this one.

        Raises:
            ViewError: If that failed.
        """
        ...

    def close(self) -> None:
        """Let go of connections and subscriptions."""
        ...
