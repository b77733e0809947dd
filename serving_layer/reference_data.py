"""What the lake knows beside bars: sessions, listings, actions, and how good its data are."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lake import keys
from lake.errors import UnknownSymbolError
from lake.exchange import ZONE, load_sessions, trading_day
from lake.listings import read_listings
from lake.parquet import read_frame
from lake.scan import connect, scan, sql
from lake.schemas import LISTINGS
from lake.symbol import canonical
from serving_layer.asked import Asked, arrow_asked, meant
from serving_layer.known import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lake.clock import Clock
    from lake.session import SessionTable
    from lake.store import ObjectStore
    from serving_layer.known_symbols import Symbol

_PACKAGE: Final = "serving_layer"
_CLOSE_CHANGED: Final = dt.date(1974, 1, 1)
_USUAL_CLOSES: Final = (dt.time(15, 30), dt.time(16))
"""Before that date and from it on, exchange time."""


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day: its regular hours, UTC, and how many came before it since 1962-01-02."""

    session: dt.date
    open: dt.datetime
    close: dt.datetime
    ordinal: int
    is_early_close: bool


@dataclass(frozen=True, slots=True)
class Split:
    """From `effective` on, `split_to` shares stand for `split_from` before."""

    symbol: str
    effective: dt.date
    split_from: float
    split_to: float
    known_from: dt.datetime


@dataclass(frozen=True, slots=True)
class Dividend:
    """`amount` USD a share, as shares are counted on `ex_date`."""

    symbol: str
    ex_date: dt.date
    amount: float
    known_from: dt.datetime


@dataclass(frozen=True, slots=True)
class Quality:
    """How whole a listing's daily bars are.

    Attributes:
        listing: Its id.
        first: The first session it has a bar of.
        last: The last one.
        expected: Sessions of the exchange from the first to the last.
        present: Those it has a bar of.
        missing: The others of them.
        corrections: How often its bars were changed, all told.
        rejected: Rows that named one of its symbols and broke a rule; they are kept.
    """

    listing: str
    first: dt.date
    last: dt.date
    expected: int
    present: int
    missing: list[dt.date]
    corrections: int
    rejected: int


