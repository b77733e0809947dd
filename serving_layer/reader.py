"""The reader: bars and symbols out of the lake.

Raw bars come from silver, and splits are applied when they are read: each bar is stored on the
split basis of its `through`, and brought from there to that of `as_of`. No later split rewrites
silver. Dividends and what was known before, which silver does not hold, take the road through daily
bars: see `folding.py`.
"""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow.compute as pc
import structlog

from lake import keys
from lake.boundary import read_boundary
from lake.errors import EmptyLakeError, FiblakeError, UnknownSymbolError
from lake.exchange import load_sessions, trading_day
from lake.interval import DAILY, FIBONACCI
from lake.listings import Listings, read_listings
from lake.parquet import read_frame
from lake.schemas import LISTINGS, SPLITS
from serving_layer.adjusting import SplitFactors
from serving_layer.asked import Market, by_id, meant
from serving_layer.cores import CORE
from serving_layer.folding import folded_bars
from serving_layer.known import Known
from serving_layer.known_symbols import KnownSymbols, SymbolTable
from serving_layer.raw import RawBars

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl
    import pyarrow as pa

    from lake.clock import Clock
    from lake.interval import Interval
    from lake.session import SessionTable
    from lake.store import ObjectStore
    from serving_layer.asked import Asked
    from serving_layer.known_symbols import Symbol
    from serving_layer.query import BarsQuery

_log = structlog.get_logger(__name__)
_PACKAGE: Final = "serving_layer"
_Objects: TypeAlias = "Mapping[str, str]"
_SYMBOLS_SHOWN: Final = 5
_LISTINGS_A_PIECE: Final = 200
_WARM_EVERY_S: Final = 2.0
_WARM_AT_LEAST_EVERY_S: Final = 300.0


