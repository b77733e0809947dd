"""Backtests of one lake: a query pinned, and answered some symbols at a time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lake.errors import MisuseError
from lake.exchange import trading_day
from lake.scan import connect, sql
from serving_layer.backtest.bars import bars_of
from serving_layer.backtest.history import History
from serving_layer.backtest.indicators import MACROS
from serving_layer.backtest.matrix import matrix_of
from serving_layer.backtest.universe import universe_of
from serving_layer.intraday import TABLES as INTRADAY_TABLES
from serving_layer.intraday import IntradayBars

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import polars as pl

    from lake.clock import Clock
    from lake.store import ObjectStore
    from serving_layer.backtest.query import BacktestQuery

_PACKAGE: Final = "serving_layer"
TABLES: Final = ("asked", "steps", *INTRADAY_TABLES, *MACROS)


class Backtests:
    """Answers backtests of one lake, from many threads.

    Args:
        store: The lake.
        clock: Tells the instant of asking.
    """

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._connection = connect(store)
        # One thread: the order in which floats are added, and so their sums, stays the same.
        self._connection.execute("SET threads = 1")
        for name in TABLES:
            self._connection.execute(sql(_PACKAGE, name))
        self._intraday = IntradayBars(store, self._connection.cursor)

    def pinned(self, query: BacktestQuery) -> BacktestQuery:
        """Return a query that asks for the same whenever it is asked.

        Raises:
            MisuseError: If it asks for intraday bars as of `known_at`.
        """
        if query.has_intraday and query.known_at is not None:
            fact = "Bars of minutes and hours are not offered with known_at yet."
            raise MisuseError(fact, hint="ask for 1d and longer, or leave it out.")
        now = self._clock.now()
        # What will be known is not known yet: an instant still to come is as good as now.
        known_at = min(query.known_at or now, now)
        as_of = query.as_of
        if query.adjustment == "raw":
            as_of = None
        elif query.kind == "bars":
            as_of = as_of or trading_day(known_at)
        return replace(query, known_at=known_at, as_of=as_of)

    def pieces(self, query: BacktestQuery) -> Iterator[pl.DataFrame]:
        """Return the answer to a pinned query, some symbols at a time, at least one piece.

        Raises:
            UnknownSymbolError: If the lake never had a bar of a symbol, or none was listed.
            EmptyLakeError: If it holds no bars, none of an interval, or knew none then.
            ForgottenError: If what it knew then is no longer kept.
            MisuseError: If the answer would be too large.
            StoreError: If the lake cannot be read.
        """
        with self._cursor() as cursor:
            universe = universe_of(self._store, cursor, query, self._intraday)
        answer = bars_of if query.kind == "bars" else matrix_of
        for market in universe.pieces():
            with self._cursor() as cursor:
                yield answer(History(self._store, cursor, query, market, self._intraday))

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._connection.cursor() as cursor:
            # Of tables that are handed over DuckDB cannot tell the size, and takes all for small.
            cursor.execute("SET asof_loop_join_threshold = 0")
            yield cursor
