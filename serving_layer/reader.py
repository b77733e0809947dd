"""The reader: bars and symbols out of the lake, through DuckDB.

Split adjustment happens here, when bars are read: each bar is stored on the split basis of its
`through`, and brought from there to that of `as_of`. No later split rewrites silver. What silver
does not hold, dividends and what was known before, comes by way of daily bars: see `folding.py`.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from lake import keys
from lake.boundary import read_boundary
from lake.errors import (
    IMPORT_HINT,
    EmptyLakeError,
    InvalidRangeError,
    MisuseError,
    UnknownSymbolError,
)
from lake.exchange import trading_day
from lake.instant import utc
from lake.interval import DAILY
from lake.parquet import read_frame
from lake.scan import connect, scan, sql
from lake.schemas import BARS, SPLITS
from serving_layer.folding import folded_bars
from serving_layer.known import Known

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from lake.clock import Clock
    from lake.interval import Interval
    from lake.store import ObjectStore

Adjustment = Literal["raw", "split", "all"]
ADJUSTMENTS: Final[tuple[Adjustment, ...]] = ("raw", "split", "all")
_PACKAGE: Final = "serving_layer"
DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_SYMBOLS_SHOWN: Final = 5


def parse_adjustment(text: str) -> Adjustment:
    """Return the adjustment that `text` names.

    Raises:
        MisuseError: If it names none.
    """
    for adjustment in ADJUSTMENTS:
        if text == adjustment:
            return adjustment
    fact = f"{text!r} is not an adjustment. Allowed: {', '.join(ADJUSTMENTS)}."
    raise MisuseError(fact)


def parse_date(text: str) -> dt.date:
    """Return the date that `text` writes as YYYY-MM-DD.

    Raises:
        InvalidRangeError: If it does not.
    """
    try:
        if DATE.fullmatch(text):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    fact = f"{text!r} is not a date. Allowed: YYYY-MM-DD, as 2012-12-31."
    raise InvalidRangeError(fact)


@dataclass(frozen=True, slots=True)
class BarsQuery:
    """Which bars, and on which basis.

    Attributes:
        symbols: Tickers, in any case; at least one.
        interval: 1d or a Fibonacci interval.
        start: First `start` of a bar, inclusive; None: from the first bar.
        end: Last `start` of a bar, inclusive; None: to the last bar.
        adjustment: `raw` as stored; `split`: on the split basis of `as_of`; `all`: dividends too.
        as_of: The date whose basis that is; None: that of `known_at`, or today.
        known_at: The instant as of whose knowledge to answer; None: now.
        after: Only bars behind this (symbol, start), in the order of the answer.
        limit: At most so many bars; None: all.

    Raises:
        MisuseError: If there is no symbol, or the adjustment is not one.
        InvalidRangeError: If `start` is after `end`, or `known_at` has no time zone.
    """

    symbols: tuple[str, ...]
    interval: Interval
    start: dt.date | None = None
    end: dt.date | None = None
    adjustment: Adjustment = "split"
    as_of: dt.date | None = None
    known_at: dt.datetime | None = None
    after: tuple[str, dt.date] | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        """Check what was asked for."""
        names = tuple(name.strip().upper() for name in self.symbols)
        if not names or not all(names):
            fact = "No symbol was given."
            raise MisuseError(fact, hint="name one or more, as AAPL.")
        object.__setattr__(self, "symbols", names)
        parse_adjustment(self.adjustment)
        if self.known_at is not None:
            object.__setattr__(self, "known_at", utc(self.known_at))
        if self.start and self.end and self.start > self.end:
            fact = f"The start {self.start} is after the end {self.end}."
            raise InvalidRangeError(fact)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of the lake, its first and last session, and how many daily bars it has."""

    symbol: str
    listing: str
    first: dt.date
    last: dt.date
    bars: int


