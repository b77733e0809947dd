"""What the vendor has published: the market up to a session."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from batch_layer.local_vendor.flat_files import day_rows
from batch_layer.local_vendor.restatement import some

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import polars as pl

    from batch_layer.local_vendor.flat_files import Kind
    from batch_layer.local_vendor.market import Market
    from batch_layer.local_vendor.restatement import Restatement

_RESTATED: Final = 3


class Catalogue:
    """The published part of a market.

    Args:
        market: All there is.
        published: The last session that is published; None: the last one there is.

    Attributes:
        published: Likewise; it may be moved at any time.
    """

    def __init__(self, market: Market, published: dt.date | None = None) -> None:
        self._market = market
        self._editions: dict[dt.date, int] = {}
        self._restated: dict[dt.date, pl.DataFrame] = {}
        self.published = published or market.sessions[-1]

    def sessions(self) -> Sequence[dt.date]:
        """Return the published sessions, in order."""
        every = self._market.sessions
        return every[: bisect_right(every, self.published)]

    def day(self, session: dt.date) -> pl.DataFrame:
        """Return the bars of a session, `market.COLUMNS`; none where it is not published."""
        day = self._restated.get(session)
        day = self._market.day(session) if day is None else day
        return day if session <= self.published else day.clear()

    def restate(self, session: dt.date, restatement: Restatement | None = None) -> None:
        """Publish a session again.

        Args:
            session: A session that has bars.
            restatement: What differs; None: some three bars.

        Raises:
            ValueError: If there is nothing of the kind to restate.
        """
        day = self._restated.get(session)
        day = self._market.day(session) if day is None else day
        if day.height < _RESTATED:
            fact = f"{session} has {day.height} bars; of fewer than {_RESTATED} none is restated."
            raise ValueError(fact)
        restated = (restatement or some(day)).applied(day)
        self._restated[session] = restated
        self._editions[session] = self.edition(session) + 1

    def rows(self, kind: Kind, session: dt.date) -> pl.DataFrame:
        """Return the rows of a session's flat file."""
        rows = day_rows(session, self.day(session))
        return rows if kind == "day" else rows.clear()  # minutes are yet to come

    def edition(self, session: dt.date) -> int:
        """Return how often a session was published again."""
        return self._editions.get(session, 0)
