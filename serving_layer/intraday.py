"""Raw bars of minutes and hours, as intraday silver and bronze hold them, through DuckDB.

They are stored by symbol and session: what a symbol named then is asked here.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from lake import keys
from lake.errors import MINUTES_HINT, EmptyLakeError
from lake.interval import MINUTE
from lake.parquet import read_frame
from lake.scan import scan, sql
from lake.schemas import INTRADAY_BARS, SESSIONS
from serving_layer.asked import arrow_asked
from serving_layer.direction import directed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb
    import pyarrow as pa

    from lake.store import ObjectStore
    from serving_layer.asked import Market
    from serving_layer.query import BarsQuery

_PACKAGE: Final = "serving_layer"
TABLES: Final = ("sessions", "intraday_bars", "minute_bars")


class IntradayBars:
    """Reads raw intraday bars of one lake, from many threads.

    Args:
        store: The lake.
        cursor: Returns a connection of one's own to the lake, in which `TABLES` are.
    """

    def __init__(self, store: ObjectStore, cursor: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._store = store
        self._cursor = cursor

    def bars(self, query: BarsQuery, market: Market) -> pa.Table:
        """Return the bars asked for, whatever the adjustment, schema `INTRADAY_BARS`.

        Args:
            query: Which bars, of an intraday interval.
            market: What its names mean.

        Raises:
            EmptyLakeError: If the lake has no bars of the interval.
            StoreError: If it cannot be read.
        """
        objects = self._objects(query)
        after_place, after_start = market.behind(query.after) if query.after else (None, None)
        binds = {
            "hours": query.session,
            "after_place": after_place,
            "after_start": after_start,
            "limit": query.limit,
        }
        name = "all_intraday" if market.asked is None else "asked_intraday"
        found = self._scanned(name, query, market, objects, binds)
        if found is None:
            return INTRADAY_BARS.empty_table()
        return found.select(INTRADAY_BARS.names).cast(INTRADAY_BARS)

    def listings(self, query: BarsQuery, market: Market) -> set[str]:
        """Return the listings that have bars in the sessions asked for, whatever the hours.

        Raises:
            EmptyLakeError: If the lake has no bars of the interval.
            StoreError: If it cannot be read.
        """
        objects = self._objects(query)
        found = self._scanned("intraday_listings", query, market, objects, {})
        return set() if found is None else set(found["listing"].to_pylist())

    def _scanned(
        self,
        name: str,
        query: BarsQuery,
        market: Market,
        objects: Mapping[str, str],
        binds: Mapping[str, object],
    ) -> pa.Table | None:
        if not objects:
            return None
        source = "minute_bars" if query.interval == MINUTE else "intraday_bars"
        statement = sql(_PACKAGE, name).replace("bars_of(", f"{source}(")
        statement = directed(statement, descending=query.descending)
        with self._cursor() as cursor:
            cursor.register("asked", arrow_asked(market.asked or ()))
            cursor.register("steps", market.listings.steps.to_arrow())
            if query.interval == MINUTE:
                sessions = read_frame(self._store, keys.SESSIONS, SESSIONS)[0]
                cursor.register("sessions", sessions.to_arrow())
            return scan(cursor, self._store, objects, statement, binds)

    def _objects(self, query: BarsQuery) -> dict[str, str]:
        """Return the objects of the sessions asked for, in order of time."""
        prefix = keys.MINUTE if query.interval == MINUTE else keys.silver_prefix(query.interval)
        found = self._store.fingerprints(prefix)
        if not found:
            fact = f"The lake {self._store.location} holds no {query.interval} bars yet."
            raise EmptyLakeError(fact, hint=MINUTES_HINT)
        first = query.start or dt.date.min
        last = min(query.end or dt.date.max, query.until or dt.date.max)
        sessions = keys.by_session(found).items()
        return {key: found[key] for session, key in sessions if first <= session <= last}
