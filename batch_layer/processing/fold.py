"""The fold: the daily bars of a bucket, merged into one bar by DuckDB.

DuckDB merges the many rows that need nothing else. What few rows need is done around it: bars
before a split inside their bucket are brought to the basis behind it first, and revisions and
changed symbols are put in afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_layer.processing.dailies import PRICES, packed, unpacked
from lake.scan import sql
from lake.schemas import BARS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from batch_layer.processing.dailies import Dailies, Dates, Integers

PACKAGE: Final = "batch_layer.processing"
_OUTSIDE: Final = -1
_STATES: Final = pa.array(["forming", "final"])
_NAMES: Final = ("listing", "symbol", "state")
_ENCODED: Final = pa.schema(
    [
        field.with_type(pa.dictionary(pa.int32(), pa.string())) if field.name in _NAMES else field
        for field in BARS
    ]
)


@dataclass(frozen=True, slots=True)
class Splits:
    """Splits by listing, effective ordinal, and `factor`: new shares for one before."""

    listing: pa.Array
    ordinal: Integers
    factor: NDArray[np.float64]


class Fold:
    """Makes bars; one for each thread, as its DuckDB connection has one thread.

    Args:
        dates: Those of the sessions; the ordinal is the index.
        splits: All splits.
    """

    def __init__(self, dates: Dates, splits: Splits) -> None:
        self._dates = dates
        self._splits = splits
        self._statement = sql(PACKAGE, "fold")
        self._connection = duckdb.connect(config={"threads": 1})

    def bars(self, dailies: Dailies, n: int, first: int, last: int) -> pa.Table:
        """Return the bars of n sessions, in order of listing and start.

        Args:
            dailies: Daily bars, of all sessions considered at least.
            n: Sessions a bar.
            first: Ordinal of the first session considered, which begins a bucket.
            last: Ordinal of the last one.

        Returns:
            Schema `BARS`, its texts encoded as dictionaries.
        """
        key = packed(dailies.listing, dailies.ordinal // n)
        key[(dailies.ordinal < first) | (dailies.ordinal > last)] = _OUTSIDE
        rebased = self._rebased(dailies, key, n, last)
        contributions = dailies.values.append_column("key", pa.array(key))
        self._connection.register(
            "contributions",
            pa.concat_tables([rebased, contributions]) if rebased else contributions,
        )
        merged = _in_order(self._connection.execute(self._statement).to_arrow_table())
        return self._shaped(dailies, merged, n, last)

    def _rebased(self, dailies: Dailies, key: Integers, n: int, last: int) -> pa.Table | None:
        """Return the bars before a split inside their bucket, on its basis; blank their keys.

        They come before the rest of their bucket in time, and so must they in the fold.
        """
        rows, factor = self._before_splits(dailies, n, last)
        is_inside = key[rows] != _OUTSIDE
        rows, factor = rows[is_inside], factor[is_inside]
        if not len(rows):
            return None
        values = dailies.values.take(rows)
        for name in PRICES:
            values = _replaced(values, name, values[name].to_numpy() / factor)
        values = _replaced(values, "volume", values["volume"].to_numpy() * factor)
        values = values.append_column("key", pa.array(key[rows]))
        key[rows] = _OUTSIDE
        return values

    def _before_splits(
        self, dailies: Dailies, n: int, last: int
    ) -> tuple[Integers, NDArray[np.float64]]:
        """Return the rows before a split inside their bucket, in order, and by what to divide."""
        listing = pc.index_in(self._splits.listing, dailies.names).fill_null(_OUTSIDE).to_numpy()
        effective = self._splits.ordinal
        mine = (listing != _OUTSIDE) & (effective % n > 0) & (effective <= last)
        bucket = packed(listing[mine], effective[mine] // n * n)
        split = packed(listing[mine], effective[mine])
        found, factors = [], []
        for part in (slice(0, dailies.year_rows), slice(dailies.year_rows, len(dailies.row))):
            begin, end = np.searchsorted(dailies.row[part], np.stack([bucket, split])) + part.start
            found.append(_ranges(begin, end))
            factors.append(np.repeat(self._splits.factor[mine], end - begin))
        # A bar before two splits of its bucket is found twice.
        rows, nth = np.unique(np.concatenate(found), return_inverse=True)
        factor = np.ones(len(rows))
        np.multiply.at(factor, nth, np.concatenate(factors))
        return rows, factor

    def _shaped(self, dailies: Dailies, merged: pa.Table, n: int, last: int) -> pa.Table:
        key = merged["key"].to_numpy()
        listing, bucket = unpacked(key)
        through = np.minimum(bucket * n + n - 1, last)
        columns = {
            "listing": pa.DictionaryArray.from_arrays(pa.array(listing, pa.int32()), dailies.names),
            "symbol": _symbols(dailies, listing, through),
            "start": pa.array(self._dates[bucket * n]),
            **{name: merged[name] for name in (*PRICES, "volume")},
            "vwap": _vwap(merged["notional"].to_numpy(), merged["volume"].to_numpy()),
            "trades": pa.array(merged["trades"].to_numpy(), from_pandas=True).cast(pa.int64()),
            "sessions": merged["sessions"].cast(pa.int32()),
            "sessions_expected": pa.array(through - bucket * n + 1, pa.int32()),
            "through": pa.array(self._dates[through]),
            "state": pa.DictionaryArray.from_arrays(
                pa.array(through % n == n - 1).cast(pa.int32()), _STATES
            ),
            "revision": pa.array(_revisions(dailies, key, n, last), pa.int32()),
        }
        return pa.table(columns, schema=_ENCODED)


def _ranges(begin: Integers, end: Integers) -> Integers:
    """Return the numbers of each range [begin, end), one range after the other."""
    lengths = end - begin
    before = np.cumsum(lengths) - lengths
    numbers: Integers = np.arange(lengths.sum()) + np.repeat(begin - before, lengths)
    return numbers


def _in_order(merged: pa.Table) -> pa.Table:
    """Return the groups in order of key, without that of the rows outside."""
    key = merged["key"].to_numpy()
    order = np.argsort(key, kind="stable")
    order = order[np.searchsorted(key, 0, sorter=order) :]
    is_in_order = len(order) == len(key) and (np.diff(order) == 1).all()
    return merged if is_in_order else merged.take(order)


def _symbols(dailies: Dailies, listing: Integers, through: Integers) -> pa.DictionaryArray:
    """Return the symbol of each bar: that of its last session."""
    of_bars = dailies.last_symbol[listing]
    if len(dailies.renamed):
        rows = np.flatnonzero(np.isin(dailies.listing, dailies.renamed))
        rows = rows[np.argsort(dailies.row[rows])]
        bars = np.flatnonzero(np.isin(listing, dailies.renamed))
        ends = packed(listing[bars], through[bars])
        of_bars[bars] = dailies.symbol[rows[np.searchsorted(dailies.row[rows], ends, "right") - 1]]
    return pa.DictionaryArray.from_arrays(pa.array(of_bars, pa.int32()), dailies.symbols)


def _vwap(notional: NDArray[np.float64], volume: NDArray[np.float64]) -> pa.Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return pa.array(np.where(volume > 0, notional / volume, np.nan), from_pandas=True)


def _revisions(dailies: Dailies, key: Integers, n: int, last: int) -> Integers:
    """Return the sum of the revisions of each bar's sessions, withdrawn ones among them."""
    revisions = np.zeros(len(key), np.int64)
    listing, ordinal, revision = dailies.changed
    changed = packed(listing, ordinal // n)
    bar = np.minimum(np.searchsorted(key, changed), max(len(key) - 1, 0))
    is_of_bar = (key[bar] == changed) & (ordinal <= last) if len(key) else bar < 0
    np.add.at(revisions, bar[is_of_bar], revision[is_of_bar])
    return revisions


def _replaced(table: pa.Table, name: str, values: NDArray[np.float64]) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))
