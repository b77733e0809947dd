"""What the vendor has published: a market up to a session, as the vendor spells it."""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.local_vendor.actions import read_dividends, read_splits
from batch_layer.local_vendor.flat_files import day_rows, minute_rows
from batch_layer.local_vendor.hours import hours_of
from batch_layer.local_vendor.market import Market, no_bars
from batch_layer.local_vendor.minutes import minutes_of
from batch_layer.local_vendor.reference import Reference
from batch_layer.local_vendor.restatement import some
from batch_layer.local_vendor.story import derive

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from batch_layer.local_vendor.flat_files import Kind
    from batch_layer.local_vendor.restatement import Restatement
    from batch_layer.local_vendor.story import Story
    from lake.store import ObjectStore

_RESTATED: Final = 3


class Catalogue:
    """The published part of a market.

    Args:
        store: The lake.
        published: The last session that is published; None: the last one there is.
        reference: The securities, or a story by which they are derived from the bars.

    Attributes:
        published: Likewise; it may be moved at any time.

    Raises:
        EmptyLakeError: If the lake holds no bars.
    """

    def __init__(
        self,
        store: ObjectStore,
        published: dt.date | None = None,
        reference: Reference | Story | None = None,
    ) -> None:
        self._store = store
        self._market = Market(store)
        self._reference = reference
        self._lock = threading.Lock()
        self._actions: dict[str, pl.DataFrame] = {}
        self._editions: dict[dt.date, int] = {}
        self._restated: dict[dt.date, pl.DataFrame] = {}
        self.published = published or self._market.sessions[-1]

    @property
    def reference(self) -> Reference:
        """The securities; the first time they may have to be derived from all bars."""
        with self._lock:
            if not isinstance(self._reference, Reference):
                spans, sessions = self._market.spans(), self._market.sessions
                self._reference = derive(spans, sessions, self._reference)
            return self._reference

    def sessions(self) -> Sequence[dt.date]:
        """Return the published sessions, in order."""
        every = self._market.sessions
        return every[: bisect_right(every, self.published)]

    def day(self, session: dt.date) -> pl.DataFrame:
        """Return the bars of a session, `market.COLUMNS`; none where it is not published."""
        day = self._day(session)
        return day if session <= self.published else day.clear()

    def minutes(self, session: dt.date) -> pl.DataFrame:
        """Return the minutes of a session, as `minutes_of` does."""
        return minutes_of(session, self.day(session), hours_of(session, self._market.table))

    def history(self, ticker: str, first: dt.date, last: dt.date) -> pl.DataFrame:
        """Return a ticker's bars in `[first, last]`: `session` and `market.COLUMNS`, in order."""
        last = min(last, self.published)
        spans = self._symbols(ticker, first, last)
        found = pl.concat([no_bars(), *(self._market.history(*span) for span in spans)])
        bars = [found.with_columns(symbol=pl.lit(ticker))]
        for session, day in list(self._restated.items()):
            if first <= session <= last:
                bars = [each.filter(pl.col("session") != session) for each in bars]
                again = day.filter(pl.col("symbol") == ticker)
                bars.append(again.with_columns(session=pl.lit(session)).select(found.columns))
        return pl.concat(bars).sort("session")

    def minute_history(
        self, ticker: str, first: dt.date, last: dt.date, *, falling: bool
    ) -> Iterator[pl.DataFrame]:
        """Yield a ticker's minutes in `[first, last]`, a session at a time, in order."""
        bars = self.history(ticker, first, last).sort("session", descending=falling)
        for place, session in enumerate(bars["session"]):
            day = bars.slice(place, 1).drop("session")
            minutes = minutes_of(session, day, hours_of(session, self._market.table))
            yield minutes.sort("start", descending=falling)

    def actions(self, kind: str) -> pl.DataFrame:
        """Return `splits` or `dividends` that are published, in Massive's columns."""
        with self._lock:
            if kind not in self._actions:
                read = read_splits if kind == "splits" else read_dividends
                self._actions[kind] = read(self._store)
            rows = self._actions[kind]
        rows = rows.filter(pl.col("on") <= self.published)
        return rows.with_columns(ticker=self._tickers(rows)).drop("symbol", "on")

    def restate(self, session: dt.date, restatement: Restatement | None = None) -> None:
        """Publish a session again.

        Args:
            session: A session that has bars.
            restatement: What differs; None: some three bars.

        Raises:
            ValueError: If there is nothing of the kind to restate.
        """
        day = self._day(session)
        if day.height < _RESTATED:
            fact = f"{session} has {day.height} bars; of fewer than {_RESTATED} none is restated."
            raise ValueError(fact)
        self._restated[session] = (restatement or some(day)).applied(day)
        self._editions[session] = self.edition(session) + 1

    def edition(self, session: dt.date) -> int:
        """Return how often a session was published again."""
        return self._editions.get(session, 0)

    def rows(self, kind: Kind, session: dt.date) -> pl.DataFrame:
        """Return the rows of a session's flat file."""
        if kind == "minute":
            return minute_rows(self.minutes(session))
        return day_rows(session, self.day(session))

    def _day(self, session: dt.date) -> pl.DataFrame:
        restated = self._restated.get(session)
        if restated is not None:
            return restated
        day = self._market.day(session)
        tickers = self.reference.tickers_on(session) if self._reference else {}
        if not tickers:
            return day
        return day.with_columns(pl.col("symbol").replace(tickers)).sort("symbol")

    def _symbols(
        self, ticker: str, first: dt.date, last: dt.date
    ) -> list[tuple[str, dt.date, dt.date]]:
        """Return under which symbols a ticker's bars are; without a story, under its own."""
        if self._reference is None:
            return [(ticker, first, last)]
        return self.reference.symbols_of(ticker, first, last)

    def _tickers(self, rows: pl.DataFrame) -> pl.Series:
        """Return under which ticker each row's symbol was sold on its day."""
        if self._reference is None:
            return rows["symbol"]
        reference = self.reference
        tickers = [
            reference.tickers_on(day).get(symbol, symbol)
            for symbol, day in rows.select("symbol", "on").iter_rows()
        ]
        return pl.Series("ticker", tickers, dtype=pl.String())
