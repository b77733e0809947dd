"""Which listings a backtest is of, and how many bars that makes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lake import keys, schemas
from lake.errors import IMPORT_HINT, EmptyLakeError, MisuseError, UnknownSymbolError
from lake.exchange import trading_day
from lake.listings import read_listings
from lake.scan import scan, sql
from serving_layer.asked import Market, arrow_asked, by_id, meant
from serving_layer.backtest.minutes import (
    most_bars_of_one,
    most_read_of_one,
    stored_sessions,
)
from serving_layer.query import BarsQuery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from lake.interval import Interval
    from lake.listings import Listings
    from lake.store import ObjectStore
    from serving_layer.asked import Asked
    from serving_layer.backtest.query import BacktestQuery
    from serving_layer.intraday import IntradayBars

MOST_BARS: Final = 5_000_000
"""In one answer, over all symbols and intervals; in a matrix, rows times intervals."""
_BARS_A_PIECE: Final = 1_000_000
"""So many are read at once, or those of one listing."""
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Universe:
    """The listings of a backtest.

    Attributes:
        listings: What symbols name, as it was known.
        asked: The listings, in order of the answer.
        reads: How many bars are read of each, at most.
        bars: How many bars the answer has at most.
    """

    listings: Listings
    asked: tuple[Asked, ...]
    reads: Mapping[str, int]
    bars: int

    def pieces(self) -> Iterator[Market]:
        """Return the universe some listings at a time, so that their bars fit in memory."""
        piece: list[Asked] = []
        left = _BARS_A_PIECE
        for each in self.asked:
            left -= self.reads[each.listing]
            if piece and left < 0:
                yield Market(self.listings, tuple(piece))
                piece, left = [], _BARS_A_PIECE - self.reads[each.listing]
            piece.append(each)
        if piece:
            yield Market(self.listings, tuple(piece))


def universe_of(
    store: ObjectStore,
    cursor: duckdb.DuckDBPyConnection,
    query: BacktestQuery,
    intraday: IntradayBars,
) -> Universe:
    """Return the universe of a query that is pinned.

    Raises:
        UnknownSymbolError: If the lake never had a bar of a symbol, or none was listed on the date.
        EmptyLakeError: If it has no bars at all.
        MisuseError: If the answer would have more bars than `MOST_BARS`.
    """
    listings = read_listings(store, query.known_at)
    if isinstance(query.universe, dt.date):
        rows = _rows(store, cursor, query, listings, None)
        asked = _listed(rows, query.universe, listings, store)
    else:
        asked = meant(query.universe, listings, _day(query))
        rows = _rows(store, cursor, query, listings, asked)
        _check_known(store, query, Market(listings, asked), rows, intraday)
    of_asked = {each.listing: rows[each.listing] for each in asked if each.listing in rows}
    stored = {each: stored_sessions(store, each) for each in query.intervals if each.is_intraday}
    bars = _most_bars(query, of_asked, len(asked), stored)
    if bars > MOST_BARS:
        fact = f"{len(asked):,} symbols would make up to {bars:,} bars. Allowed: {MOST_BARS:,}."
        raise MisuseError(fact, hint="ask for fewer symbols or intervals, or a shorter range.")
    daily = of_asked if query.session_intervals else {}
    of_one = sum(most_read_of_one(query, each, sessions) for each, sessions in stored.items())
    reads = {
        each.listing: of_one + (daily[each.listing]["bars"] if each.listing in daily else 0)
        for each in asked
    }
    return Universe(listings, asked, reads, bars)


def _day(query: BacktestQuery) -> dt.date:
    """Return the date on which symbols name what they name."""
    assert query.known_at is not None  # noqa: S101 - it is pinned; tells mypy so
    return query.as_of or trading_day(query.known_at)


def _rows(
    store: ObjectStore,
    cursor: duckdb.DuckDBPyConnection,
    query: BacktestQuery,
    listings: Listings,
    asked: Sequence[Asked] | None,
) -> dict[str, _Row]:
    objects = {
        key: found[key]
        for found in map(store.fingerprints, (keys.DAILY, keys.DAILY_HISTORY))
        for key in keys.by_year(found).values()
    }
    if not objects:
        if query.has_intraday and asked is not None:
            return {}
        fact = f"The lake {store.location} holds no daily bars."
        raise EmptyLakeError(fact, hint=IMPORT_HINT)
    cursor.register("asked", arrow_asked(asked or ()))
    cursor.register("steps", listings.steps.to_arrow())
    cursor.register("no_history", schemas.DAILY_HISTORY.empty_table())
    binds = {
        "known_at": query.known_at,
        "is_all": asked is None,
        "first": query.start or dt.date.min,
        "last": query.end or dt.date.max,
    }
    found = scan(cursor, store, objects, sql("serving_layer", "backtest_universe"), binds)
    return {row["listing"]: row for row in found.to_pylist()}


def _listed(
    rows: Mapping[str, _Row], day: dt.date, listings: Listings, store: ObjectStore
) -> tuple[Asked, ...]:
    found = [
        name for name, row in rows.items() if row["bars"] and row["first"] <= day <= row["last"]
    ]
    if not found:
        fact = f"No symbol of the lake {store.location} was listed on {day}."
        raise UnknownSymbolError(fact, hint="GET /v1/symbols tells from when to when each was.")
    return by_id(found, listings)


def _check_known(
    store: ObjectStore,
    query: BacktestQuery,
    market: Market,
    rows: Mapping[str, _Row],
    intraday: IntradayBars,
) -> None:
    unknown = [each for each in market.asked or () if each.listing not in rows]
    if unknown and query.has_intraday:
        finest = BarsQuery(symbols=None, interval=query.finest)
        known = intraday.listings(finest, market)
        unknown = [each for each in unknown if each.listing not in known]
    if unknown:
        names = ", ".join(each.name for each in unknown)
        fact = f"{names}: no such symbol in the lake {store.location}."
        raise UnknownSymbolError(fact, hint="GET /v1/symbols tells which there are.")


def _most_bars(
    query: BacktestQuery,
    rows: Mapping[str, _Row],
    listings: int,
    stored: Mapping[Interval, Sequence[dt.date]],
) -> int:
    days = [row["chosen"] for row in rows.values()]

    def of(interval: Interval) -> int:
        if interval.is_intraday:
            return listings * most_bars_of_one(query, interval, stored[interval])
        n = interval.sessions
        return sum(days) if n == 1 else sum(-(-each // n) + 1 for each in days)

    if query.kind == "matrix":
        # Each row, one a bar of the finest, has a bar of each interval.
        return of(query.finest) * len(query.intervals)
    return sum(map(of, query.intervals))
