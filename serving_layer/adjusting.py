"""Splits applied to bars when they are read: from the basis of `through` to that of a date."""

from __future__ import annotations

from functools import cached_property
from itertools import takewhile
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import datetime as dt

    import polars as pl
    from numpy.typing import NDArray

_PRICES: Final = ("open", "high", "low", "close", "vwap")
_DAYS: Final = 1 << 32


class SplitFactors:
    """All splits, ready to be applied to many bars at once.

    Args:
        splits: Schema `SPLITS`, with the `listing` of each.
    """

    def __init__(self, splits: pl.DataFrame) -> None:
        splits = splits.sort("listing", "effective")
        self._listings = pa.array(splits["listing"].unique().sort().to_list(), pa.string())
        listing = pc.index_in(pa.array(splits["listing"].to_list(), pa.string()), self._listings)
        self._place = _placed(listing.to_numpy(), splits["effective"].to_numpy())
        self._factor = (splits["split_to"] / splits["split_from"]).to_numpy()
        self._splits = splits

    def rebased(self, bars: pa.Table, as_of: dt.date) -> pa.Table:
        """Return bars on the split basis of a date, forwards or backwards from their `through`.

        Args:
            bars: Schema `BARS`.
            as_of: The last date whose splits are applied.
        """
        listing = self._listing(bars["listing"])
        day = np.full(len(listing), np.datetime64(as_of))
        at = np.searchsorted(self._place, _placed(listing, bars["through"].to_numpy()), "right")
        to = np.searchsorted(self._place, _placed(listing, day), "right")
        factor = np.where(at <= to, self._product(at, to), 1 / self._product(to, at))
        return bars if (factor == 1).all() else _divided(bars, pa.array(factor))

    def between(self, listing: str, day: dt.date, later: dt.date) -> float:
        """Return how many shares of a listing stand on a later date for one on an earlier."""
        known = self._by_listing.get(listing, ())
        by_then = takewhile(lambda split: split[0] <= later, known)
        return prod(factor for effective, factor in by_then if effective > day)

    def effective(self, day: dt.date, later: dt.date) -> dict[str, float]:
        """Return by listing how many shares stand on a later date for one on an earlier.

        Only listings are told that were split in between.
        """
        of_both = ((name, self.between(name, day, later)) for name in self._by_listing)
        return {name: factor for name, factor in of_both if factor != 1}

    @cached_property
    def _by_listing(self) -> dict[str, list[tuple[dt.date, float]]]:
        """Of each listing that was ever split, when and by how much, in order of time."""
        found: dict[str, list[tuple[dt.date, float]]] = {}
        rows = self._splits.select("listing", "effective", "split_to", "split_from").iter_rows()
        for listing, effective, new, old in rows:
            found.setdefault(listing, []).append((effective, new / old))
        return found

    def _listing(self, names: pa.ChunkedArray) -> NDArray[np.int32]:
        """Return which listing each row is of; -1 where that was never split."""
        runs = pc.run_end_encode(names.combine_chunks())
        known = pc.index_in(runs.values, self._listings).fill_null(-1).to_numpy()
        of_rows: NDArray[np.int32] = np.repeat(known, np.diff(runs.run_ends.to_numpy(), prepend=0))
        return of_rows

    def _product(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return for each row the product of the factors in [begin, end); 1 where it is empty."""
        # Rows of one listing follow each other, and most have the same splits before them.
        is_new = np.ones(len(begin), np.bool_)
        is_new[1:] = (np.diff(begin) != 0) | (np.diff(end) != 0)
        first, count = begin[is_new], (end - begin)[is_new]
        products = np.ones(len(first))
        for nth in range(count.max(initial=0)):
            more = count > nth
            products[more] *= self._factor[first[more] + nth]
        of_rows: NDArray[np.float64] = products[np.cumsum(is_new) - 1]
        return of_rows


def _placed(listing: NDArray[np.int32], day: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return one number for each (listing, day), in their order."""
    days = day.astype("datetime64[D]").astype(np.int64)
    return listing.astype(np.int64) * _DAYS + days


def _divided(bars: pa.Table, factor: pa.Array) -> pa.Table:
    columns = {name: bars[name] for name in bars.column_names}
    columns |= {name: pc.divide(bars[name], factor) for name in _PRICES}
    columns["volume"] = pc.multiply(bars["volume"], factor)
    return pa.table(columns, schema=bars.schema)
