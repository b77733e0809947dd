"""The reader of everything: the lake's bars, and after them those that the speed layer tells.

A query reads the realtime view first, the boundary then, and the lake last. Batch commits bars,
moves the boundary, and only then does the view forget: so what the view had forgotten by then is
in the lake that is read after it, and what both have is dropped by each bar's `through`. In no
other order is there neither a hole nor a session that counts twice.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

import pyarrow as pa

from lake.errors import EmptyLakeError, UnknownSymbolError, ViewError, ViewUnavailableError
from lake.interval import DAILY
from lake.schemas import BARS, INTRADAY_BARS
from serving_layer.asked import by_id
from serving_layer.cores import CORE
from serving_layer.known_symbols import Symbol
from serving_layer.reader import in_pieces
from serving_layer.splicing import spliced
from serving_layer.told import Told
from serving_layer.views import Buckets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import polars as pl

    from lake.interval import Interval
    from lake.live import LiveBars
    from lake.session import SessionTable
    from serving_layer.asked import Market
    from serving_layer.query import BarsQuery
    from serving_layer.reader import Reader

Live = Literal["merged", "away"]
_PRICED_GOOD_FOR_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """An answer.

    Attributes:
        bars: Schema `BARS`, or of an intraday interval `INTRADAY_BARS`.
        boundary: The last session that batch had committed; None before the first.
        live: `merged`: what the speed layer tells after it is in them; `away`: it would be, but
            the view does not answer; None: there is none here, or `known_at` asks for none.
    """

    bars: pa.Table
    boundary: dt.date | None
    live: Live | None


@dataclass(frozen=True, slots=True)
class Pieces:
    """An answer in pieces: as `Found` is, with the bars of some listings at a time."""

    bars: Iterator[pa.Table]
    boundary: dt.date | None
    live: Live | None


class MergedReader:
    """Answers queries on one lake and one realtime view, from many threads, as `Reader` does.

    Args:
        reader: Of the lake.
        live: The view; None: the lake's bars are all there are.
        told_again: A session that the feed tells again, from a recording: the lake is taken as it
            was on its eve, and so the day counts once. None: the feed tells of the present.
    """

    def __init__(
        self, reader: Reader, live: LiveBars | None = None, *, told_again: dt.date | None = None
    ) -> None:
        self._reader = reader
        self._live = live
        self._told_again = told_again
        self._priced: tuple[float, dict[str, dt.date]] = (float("-inf"), {})

    def bars(self, query: BarsQuery) -> pa.Table:
        """Return the bars asked for, as `Reader.bars` does, and live ones among them.

        Raises:
            FiblakeError: As `Reader.bars` does; a symbol that is only live is known.
        """
        return self.found(query).bars

    def found(self, query: BarsQuery) -> Found:
        """Return the bars asked for, and what is to be said of them.

        Raises:
            FiblakeError: As `bars` does.
        """
        query = self._before_told_again(query)
        return self._found(query, self._reader.market(query))

    def stream(self, query: BarsQuery) -> Iterator[pa.Table]:
        """Return the bars asked for, some listings at a time: memory holds no more than those.

        Raises:
            FiblakeError: As `bars` does; of symbols that are unknown, before the first piece.
        """
        return self.pieces(query).bars

    def pieces(self, query: BarsQuery) -> Pieces:
        """Return the bars asked for as `stream` does, and what is to be said of them.

        Where the view goes away between two pieces, the next one is its error: half an answer does
        not pass for a whole one.

        Raises:
            FiblakeError: As `stream` does.
        """
        query = self._before_told_again(query)
        market = self._reader.market(query)
        self._check_known_in(query, market)
        if market.asked is None:
            market = self._whole(query, market)
        # One basis for all pieces, though a day may end between them.
        query = replace(query, as_of=self.as_of(query))
        pieces = self._pieces(query, market)
        first = next(pieces, None)
        if first is None:
            found = self._found(query, replace(market, asked=()))
            return Pieces(iter(()), found.boundary, found.live)
        return Pieces(_alike(first, pieces), first.boundary, first.live)

    def stored(self, query: BarsQuery) -> pa.Table:
        """Return what the lake alone has of the bars asked for, as `Reader.bars` does."""
        return self._reader.bars(self._before_told_again(query))

    @property
    def is_live(self) -> bool:
        """Whether there is a realtime view."""
        return self._live is not None

    def symbols_now(self, names: Iterable[str]) -> dict[str, str]:
        """Return the symbol under which each of some names trades today; none of who does not."""
        return self._reader.symbols_now(names)

    def prices(self, symbols: Sequence[str]) -> pl.DataFrame | None:
        """Return the latest live prices of some symbols, schema `PRICES`; None: none are told here.

        Raises:
            ViewError: If the view does not answer.
        """
        return None if self._live is None else self._live.price(symbols)

    def last_sessions(self, names: Iterable[str]) -> dict[str, dt.date]:
        """Return the last session of each of some symbols that the lake has daily bars of."""
        try:
            last, eve = self._reader.last_sessions(), self._eve()
        except EmptyLakeError:
            return {}
        listings = self.listings(names).items()
        found = {name: last[listing] for name, listing in listings if listing in last}
        return {name: min(session, eve or session) for name, session in found.items()}

    def sessions(self) -> SessionTable:
        """Return the lake's session table.

        Raises:
            EmptyLakeError: If it has none yet.
        """
        return self._reader.sessions()

    def as_of(self, query: BarsQuery) -> dt.date | None:
        """Return the date whose basis the bars are on; None for raw."""
        return self._reader.as_of(query)

    def market(self, query: BarsQuery) -> Market:
        """Return what the names of a query mean."""
        return self._reader.market(query)

    def now(self) -> dt.datetime:
        """Return the present instant, by the reader's clock."""
        return self._reader.now()

    def check_known(self, query: BarsQuery) -> None:
        """Refuse symbols of which neither the lake nor the view has bars.

        Raises:
            UnknownSymbolError: If there is one.
            EmptyLakeError: If there are no bars at all.
        """
        query = self._before_told_again(query)
        self._check_known_in(query, self._reader.market(query))

    def listings(self, names: Iterable[str]) -> dict[str, str]:
        """Return the listing that each of some names means today."""
        return self._reader.listings(names)

    def boundary(self, interval: Interval = DAILY) -> dt.date | None:
        """Return the last session that batch has committed; None before the first."""
        boundary, eve = self._reader.boundary(interval), self._eve()
        return boundary if boundary is None or eve is None else min(boundary, eve)

    def sign(self) -> str | None:
        """Return what changes whenever batch has committed bars; None before the first."""
        return self._reader.sign()

    def symbols(self, text: str = "") -> list[Symbol]:
        """Return the symbols that contain `text`, as `Reader.symbols` does, live ones among them.

        One that is only live has no daily bar yet, and is of the session that it is told of.

        Raises:
            EmptyLakeError: If neither the lake nor the view has any.
        """
        priced = self._sessions_of_prices()
        try:
            found = self._reader.symbols(text)
        except EmptyLakeError:
            if not priced:
                raise
            found = []
        wanted = text.strip().upper()
        known = {each.symbol for each in found}
        only_live = [symbol for symbol in priced if wanted in symbol and symbol not in known]
        new = [
            Symbol(symbol, listing, priced[symbol], priced[symbol], 0)
            for symbol, listing in self.listings(only_live).items()
        ]
        if not new:
            return found
        return sorted(
            found + new,
            key=lambda each: (not each.symbol.startswith(wanted), each.symbol, each.first),
        )

    def _found(self, query: BarsQuery, market: Market) -> Found:
        if self._live is None or query.known_at is not None:
            covered = self.boundary(query.interval)
            return Found(self._reader.bars_of(query, market), covered, None)
        if market.asked is None:
            market = self._whole(query, market)
        try:
            told = Told.read(self._live, query, market.asked or ())
        except ViewError:
            told = None
        covered = self.boundary(query.interval)
        if told is None:
            return Found(self._reader.bars_of(query, market), covered, "away")
        return Found(self._merged(query, market, told, covered), covered, "merged")

    def _merged(
        self, query: BarsQuery, market: Market, told: Told, covered: dt.date | None
    ) -> pa.Table:
        if not told.listings:
            return self._stored(query, market, told)
        if query.is_folded and self._has_days():
            return self._folded(query, market, told, covered)
        try:
            bars = self._spliced(replace(query, adjustment="raw"), market, told, covered)
        except EmptyLakeError:
            if query.interval.is_intraday or not self._has_days():
                raise
            # The lake has its first days, and silver is not made of them yet.
            return self._folded(replace(query, until=dt.date.max), market, told, covered)
        as_of = self.as_of(query)
        if as_of is None:
            return bars
        factors = self._reader.split_factors()
        with CORE:
            return factors.rebased(bars, as_of)

    def _folded(
        self, query: BarsQuery, market: Market, told: Told, covered: dt.date | None
    ) -> pa.Table:
        days = told.days(covered)
        return self._reader.bars_of(query, market, also=told.listings, live=days)

    def _spliced(
        self, query: BarsQuery, market: Market, told: Told, covered: dt.date | None
    ) -> pa.Table:
        """Return raw bars, the lake's and the tails of those that are live."""
        stored = self._stored(query, market, told)
        table, splits = self._reader.sessions(), self._reader.split_factors()
        with CORE:
            if query.interval.is_intraday:
                tails = told.intraday_tails(query.interval, covered, table)
            else:
                buckets = Buckets(table, query.interval.sessions)
                tails = told.session_tails(buckets, covered, splits)
            bars = spliced(stored, tails, query, market).slice(0, query.limit)
        if query.limit is None or stored.num_rows < query.limit or bars.num_rows == query.limit:
            return bars
        # Stored bars made way for fewer live ones: those behind them fill up the answer.
        last = stored.slice(stored.num_rows - 1).to_pylist()[0]
        names = {each.listing: each.name for each in market.asked or ()}
        behind = (names[last["listing"]], last["start"])
        rest = replace(query, after=behind, limit=query.limit - bars.num_rows)
        return pa.concat_tables([bars, self._spliced(rest, market, told, covered)])

    def _stored(self, query: BarsQuery, market: Market, told: Told) -> pa.Table:
        """Return the lake's bars; none where it has none yet, and the speed layer may."""
        try:
            return self._reader.bars_of(query, market, also=told.listings)
        except EmptyLakeError:
            unseen = {each.listing for each in market.asked or ()} - told.listings
            if query.interval.is_intraday:
                # Whatever the lake has of days, of minutes there may be some soon.
                anywhen = replace(query, interval=DAILY, session="regular", start=None, end=None)
                if unseen:
                    self._reader.check_known(anywhen, market, told.listings)
                return INTRADAY_BARS.empty_table()
            if unseen or self._has_days():
                raise
            return BARS.empty_table()

    def _has_days(self) -> bool:
        try:
            self._reader.last_sessions()
        except EmptyLakeError:
            return False
        return True

    def _before_told_again(self, query: BarsQuery) -> BarsQuery:
        eve = None if query.known_at else self._eve()
        return query if eve is None else replace(query, until=eve)

    def _eve(self) -> dt.date | None:
        """Return the session before the one that is told again."""
        if self._told_again is None:
            return None
        table = self._reader.sessions()
        return table[table.ordinals(table.first, self._told_again)[-2]]

    def _check_known_in(self, query: BarsQuery, market: Market) -> None:
        try:
            self._reader.check_known(query, market)
        except (UnknownSymbolError, EmptyLakeError):
            if self._live is None or query.known_at or market.asked is None:
                raise
            told = Told.read(self._live, query, market.asked)
            self._stored(replace(query, limit=1), market, told)

    def _whole(self, query: BarsQuery, market: Market) -> Market:
        """Return the whole market by its listings, those that are only live among them."""
        live = {} if query.known_at else self._sessions_of_prices()
        try:
            stored = self._reader.listings_of(query, market)
        except EmptyLakeError:
            if not live:
                raise
            stored = set()
        ids = stored | {market.listings.named(symbol, day) for symbol, day in live.items()}
        return replace(market, asked=by_id(ids, market.listings))

    def _pieces(self, query: BarsQuery, market: Market) -> Iterator[Found]:
        left = query.limit
        for asked, of_piece in in_pieces(market.asked or (), query):
            piece = self._found(replace(of_piece, limit=left), replace(market, asked=asked))
            yield piece
            left = None if left is None else left - piece.bars.num_rows
            if left == 0:
                return

    def _sessions_of_prices(self) -> dict[str, dt.date]:
        """Return the symbols that have a live price, and of which session; for a second."""
        read_at, known = self._priced
        if self._live is None or time.monotonic() - read_at < _PRICED_GOOD_FOR_S:
            return known
        try:
            prices = self._live.price()
        except ViewError:
            return {}
        known = dict(prices.select("symbol", "session").iter_rows())
        self._priced = (time.monotonic(), known)
        return known


def _alike(first: Found, others: Iterator[Found]) -> Iterator[pa.Table]:
    """Yield the bars of pieces, all of them with live ones or all without."""
    for piece in chain([first], others):
        if piece.live != first.live:
            fact = "The realtime view went away, or came back, amid an answer."
            raise ViewUnavailableError(fact, hint="ask again.")
        if piece.bars.num_rows:
            yield piece.bars