class Reader:
    """Answers queries on one lake, from many threads; it sees every commit within a second.

    Args:
        store: The lake.
        clock: Tells today's date, by which splits and dividends are effective.
        cache: The folder of local copies of silver; None: none are used or made.
    """

    def __init__(self, store: ObjectStore, clock: Clock, cache: Path | None = None) -> None:
        self.store = self._store = store
        self.clock = self._clock = clock
        self._raw = RawBars(store, cache)
        self._symbols = KnownSymbols(store, self._raw.cursor, self._present_listings)
        self._listings: tuple[str | None, Listings] | None = None
        self._factors: tuple[_Objects, SplitFactors] | None = None
        self._sessions: tuple[str | None, SessionTable] | None = None

    def bars(self, query: BarsQuery) -> pa.Table:
        """Return the bars asked for, in order of name (of all: listing) and start.

        Returns:
            Schema `BARS`, or of an intraday interval `INTRADAY_BARS`.

        Raises:
            UnknownSymbolError: If the lake has no bar of a symbol or listing.
            EmptyLakeError: If it has none at all, none of the interval yet, or none by `known_at`.
            ForgottenError: If what was known at `known_at` is no longer kept.
            StoreError: If the lake cannot be read.
        """
        return self.bars_of(query, self.market(query))

    def bars_of(
        self,
        query: BarsQuery,
        market: Market,
        *,
        also: Collection[str] = frozenset(),
        live: pl.DataFrame | None = None,
    ) -> pa.Table:
        """Return the bars asked for, as `bars` does, of what its names mean.

        Args:
            query: Which bars.
            market: What its names mean.
            also: Listings that are known otherwise, whether or not the lake has bars of them.
            live: Daily bars that the lake may lack, as `folded_bars` takes them: where silver has
                no answer, and the lake's daily bars are folded for it, these are folded in.
        """
        if query.is_folded:
            return self._folded(query, market, also, live)
        try:
            raw = self._raw.intraday if query.interval.is_intraday else self._raw
            found = raw.bars(query, market)
        except EmptyLakeError:
            self.check_known(query, market, also)
            raise
        # Whoever has bars is known; to know all symbols takes longer.
        seen = pc.run_end_encode(found["listing"].combine_chunks()).values.to_pylist()
        unseen = {each.listing for each in market.asked or ()}.difference(seen)
        if unseen or not found.num_rows:
            self.check_known(query, market, also)
        as_of = self.as_of(query)
        if as_of is None:
            return found
        factors = self.split_factors()
        with CORE:
            return factors.rebased(found, as_of)

    def stream(self, query: BarsQuery) -> Iterator[pa.Table]:
        """Return the bars asked for, some listings at a time: memory holds no more than those.

        Raises:
            FiblakeError: As `bars` does; of symbols that are unknown, before the first piece.
        """
        market = self.market(query)
        self.check_known(query, market)
        if market.asked is None:
            ids = self.listings_of(query, market)
            market = replace(market, asked=by_id(ids, market.listings))
        # One basis for all pieces, though a day may end between them.
        return self._pieces(replace(query, as_of=self.as_of(query)), market)

    def listings_of(self, query: BarsQuery, market: Market) -> set[str]:
        """Return all listings that may have bars of a query.

        Raises:
            EmptyLakeError: If the lake has none.
        """
        if query.interval.is_intraday:
            return self._raw.intraday.listings(query, market)
        return set(self._symbols.table().last)

    def _pieces(self, query: BarsQuery, market: Market) -> Iterator[pa.Table]:
        left = query.limit
        for asked, of_piece in in_pieces(market.asked or (), query):
            piece = self.bars_of(replace(of_piece, limit=left), replace(market, asked=asked))
            if piece.num_rows:
                yield piece
            left = None if left is None else left - piece.num_rows
            if left == 0:
                return

    def warm(
        self, intervals: Sequence[Interval] = FIBONACCI, stop: threading.Event | None = None
    ) -> int:
        """Copy silver to this machine where it is not yet, and return how many partitions.

        Args:
            intervals: Of which intervals.
            stop: Once it is set, no further partition is copied.

        Raises:
            StoreError: If silver cannot be read, or a copy not be written.
        """
        return self._raw.copy(intervals, stop or threading.Event())

    def keep_warm(self, stop: threading.Event) -> None:
        """Copy silver whenever it has changed, until `stop` is set.

        What goes wrong is logged, once as long as it stays the same, and tried again after a pause
        that grows.
        """
        done, told, pause_s = None, "", _WARM_EVERY_S
        while not stop.is_set():
            try:
                sign = self._raw.sign()
                if sign != done:
                    self.warm(stop=stop)
                done, told, pause_s = sign, "", _WARM_EVERY_S
            except FiblakeError as error:
                pause_s = min(2 * pause_s, _WARM_AT_LEAST_EVERY_S)
                if str(error) != told:
                    told = str(error)
                    _log.warning("silver is not copied", error=told)
            stop.wait(pause_s)

    def as_of(self, query: BarsQuery) -> dt.date | None:
        """Return the date whose basis the bars are on: the one asked for, or today; None for raw.

        Today is the day of `known_at` where that is given: so the answer is the one of that day.
        """
        if query.adjustment == "raw":
            return None
        return query.as_of or trading_day(query.known_at or self._clock.now())

    def symbols(self, text: str = "") -> list[Symbol]:
        """Return the symbols that contain `text`; those that begin with it come first.

        A symbol that named several listings is there once for each.

        Raises:
            EmptyLakeError: If the lake has no bars.
        """
        wanted = text.strip().upper()
        found = [each for each in self._symbols.table().symbols if wanted in each.symbol]
        return sorted(
            found, key=lambda each: (not each.symbol.startswith(wanted), each.symbol, each.first)
        )

    def last_sessions(self) -> Mapping[str, dt.date]:
        """Return the last session of each listing that has daily bars.

        Raises:
            EmptyLakeError: If the lake has no bars.
        """
        return self._symbols.table().last

    def listings(self, names: Iterable[str]) -> dict[str, str]:
        """Return the listing that each of some names means today."""
        listings, today = self._present_listings(), trading_day(self._clock.now())
        return {name: listings.named(name, today) for name in names}

    def symbols_now(self, names: Iterable[str]) -> dict[str, str]:
        """Return the symbol under which each of some names trades today; none of who does not."""
        listings, today = self._present_listings(), trading_day(self._clock.now())
        last = {name: listings.symbols_of(listings.named(name, today))[-1] for name in names}
        return {name: each.symbol for name, each in last.items() if each.last >= today}

    def boundary(self, interval: Interval = DAILY) -> dt.date | None:
        """Return the last session that batch has committed; None before the first."""
        boundary = read_boundary(self._store)
        return boundary.minute if interval.is_intraday else boundary.daily

    @property
    def lookups(self) -> tuple[int, int]:
        """How often silver was looked for in this machine's copies: found, and not."""
        hits, misses = self._raw.lookups
        return hits, misses

    def sign(self) -> str | None:
        """Return what changes whenever batch has committed bars; None before the first."""
        return self._raw.sign()

    def sessions(self) -> SessionTable:
        """Return the lake's session table, read again where it has changed.

        Raises:
            EmptyLakeError: If the lake has none yet.
        """
        fingerprint = self._store.fingerprint(keys.SESSIONS)
        known = self._sessions
        if known is None or known[0] != fingerprint:
            known = self._sessions = (fingerprint, load_sessions(self._store))
        return known[1]

    def now(self) -> dt.datetime:
        """Return the present instant, by the reader's clock."""
        return self._clock.now()

    def _folded(
        self, query: BarsQuery, market: Market, also: Collection[str], live: pl.DataFrame | None
    ) -> pa.Table:
        if market.asked is None:
            ids = set(self._symbols.table().last)
            market = replace(market, asked=by_id(ids, market.listings))
        self.check_known(query, market, also)
        with self._raw.cursor() as cursor:
            return folded_bars(self._store, cursor, query, market, self.as_of(query), live)

    def market(self, query: BarsQuery) -> Market:
        """Return what the names of a query mean: on its `as_of`, as was known at its `known_at`."""
        listings = (
            read_listings(self._store, query.known_at)
            if query.known_at
            else self._present_listings()
        )
        if query.symbols is None:
            return Market(listings, None)
        day = query.names_on or query.as_of or trading_day(query.known_at or self._clock.now())
        return Market(listings, meant(query.symbols, listings, day))

    def _present_listings(self) -> Listings:
        """Return what symbols name, read again where it has changed."""
        known = self._listings
        if known is None or known[0] != self._store.fingerprint(keys.LISTINGS):
            rows, fingerprint = read_frame(self._store, keys.LISTINGS, LISTINGS)
            known = self._listings = (fingerprint, Listings(rows))
        return known[1]

    def split_factors(self) -> SplitFactors:
        """Return the splits by listing, read again where they, or the listings, have changed."""
        sign = {key: self._store.fingerprint(key) or "" for key in (keys.SPLITS, keys.LISTINGS)}
        known = self._factors
        if known is None or known[0] != sign:
            splits, _ = read_frame(self._store, keys.SPLITS, SPLITS)
            of_listings = self._present_listings().of_actions(splits, "effective")
            known = self._factors = (sign, SplitFactors(of_listings))
        return known[1]

    def check_known(
        self, query: BarsQuery, market: Market, also: Collection[str] = frozenset()
    ) -> None:
        """Refuse listings of which the lake has no bar, but for those that are known otherwise.

        Raises:
            UnknownSymbolError: If there is one.
            EmptyLakeError: If the lake has no bars at all, or none of the interval.
        """
        known = self._known_for(query)
        asked = [each for each in market.asked or () if each.listing not in also]
        unknown = [each for each in asked if not _has_bars(each, known.spans)]
        if unknown and query.known_at:
            with self._raw.cursor() as cursor:
                withdrawn = Known(self._store, cursor, query.known_at).withdrawn(unknown)
            unknown = [each for each in unknown if each.listing not in withdrawn]
        if unknown and query.interval.is_intraday:
            anywhen = replace(query, start=None, end=None)
            has_minutes = self._raw.intraday.listings(anywhen, market)
            unknown = [each for each in unknown if each.listing not in has_minutes]
        if unknown:
            names = ", ".join(each.name for each in unknown)
            fact = f"{names}: no such symbol in the lake {self._store.location}."
            raise UnknownSymbolError(fact, hint=_like(unknown[0].name, known.spans))

    def _known_for(self, query: BarsQuery) -> SymbolTable:
        """Return the symbols of daily bars, which a lake of minutes need not have."""
        try:
            return self._symbols.table()
        except EmptyLakeError:
            if query.interval.is_intraday:
                return SymbolTable(())
            raise


def _has_bars(asked: Asked, spans: Mapping[str, Sequence[tuple[dt.date, dt.date]]]) -> bool:
    return any(
        first <= named.last and last >= named.first
        for named in asked.symbols
        for first, last in spans.get(named.symbol, ())
    )


def _like(symbol: str, names: Collection[str]) -> str:
    if not names:
        return ""
    near = [name for name in names if name.startswith(symbol[:1])] or list(names)
    shown = sorted(near)[:_SYMBOLS_SHOWN]
    more = len(names) - len(shown)
    return f"it has {', '.join(shown)}{f' and {more:,} more' if more else ''}."


def in_pieces(
    asked: Sequence[Asked], query: BarsQuery
) -> Iterator[tuple[tuple[Asked, ...], BarsQuery]]:
    """Yield some listings at a time, so few that their bars are no burden, each with its query.

    Of listings in order of name those before the query's `after` are passed over, and it does not
    cut those behind it.
    """
    for begin in range(0, len(asked), _LISTINGS_A_PIECE):
        piece = tuple(asked[begin : begin + _LISTINGS_A_PIECE])
        if query.after is None or query.after[0] < piece[0].name:
            yield piece, replace(query, after=None)
        elif query.after[0] <= piece[-1].name:
            yield piece, query
