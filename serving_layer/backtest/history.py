"""What was known of some listings: their bars of any interval, and what moves their basis.

A session bar is folded from daily bars, by the same SQL as when `known_at` is asked for: so what is
asked for now and what is asked for again later take one road. It all runs in one thread, over rows
in one order, since sums of floats depend on theirs.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lake import keys
from lake.interval import DAILY
from lake.parquet import read_frame
from lake.scan import sql
from lake.schemas import BARS, SESSIONS
from serving_layer.asked import arrow_asked
from serving_layer.backtest.minutes import regular_bars
from serving_layer.folding import actions_of
from serving_layer.known import Known

if TYPE_CHECKING:
    import datetime as dt

    import duckdb
    import pyarrow as pa

    from lake.interval import Interval
    from lake.store import ObjectStore
    from serving_layer.asked import Market
    from serving_layer.backtest.query import BacktestQuery
    from serving_layer.intraday import IntradayBars

_PACKAGE: Final = "serving_layer"


class History:
    """The bars of some listings, as they were known.

    Args:
        store: The lake.
        cursor: On which it is read; none but this history's.
        query: Pinned: what is read is what it needs.
        market: The listings, those asked for.
        intraday: Reads bars of minutes and hours.

    Raises:
        ForgottenError: If what was known then is no longer kept.
    """

    def __init__(
        self,
        store: ObjectStore,
        cursor: duckdb.DuckDBPyConnection,
        query: BacktestQuery,
        market: Market,
        intraday: IntradayBars,
    ) -> None:
        self.query = query
        self.market = market
        self.sessions = read_frame(store, keys.SESSIONS, SESSIONS)[0]
        """Schema `SESSIONS`: those to come too."""
        self._cursor = cursor
        self._known = Known(store, cursor, query.known_at)
        self._intraday = intraday
        self._known.check_kept()
        if query.session_intervals:
            self._read_daily()
        cursor.register("actions", self._actions().to_arrow())
        # A compaction may have begun after the first look.
        self._known.check_kept()
        cursor.register("asked", arrow_asked(market.asked or ()))

    def bars(self, interval: Interval) -> pa.Table:
        """Return the bars of an interval, each on the basis of its `through`, forming ones too.

        Returns:
            Schema `BARS`, or `INTRADAY_BARS`.
        """
        if interval.is_intraday:
            dates = self._dates
            return regular_bars(self._intraday, self.query, interval, self.market, dates)
        if interval == DAILY:
            return self.run("known_bars").cast(BARS)
        return self.run("fold", n=interval.sessions, covered=self._covered).cast(BARS)

    def run(self, name: str, **binds: Any) -> pa.Table:  # noqa: ANN401 - whatever DuckDB binds
        """Run a statement and return its rows."""
        return self._cursor.execute(sql(_PACKAGE, name), binds).to_arrow_table()

    def register(self, name: str, rows: pa.Table | pl.DataFrame) -> None:
        """Let statements read rows by a name."""
        table = rows.to_arrow() if isinstance(rows, pl.DataFrame) else rows
        self._cursor.register(name, table)

    @property
    def cursor(self) -> duckdb.DuckDBPyConnection:
        """The connection on which `run` runs."""
        return self._cursor

    def _read_daily(self) -> None:
        self._covered = self._known.last_session()
        is_there = pl.col("session") <= self._covered
        days = self.sessions.select("ordinal", "session").filter(is_there)
        self.register("sessions", days)
        found = self._known.daily(self.market.asked or (), *self._span)
        final = pl.DataFrame(found).with_columns(is_forming=pl.lit(value=False))
        self.register("daily", final.sort("listing", "session"))

    def _actions(self) -> pl.DataFrame:
        listings = self.market.listings
        ids = [each.listing for each in self.market.asked or ()]
        asked = pl.col("listing").is_in(ids)
        splits = listings.of_actions(self._known.splits(), "effective").filter(asked)
        dividends = None
        if self.query.adjustment == "all":
            told = listings.of_actions(self._known.dividends(), "ex_date")
            dividends = told.filter(asked)
        return actions_of(self._cursor, splits, dividends).sort("listing", "effective", "kept")

    @cached_property
    def _dates(self) -> list[dt.date]:
        return self.sessions["session"].to_list()

    @property
    def _span(self) -> tuple[dt.date | None, dt.date | None]:
        """The first and last session whose daily bars count; None: from the first, to the last."""
        query = self.query
        # A dividend is weighed by the close before it, and an indicator by bars before its own.
        needs_all = query.adjustment == "all" or query.memory or query.kind == "matrix"
        last = None if query.end is None or query.adjustment == "all" else self._reach(query.end)
        return (None if needs_all else query.start), last

    def _reach(self, end: dt.date) -> dt.date:
        """Return the last session of the buckets that start by a date, of all intervals."""
        n = max((each.sessions for each in self.query.session_intervals), default=1)
        reach = bisect_left(self._dates, end) + n
        return self._dates[min(reach, len(self._dates) - 1)]
