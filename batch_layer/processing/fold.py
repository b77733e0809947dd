"""The fold: the daily bars of a bucket, merged into one bar by DuckDB.

DuckDB merges the many rows that need nothing else. The few before a split inside their bucket are
brought to the basis behind it first. To merge is associative: what several intervals have in common
is merged once, and they are merged of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_layer.processing.dailies import PRICES, packed, unpacked
from lake.errors import FiblakeError
from lake.ranges import rows_of
from lake.scan import sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from batch_layer.processing.dailies import Dailies, Dates, Integers

PACKAGE: Final = "batch_layer.processing"
Grain: TypeAlias = tuple[int, ...]
"""Sessions a bar of some intervals: at the end of each of their buckets a piece ends."""
_SESSION: Final[Grain] = (1,)
GRAINS: Final[tuple[Grain, ...]] = ((3, 21), (8, 13, 34))
"""What intervals have in common: pieces that are merged once for all of them."""
_OUTSIDE: Final = -1


@dataclass(frozen=True, slots=True)
class Splits:
    """Splits by listing, effective ordinal, and `factor`: new shares for one before."""

    listing: pa.Array
    ordinal: Integers
    factor: NDArray[np.float64]

    @classmethod
    def read(cls, splits: pl.DataFrame, dates: Dates) -> Self:
        """Return splits, schema `SPLITS` with their `listing`, by the sessions of these dates."""
        return cls(
            listing=pa.array(splits["listing"].to_list(), pa.string()),
            ordinal=np.searchsorted(dates, splits["effective"].to_numpy()),
            factor=(splits["split_to"] / splits["split_from"]).to_numpy(),
        )

    def of(self, names: pa.Array) -> PlacedSplits:
        """Return those of some listings, by their index in `names`."""
        listing = pc.index_in(self.listing, names).fill_null(_OUTSIDE).to_numpy()
        mine = listing != _OUTSIDE
        return PlacedSplits(listing[mine], self.ordinal[mine], self.factor[mine])


@dataclass(frozen=True, slots=True)
class PlacedSplits:
    """Splits, with the index of each one's listing."""

    listing: Integers
    ordinal: Integers
    factor: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Span:
    """The sessions [first, last], both inclusive, of which bars of n sessions are made."""

    n: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """Contributions, one row a (listing, begin): each of a session, or of several merged already.

    Attributes:
        grain: At the ends of whose buckets a piece ends.
        listing: Of each row.
        begin: Ordinal of the first session of each row.
        row: Both, packed; in order up to `split`, and again from there on.
        split: Where the rows of the next year begin.
        values: open, high, low, close, volume, notional, trades and sessions of each row.
    """

    grain: Grain
    listing: Integers
    begin: Integers
    row: Integers
    split: int
    values: pa.Table

    def are_buckets_of(self, n: int) -> bool:
        """Return whether each piece is a bucket of n sessions, and not a part of one."""
        return n in self.grain and all(other % n == 0 for other in self.grain)

    def within(self, span: Span) -> Pieces:
        """Return the pieces of a span."""
        kept = np.flatnonzero((span.first <= self.begin) & (self.begin <= span.last))
        if len(kept) == len(self.row):
            return self
        return Pieces(
            self.grain,
            self.listing[kept],
            self.begin[kept],
            self.row[kept],
            len(kept),
            _taken(self.values, kept),
        )


class Fold:
    """Merges sessions; one for each thread, as its DuckDB connection has one thread."""

    def __init__(self) -> None:
        self._statement = sql(PACKAGE, "fold")
        # Without a place to spill to: out of memory is an error then, where groups that were spilt
        # and put together again might not be in time's order.
        self._connection = duckdb.connect(config={"threads": 1, "temp_directory": ""})

    def merged(self, dailies: Dailies, splits: Splits, spans: Sequence[Span]) -> Iterator[Pieces]:
        """Yield what the buckets of each span merge into, in order of listing and begin.

        Args:
            dailies: Daily bars, of all sessions of the spans at least.
            splits: All splits.
            spans: Of one year, and of different intervals.
        """
        placed = splits.of(dailies.names)
        sessions = _sessions(dailies)
        shared = {}
        # Even for one interval: what a bar is must not depend on which others are made with it.
        for grain in GRAINS:
            served = [span for span in spans if span.n in grain]
            if served:
                first, last = min(span.first for span in served), max(span.last for span in served)
                shared[grain] = self._merge(sessions, placed, grain, first, last)
        for span in spans:
            pieces = next((shared[grain] for grain in shared if span.n in grain), sessions)
            if pieces.are_buckets_of(span.n):
                yield pieces.within(span)
            else:
                yield self._merge(pieces, placed, (span.n,), span.first, span.last)

    def _merge(
        self, pieces: Pieces, splits: PlacedSplits, grain: Grain, first: int, last: int
    ) -> Pieces:
        """Return the pieces that begin in [first, last], merged into those of a grain."""
        key = packed(pieces.listing, _begin(pieces.begin, grain))
        key[(pieces.begin < first) | (pieces.begin > last)] = _OUTSIDE
        rebased = _rebased(pieces, splits, grain, key, last)
        contributions = pieces.values.append_column("key", pa.array(key))
        self._connection.register("contributions", pa.concat_tables([*rebased, contributions]))
        try:
            merged = _in_order(self._connection.execute(self._statement).to_arrow_table())
        except duckdb.OutOfMemoryException as error:
            raise _out_of_memory(pieces) from error
        row = merged["key"].to_numpy()
        return Pieces(grain, *unpacked(row), row, len(row), merged.drop(["key"]))


