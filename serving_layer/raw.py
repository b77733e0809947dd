"""Raw bars, as silver and bronze hold them: from local copies of silver, else through DuckDB."""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from lake import keys
from lake.errors import EmptyLakeError
from lake.interval import DAILY
from lake.scan import connect, scan, sql
from lake.schemas import BARS
from serving_layer.asked import arrow_asked
from serving_layer.cores import CORE
from serving_layer.direction import directed, turned
from serving_layer.intraday import TABLES as INTRADAY_TABLES
from serving_layer.intraday import IntradayBars
from serving_layer.mapped import MappedPartition, MappedSilver, select

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from lake.interval import Interval
    from lake.store import ObjectStore
    from serving_layer.asked import Market
    from serving_layer.query import BarsQuery

_Years: TypeAlias = dict[int, tuple[str, str]]
"""The objects of each year, in order: key and fingerprint."""
_PACKAGE: Final = "serving_layer"
_TABLES: Final = (
    "asked",
    "steps",
    "asked_daily_bars",
    "all_daily_bars",
    "asked_session_bars",
    "all_session_bars",
    *INTRADAY_TABLES,
)
_LISTING_GOOD_FOR_S: Final = 1.0
_COPIERS: Final = 2


class RawBars:
    """Reads raw bars of one lake, from many threads.

    Args:
        store: The lake.
        cache: The folder of local copies; None: none are used or made.
    """

    def __init__(self, store: ObjectStore, cache: Path | None) -> None:
        self._store = store
        self._copies = MappedSilver(store, cache) if cache else None
        self.lookups = [0, 0]
        """How often silver was looked for in local copies: found, and not."""
        self._connection = connect(store)
        for macro in _TABLES:
            self._connection.execute(sql(_PACKAGE, macro))
        self.intraday = IntradayBars(store, self.cursor)
        self._listed: dict[str, tuple[str | None, float, _Years]] = {}

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of one's own to the lake."""
        return self._connection.cursor()

    def bars(self, query: BarsQuery, market: Market) -> pa.Table:
        """Return the bars asked for, whatever the adjustment, schema `BARS`.

        Args:
            query: Which bars.
            market: What its names mean.

        Raises:
            EmptyLakeError: If the lake has no bars of the interval.
            StoreError: If it cannot be read.
        """
        objects = self._objects(query)
        mapped = self._copies.find(objects) if self._copies and query.interval != DAILY else None
        self.lookups[mapped is None] += query.interval != DAILY
        if mapped is None:
            return self._scanned(query, market, objects)
        with CORE:
            return _selected(mapped, query, market)

    def sign(self) -> str | None:
        """Return what changes whenever a run of the resampler ends; None before the first."""
        return self._store.fingerprint(keys.SILVER_CHECKPOINTS_INDEX)

    def copy(self, intervals: Iterable[Interval], stop: threading.Event) -> int:
        """Copy what is missing here of some intervals' silver, and return how many partitions.

        It ends early, with the copy at hand, where `stop` is set meanwhile.

        Raises:
            StoreError: If silver cannot be read, or a copy not be written.
        """
        copies = self._copies
        if copies is None:
            return 0
        missing = [
            key
            for interval in intervals
            for key, fingerprint in self._silver(interval).values()
            if not copies.has(key, fingerprint)
        ]

        def copy(key: str) -> bool:
            if not stop.is_set():
                copies.copy(key)
            return not stop.is_set()

        with ThreadPoolExecutor(_COPIERS) as copiers:
            return sum(copiers.map(copy, missing))

    def _scanned(self, query: BarsQuery, market: Market, objects: Mapping[str, str]) -> pa.Table:
        if not objects:
            return BARS.empty_table()
        whose = "all" if market.asked is None else "asked"
        source = "daily_bars" if query.interval == DAILY else "session_bars"
        after_place, after_start = market.behind(query.after) if query.after else (None, None)
        binds = {
            "first": query.start,
            "last": query.end,
            "after_place": after_place,
            "after_start": after_start,
            "limit": query.limit,
        }
        statement = sql(_PACKAGE, "raw").replace("bars_of(", f"{whose}_{source}(")
        statement = directed(statement, descending=query.descending)
        with self.cursor() as cursor:
            cursor.register("asked", arrow_asked(market.asked or ()))
            cursor.register("steps", market.listings.steps.to_arrow())
            return scan(cursor, self._store, objects, statement, binds).cast(BARS)

    def _objects(self, query: BarsQuery) -> dict[str, str]:
        """Return the objects that may hold bars asked for, in order of time."""
        if query.interval == DAILY:
            years = _by_year(self._store.fingerprints(keys.DAILY))
        else:
            years = self._silver(query.interval)
        if not years:
            fact = f"The lake {self._store.location} holds no {query.interval} bars yet."
            raise EmptyLakeError(fact, hint="fiblake resample.")
        first = query.start.year if query.start else dt.MINYEAR
        last = query.end.year if query.end else dt.MAXYEAR
        return dict(each for year, each in years.items() if first <= year <= last)

    def _silver(self, interval: Interval) -> _Years:
        """Return the partitions of an interval.

        To list them takes longer than most answers. So a listing is good until a run of the
        resampler has ended, which is told by one object, and for a second at most.
        """
        prefix = keys.silver_prefix(interval)
        sign = self.sign()
        known_sign, listed_at, listed = self._listed.get(prefix, (None, 0.0, {}))
        now = time.monotonic()
        if sign is None or sign != known_sign or now - listed_at > _LISTING_GOOD_FOR_S:
            listed = _by_year(self._store.fingerprints(prefix))
            self._listed[prefix] = (sign, now, listed)
        return listed


def _by_year(found: Mapping[str, str]) -> _Years:
    return {year: (key, found[key]) for year, key in keys.by_year(found).items()}


def _selected(mapped: Sequence[MappedPartition], query: BarsQuery, market: Market) -> pa.Table:
    """Return the bars asked for out of local copies."""
    asked = market.asked
    listings = None if asked is None else [each.listing for each in asked]
    found = select(mapped, listings, query.start, query.end)
    if query.after is not None:
        place, start = market.behind(query.after)
        is_behind = (pc.less if query.descending else pc.greater)(found["start"], start)
        found = _behind(found, listings or [], place, is_behind)
    if query.descending:
        found = turned(found)
    return found if query.limit is None else found.slice(0, query.limit)


def _behind(
    bars: pa.Table, listings: Sequence[str], place: int, is_behind: pa.ChunkedArray
) -> pa.Table:
    places = pc.index_in(bars["listing"], pa.array(listings, pa.string()))
    is_same = pc.and_(pc.equal(places, place), is_behind)
    return bars.filter(pc.or_(pc.greater(places, place), is_same))