class Reader:
    """Answers queries on one lake, from many threads; it sees every commit at once.

    Args:
        store: The lake.
        clock: Tells today's date, by which splits and dividends are effective.
    """

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._connection = connect(store)
        for macro in ("daily_bars", "session_bars"):
            self._connection.execute(sql(_PACKAGE, macro))
        self._lock = threading.Lock()
        self._symbols: tuple[dict[str, str], dict[str, Symbol]] = ({}, {})

    def bars(self, query: BarsQuery) -> pa.Table:
        """Return the bars asked for, schema `BARS`, in order of symbol and start.

        Raises:
            UnknownSymbolError: If the lake has no bar of a symbol.
            EmptyLakeError: If it has none at all, none of the interval yet, or none by `known_at`.
            ForgottenError: If what was known at `known_at` is no longer kept.
            StoreError: If the lake cannot be read.
        """
        self._check_known(query)
        if query.adjustment == "all" or query.known_at:
            with self._connection.cursor() as cursor:
                return folded_bars(self._store, cursor, query, self.as_of(query))
        objects = self._objects(query)
        if not objects:
            return BARS.empty_table()
        source = "daily_bars" if query.interval == DAILY else "session_bars"
        statement = sql(_PACKAGE, "bars").replace("bars_of(", f"{source}(")
        after_symbol, after_start = query.after or (None, None)
        binds = {
            "symbols": list(query.symbols),
            "first": query.start,
            "last": query.end,
            "after_symbol": after_symbol,
            "after_start": after_start,
            "as_of": self.as_of(query),
            "limit": query.limit,
        }
        with self._connection.cursor() as cursor:
            cursor.register("splits", read_frame(self._store, keys.SPLITS, SPLITS)[0])
            return scan(cursor, self._store, objects, statement, binds).cast(BARS)

    def as_of(self, query: BarsQuery) -> dt.date | None:
        """Return the date whose basis the bars are on: the one asked for, or today; None for raw.

        Today is the day of `known_at` where that is given: so the answer is the one of that day.
        """
        if query.adjustment == "raw":
            return None
        return query.as_of or trading_day(query.known_at or self._clock.now())

    def symbols(self, text: str = "") -> list[Symbol]:
        """Return the symbols that contain `text`; those that begin with it come first.

        Raises:
            EmptyLakeError: If the lake has no bars.
        """
        wanted = text.strip().upper()
        found = [symbol for name, symbol in self._known_symbols().items() if wanted in name]
        return sorted(found, key=lambda each: (not each.symbol.startswith(wanted), each.symbol))

    def boundary(self) -> dt.date | None:
        """Return the last session that batch has committed; None before the first."""
        return read_boundary(self._store).daily

    def _objects(self, query: BarsQuery) -> dict[str, str]:
        daily = query.interval == DAILY
        found = self._store.fingerprints(
            keys.DAILY if daily else keys.silver_prefix(query.interval)
        )
        years = keys.by_year(found)
        if not years:
            fact = f"The lake {self._store.location} holds no {query.interval} bars yet."
            raise EmptyLakeError(fact, hint="fiblake resample.")
        first = query.start.year if query.start else dt.MINYEAR
        last = query.end.year if query.end else dt.MAXYEAR
        return {key: found[key] for year, key in years.items() if first <= year <= last}

    def _check_known(self, query: BarsQuery) -> None:
        known = self._known_symbols()
        unknown = [symbol for symbol in query.symbols if symbol not in known]
        if unknown and query.known_at:
            with self._connection.cursor() as cursor:
                withdrawn = Known(self._store, cursor, query.known_at).withdrawn(unknown)
            unknown = [symbol for symbol in unknown if symbol not in withdrawn]
        if unknown:
            fact = f"{', '.join(unknown)}: no such symbol in the lake {self._store.location}."
            raise UnknownSymbolError(fact, hint=_like(unknown[0], known))

    def _known_symbols(self) -> Mapping[str, Symbol]:
        found = self._store.fingerprints(keys.DAILY)
        objects = {key: found[key] for key in keys.by_year(found).values()}
        if not objects:
            fact = f"The lake {self._store.location} is empty."
            raise EmptyLakeError(fact, hint=IMPORT_HINT)
        with self._lock:
            seen, known = self._symbols
            if seen != objects:
                known = self._read_symbols(objects)
                self._symbols = (objects, known)
            return known

    def _read_symbols(self, objects: Mapping[str, str]) -> dict[str, Symbol]:
        with self._connection.cursor() as cursor:
            rows = scan(cursor, self._store, objects, sql(_PACKAGE, "symbols"), {}).to_pylist()
        return {row["symbol"]: Symbol(**row) for row in rows}


def _like(symbol: str, known: Mapping[str, Symbol]) -> str:
    near = [name for name in known if name.startswith(symbol[:1])] or list(known)
    shown = sorted(near)[:_SYMBOLS_SHOWN]
    more = len(known) - len(shown)
    return f"it has {', '.join(shown)}{f' and {more:,} more' if more else ''}."