class ReferenceData:
    """Reads what one lake knows beside bars, from many threads.

    Args:
        store: The lake.
        clock: Tells today, by which a symbol names a listing.
    """

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._connection = connect(store)

    def sessions(self, first: dt.date, last: dt.date) -> list[Session]:
        """Return the sessions in [first, last], those to come too.

        Raises:
            EmptyLakeError: If the lake has no session table yet.
        """
        table = load_sessions(self._store)
        return [_session(table, ordinal) for ordinal in table.ordinals(first, last)]

    def splits(self, symbol: str, known_at: dt.datetime | None) -> list[Split]:
        """Return the splits of the listing that a symbol names, in force at an instant."""
        return [Split(**row) for row in self.split_rows(symbol, known_at).to_dicts()]

    def dividends(self, symbol: str, known_at: dt.datetime | None) -> list[Dividend]:
        """Return the dividends of the listing that a symbol names, in force at an instant."""
        return [Dividend(**row) for row in self.dividend_rows(symbol, known_at).to_dicts()]

    def split_rows(
        self, symbol: str | None = None, known_at: dt.datetime | None = None
    ) -> pl.DataFrame:
        """Return splits, the columns of `Split`, in order of time; None: those of all symbols."""
        with self._connection.cursor() as cursor:
            rows = Known(self._store, cursor, known_at)
            rows.check_kept()
            found = self._of(symbol, rows.splits(), "effective", known_at)
        return found.filter(pl.col("split_from") != pl.col("split_to"))

    def dividend_rows(
        self, symbol: str | None = None, known_at: dt.datetime | None = None
    ) -> pl.DataFrame:
        """Return dividends, the columns of `Dividend`, likewise."""
        with self._connection.cursor() as cursor:
            rows = Known(self._store, cursor, known_at)
            rows.check_kept()
            found = self._of(symbol, rows.dividends(), "ex_date", known_at)
        return found.filter(pl.col("amount") > 0)

    def told(
        self, symbols: Iterable[Symbol], names: Sequence[str] = ("name", "exchange", "kind")
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what reference data tell of (listing, symbol), some of the columns `LISTINGS`."""
        rows = read_frame(self._store, keys.LISTINGS, LISTINGS)[0].sort("first")
        wanted = {each.listing for each in symbols}
        chosen = rows.filter(pl.col("listing").is_in(list(wanted)))
        return {
            (row["listing"], row["symbol"]): {name: row[name] for name in names}
            for row in chosen.iter_rows(named=True)
        }

    def quality(self, symbol: str) -> Quality:
        """Return how whole the daily bars of the listing are that a symbol names.

        Raises:
            UnknownSymbolError: If it has none.
        """
        asked = self._asked(symbol)
        found = self._store.fingerprints(keys.DAILY)
        objects = {key: found[key] for key in keys.by_year(found).values()}
        rows = self._scanned("reference_days", objects, asked, {}) if objects else []
        if not rows:
            fact = f"{symbol}: no such symbol in the lake {self._store.location}."
            raise UnknownSymbolError(fact, hint="GET /v1/symbols tells which there are.")
        days = {row["session"]: row["revision"] for row in rows}
        table = load_sessions(self._store)
        expected = [table[each] for each in table.ordinals(min(days), max(days))]
        return Quality(
            listing=asked.listing,
            first=min(days),
            last=max(days),
            expected=len(expected),
            present=len(days),
            missing=[day for day in expected if day not in days],
            corrections=sum(days.values()),
            rejected=self._rejected({each.symbol for each in asked.symbols}),
        )

    def differences(
        self, symbol: str, first: dt.date, last: dt.date, limit: int
    ) -> list[dict[str, Any]]:
        """Return where speed and batch tell differently of a listing, schema `DIFFERENCES`."""
        found = self._store.fingerprints(keys.DIFFERENCES)
        sessions = keys.by_session(found).items()
        objects = {key: found[key] for session, key in sessions if first <= session <= last}
        if not objects:
            return []
        asked = self._asked(symbol)
        return self._scanned("reference_differences", objects, asked, {"limit": limit})

    def _rejected(self, symbols: set[str]) -> int:
        """Return how many rows that named one of some symbols broke a rule."""
        return sum(
            canonical(name) in symbols
            for key in self._store.fingerprints(keys.DAILY_REJECTS)
            for name in _symbols(self._store.get(key).data)
        )

    def _scanned(
        self, name: str, objects: Mapping[str, str], asked: Asked, binds: Mapping[str, object]
    ) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.register("asked", arrow_asked([asked]))
            rows = scan(cursor, self._store, objects, sql(_PACKAGE, name), binds)
        found: list[dict[str, Any]] = rows.to_pylist()
        return found

    def _asked(self, symbol: str) -> Asked:
        today = trading_day(self._clock.now())
        return meant([symbol.strip().upper()], read_listings(self._store), today)[0]

    def _of(
        self, symbol: str | None, actions: pl.DataFrame, day: str, known_at: dt.datetime | None
    ) -> pl.DataFrame:
        if symbol is None:
            return actions.sort(day, "symbol")
        listings = read_listings(self._store, known_at)
        listing = listings.named(symbol.strip().upper(), trading_day(known_at or self._clock.now()))
        found = listings.of_actions(actions, day).filter(pl.col("listing") == listing)
        return found.drop("listing").sort(day)


def _session(table: SessionTable, ordinal: int) -> Session:
    day, close = table[ordinal], table.closes[ordinal]
    usual = _USUAL_CLOSES[day >= _CLOSE_CHANGED]
    is_early = close.astimezone(ZONE).time() < usual
    return Session(day, table.opens[ordinal], close, ordinal, is_early)


def _symbols(rejects: bytes) -> list[str]:
    frame = pl.read_csv(rejects, infer_schema=False)
    return frame["symbol"].drop_nulls().to_list()
