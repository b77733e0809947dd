"""The daily bars that partitions of a year are built from, as columns of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from batch_layer.bronze.year import KEY, withdrawn
from lake import keys
from lake.errors import DamagedObjectError
from lake.parquet import decode_columns, read_frame
from lake.schemas import DAILY_HISTORY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.listings import Listings
    from lake.session import SessionTable
    from lake.store import ObjectStore

Integers: TypeAlias = NDArray[np.int64]
Dates: TypeAlias = NDArray[np.datetime64]
PRICES: Final = ("open", "high", "low", "close")
ADDITIVE: Final = ("volume", "notional", "trades")
_READ: Final = ("symbol", "session", *PRICES, "volume", "vwap", "trades", "revision")
_ORDINAL_BITS: Final = 32
_KEY: Final = pa.schema({"symbol": pa.string(), "session": pa.date32()})
_WITHDRAWN: Final = _KEY.append(pa.field("revision", pa.int32()))


@dataclass(frozen=True, slots=True)
class BronzeYear:
    """A year of bronze.

    Attributes:
        bars: listing and symbol (dictionaries), ordinal, open, high, low, close, volume, notional,
            trades and revision, in order of listing and session. Notional or trades are NaN where a
            bar with volume tells none.
        withdrawn: symbol, listing, session, ordinal and revision of the bars withdrawn.
    """

    bars: pa.Table
    withdrawn: pa.Table


@dataclass(frozen=True, slots=True)
class Dailies:
    """Daily bars of a year and the first sessions of the next, one row a (listing, session).

    The rows of the first year that bronze has come first, then those of the next, each in order of
    listing and session: so those of one bucket follow each other in time.

    Attributes:
        names: The listings, in order; `listing` is the index.
        symbols: The symbols; `symbol` is the index.
        listing: Of each row.
        symbol: Of each row.
        last_symbol: Of each listing, at its last row.
        renamed: The listings that have more than one symbol.
        ordinal: Of each row's session.
        row: Listing and ordinal, packed.
        values: open, high, low, close, volume, notional and trades of each row.
        year_rows: How many rows are of the first year.
        changed: listing, ordinal and revision of bars that were changed or withdrawn.
    """

    names: pa.Array
    symbols: pa.Array
    listing: Integers
    symbol: Integers
    last_symbol: Integers
    renamed: Integers
    ordinal: Integers
    row: Integers
    values: pa.Table
    year_rows: int
    changed: tuple[Integers, Integers, Integers]


def packed(listing: Integers | int, ordinal: Integers | int) -> Integers:
    """Return one number for each (listing, ordinal) or (listing, bucket), in their order."""
    return np.left_shift(np.asarray(listing, np.int64), _ORDINAL_BITS) | ordinal


def unpacked(number: Integers) -> tuple[Integers, Integers]:
    """Return the pairs that were packed."""
    return number >> _ORDINAL_BITS, number & ((1 << _ORDINAL_BITS) - 1)


def session_dates(sessions: SessionTable) -> Dates:
    """Return the dates of the sessions; the ordinal is the index."""
    return np.asarray(sessions.dates, "datetime64[D]")


def read_bronze(store: ObjectStore, year: int, dates: Dates, listings: Listings) -> BronzeYear:
    """Return what bronze holds of a year, by listing; `dates` are those of the sessions.

    Raises:
        DamagedObjectError: If it cannot be read, or is not in order.
    """
    key = keys.daily(year)
    what = f"{key} in {store.location}"
    bars = decode_columns(store.get(key).data, what, _READ, dictionaries=["symbol"])
    history = read_frame(store, keys.daily_history(year), DAILY_HISTORY)[0]
    volume = bars["volume"].to_numpy()
    columns = {name: bars[name] for name in ("symbol", *PRICES, "volume", "revision")}
    columns["listing"] = _listings(bars, listings)
    columns["ordinal"] = _ordinals(bars["session"], dates)
    columns["notional"] = pa.array(told(bars["vwap"], volume) * volume)
    columns["trades"] = pa.array(told(bars["trades"], volume))
    gone = _withdrawn(history, bars)
    gone = gone.append_column("ordinal", _ordinals(gone["session"], dates))
    gone = gone.append_column("listing", _listings(gone, listings).cast(pa.string()))
    return BronzeYear(_by_listing(pa.table(columns), what, listings), gone)


def _listings(rows: pa.Table, listings: Listings) -> pa.ChunkedArray:
    """Return the listing of each row, by its symbol and session."""
    if listings.is_empty:
        return rows["symbol"]
    symbols = rows["symbol"].combine_chunks()
    if not pa.types.is_dictionary(symbols.type):
        symbols = symbols.dictionary_encode()
    return pa.chunked_array([listings.of(symbols, rows["session"].to_numpy())])


def _by_listing(bars: pa.Table, what: str, listings: Listings) -> pa.Table:
    """Return bars, which are in order of symbol and session, in order of listing and session."""
    if listings.is_empty:
        return bars
    symbol, ordinal = ranked(bars["symbol"])[1], bars["ordinal"].to_numpy()
    _refuse_disorder(packed(symbol, ordinal), what)
    place = packed(ranked(bars["listing"])[1], ordinal)
    return bars if (np.diff(place) > 0).all() else bars.take(np.argsort(place, kind="stable"))


def _refuse_disorder(row: Integers, what: str) -> None:
    if (np.diff(row) <= 0).any():
        fact = f"{what} are damaged: bars are not in order."
        raise DamagedObjectError(fact, hint="import them anew, or restore it from a copy.")


def gather(years: Sequence[BronzeYear], last: int, what: str) -> Dailies:
    """Return the bars of a year, and those of the next ones up to the ordinal `last`.

    Raises:
        DamagedObjectError: If the bars are not in order; it says of `what`.
    """
    bars = [years[0].bars]
    bars += [year.bars.filter(pc.less_equal(year.bars["ordinal"], last)) for year in years[1:]]
    rows = pa.concat_tables(bars).unify_dictionaries()
    gone = pa.concat_tables([year.withdrawn for year in years])
    names, listing = ranked(rows["listing"], gone["listing"])
    symbols, symbol = ranked(rows["symbol"])
    ordinal = rows["ordinal"].to_numpy()
    held = listing[: rows.num_rows]
    row = packed(held, ordinal)
    parts = np.split(row, [bars[0].num_rows])
    for part in parts:
        _refuse_disorder(part, what)
    last_symbol = np.zeros(len(names), np.int64)
    last_symbol[held] = symbol
    return Dailies(
        names=names,
        symbols=symbols,
        listing=held,
        symbol=symbol,
        last_symbol=last_symbol,
        renamed=np.unique(held[last_symbol[held] != symbol]),
        ordinal=ordinal,
        row=row,
        values=rows.select([*PRICES, *ADDITIVE]),
        year_rows=bars[0].num_rows,
        changed=_changed(rows, gone, listing),
    )


def ranked(
    column: pa.ChunkedArray, more: pa.ChunkedArray | None = None
) -> tuple[pa.Array, Integers]:
    """Return the names in order, and of each row (then of each one more) which it is."""
    encoded = column.combine_chunks()
    names = pa.concat_arrays([encoded.dictionary, *(more.chunks if more else [])])
    distinct = pc.unique(names)
    distinct = distinct.take(pc.sort_indices(distinct))
    rank = pc.index_in(names, distinct).to_numpy().astype(np.int64)
    of_rows = rank[: len(encoded.dictionary)][encoded.indices.to_numpy()]
    return distinct, np.concatenate([of_rows, rank[len(encoded.dictionary) :]])


def _changed(
    rows: pa.Table, gone: pa.Table, listing: Integers
) -> tuple[Integers, Integers, Integers]:
    revision = rows["revision"].to_numpy()
    revised = np.flatnonzero(revision)
    return (
        np.concatenate([listing[revised], listing[rows.num_rows :]]),
        np.concatenate([rows["ordinal"].to_numpy()[revised], gone["ordinal"].to_numpy()]),
        np.concatenate([revision[revised], gone["revision"].to_numpy()]).astype(np.int64),
    )


def _withdrawn(history: pl.DataFrame, bars: pa.Table) -> pa.Table:
    if history.is_empty():
        return _WITHDRAWN.empty_table()
    current = pl.from_arrow(bars.select(KEY).cast(_KEY))
    assert isinstance(current, pl.DataFrame)  # noqa: S101 - a table makes a frame; tells mypy so
    return withdrawn(history, current).to_arrow().cast(_WITHDRAWN)


def _ordinals(sessions: pa.ChunkedArray, dates: Dates) -> pa.Array:
    return pa.array(np.searchsorted(dates, sessions.to_numpy()))


def told(column: pa.ChunkedArray, volume: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a column tells; NaN where it should tell of some volume and does not."""
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return np.where(np.isnan(values) & (volume == 0), 0.0, values) if column.null_count else values