def _out_of_memory(pieces: Pieces) -> FiblakeError:
    fact = (
        f"There is not enough memory to merge {len(pieces.row):,} daily bars of one year at once."
    )
    return FiblakeError(fact, hint="give the process more memory, or fewer cores.")


def _sessions(dailies: Dailies) -> Pieces:
    ones = pa.array(np.ones(len(dailies.row)))
    return Pieces(
        grain=_SESSION,
        listing=dailies.listing,
        begin=dailies.ordinal,
        row=dailies.row,
        split=dailies.year_rows,
        values=dailies.values.append_column("sessions", ones),
    )


def _begin(ordinal: Integers, grain: Grain) -> Integers:
    """Return where the piece of a grain begins that a session is in."""
    return reduce(np.maximum, (ordinal // n * n for n in grain))


def _rebased(
    pieces: Pieces, splits: PlacedSplits, grain: Grain, key: Integers, last: int
) -> list[pa.Table]:
    """Return the rows before a split inside their bucket, on its basis; blank their keys.

    They come before the rest of their bucket in time, and so must they in the fold.
    """
    rows, factor = _before_splits(pieces, splits, grain, last)
    is_inside = key[rows] != _OUTSIDE
    rows, factor = rows[is_inside], factor[is_inside]
    if not len(rows):
        return []
    values = _taken(pieces.values, rows)
    for name in PRICES:
        values = _replaced(values, name, values[name].to_numpy() / factor)
    values = _replaced(values, "volume", values["volume"].to_numpy() * factor)
    values = values.append_column("key", pa.array(key[rows]))
    key[rows] = _OUTSIDE
    return [values]


def _before_splits(
    pieces: Pieces, splits: PlacedSplits, grain: Grain, last: int
) -> tuple[Integers, NDArray[np.float64]]:
    """Return the rows before a split inside their bucket, in order, and by what to divide."""
    # The piece that a split is in is on the basis behind it already.
    bucket, piece = _begin(splits.ordinal, grain), _begin(splits.ordinal, pieces.grain)
    inside = (bucket < piece) & (splits.ordinal <= last)
    span = packed(splits.listing[inside], np.stack([bucket[inside], piece[inside]]))
    found, factors = [], []
    for part in (slice(0, pieces.split), slice(pieces.split, len(pieces.row))):
        begin, end = np.searchsorted(pieces.row[part], span) + part.start
        found.append(rows_of(begin, end))
        factors.append(np.repeat(splits.factor[inside], end - begin))
    # A row before two splits of its bucket is found twice.
    rows, nth = np.unique(np.concatenate(found), return_inverse=True)
    factor = np.ones(len(rows))
    np.multiply.at(factor, nth, np.concatenate(factors))
    return rows, factor


def _taken(table: pa.Table, rows: Integers) -> pa.Table:
    """Return some rows, in order: in slices, where Arrow would copy all of the table first."""
    if not len(rows):
        return table.slice(0, 0)
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    begins, ends = rows[np.append(0, breaks)], rows[np.append(breaks, len(rows)) - 1] + 1
    pieces = [table.slice(begin, end - begin) for begin, end in zip(begins, ends, strict=True)]
    return pa.concat_tables(pieces).combine_chunks()


def _in_order(merged: pa.Table) -> pa.Table:
    """Return the groups in order of key, without that of the rows outside."""
    key = merged["key"].to_numpy()
    order = np.argsort(key, kind="stable")
    order = order[np.searchsorted(key, 0, sorter=order) :]
    is_in_order = len(order) == len(key) and (np.diff(order) == 1).all()
    return merged if is_in_order else merged.take(order)


def _replaced(table: pa.Table, name: str, values: NDArray[np.float64]) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))
