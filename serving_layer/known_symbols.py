"""Which symbols have daily bars: read once, and again where the lake has changed."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from lake import keys
from lake.errors import IMPORT_HINT, EmptyLakeError
from lake.scan import scan, sql

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    import duckdb

    from lake.listings import Listings
    from lake.store import ObjectStore

_PACKAGE: Final = "serving_layer"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of a listing: its first and last session, and how many daily bars it has."""

    symbol: str
    listing: str
    first: dt.date
    last: dt.date
    bars: int


@dataclass(frozen=True)
class SymbolTable:
    """All symbols, in order of symbol and time: one that named several listings once for each."""

    symbols: tuple[Symbol, ...]

    @cached_property
    def spans(self) -> Mapping[str, Sequence[tuple[dt.date, dt.date]]]:
        """From when to when each symbol has bars."""
        spans = defaultdict(list)
        for each in self.symbols:
            spans[each.symbol].append((each.first, each.last))
        return dict(spans)

    @cached_property
    def last(self) -> Mapping[str, dt.date]:
        """The last session of each listing."""
        in_time = sorted(self.symbols, key=lambda each: each.last)
        return {each.listing: each.last for each in in_time}


class KnownSymbols:
    """The symbols of one lake, for many threads.

    Args:
        store: The lake.
        cursor: Returns a connection of one's own to it.
        listings: Returns what symbols name.
    """

    def __init__(
        self,
        store: ObjectStore,
        cursor: Callable[[], duckdb.DuckDBPyConnection],
        listings: Callable[[], Listings],
    ) -> None:
        self._store = store
        self._cursor = cursor
        self._listings = listings
        self._lock = threading.Lock()
        self._read: tuple[Mapping[str, str], SymbolTable] = ({}, SymbolTable(()))

    def table(self) -> SymbolTable:
        """Return all symbols.

        Raises:
            EmptyLakeError: If the lake has no daily bars.
        """
        found = self._store.fingerprints(keys.DAILY)
        objects = {key: found[key] for key in keys.by_year(found).values()}
        if not objects:
            fact = f"The lake {self._store.location} is empty."
            raise EmptyLakeError(fact, hint=IMPORT_HINT)
        sign = {**objects, keys.LISTINGS: self._store.fingerprint(keys.LISTINGS) or ""}
        with self._lock:
            seen, table = self._read
            if seen != sign:
                table = self._table(objects)
                self._read = (sign, table)
            return table

    def _table(self, objects: Mapping[str, str]) -> SymbolTable:
        with self._cursor() as cursor:
            cursor.register("steps", self._listings().steps.to_arrow())
            rows = scan(cursor, self._store, objects, sql(_PACKAGE, "symbols"), {}).to_pylist()
        return SymbolTable(tuple(Symbol(**row) for row in rows))
