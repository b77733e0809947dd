"""Listings: which security a symbol named on a date.

A listing is one security, by a stable id, whatever its symbol was. Reference data tell under which
symbol it traded from when to when; what they do not tell of is a listing by itself:

    META   |META<2022-06-09|BBG000MM2P62 ...      a symbol that another security had before
    FB     |BBG000MM2P62   |FB>2022-06-08         and one that is in use no more
    AAPL   |AAPL                                  no reference data: the symbol itself
    X      |X~                                    likewise, but a listing of other symbols is X
           1962            2022-06-09

So a symbol that is used again never merges with what it named before. Dates are inclusive.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from lake import keys
from lake.parquet import read_frame
from lake.schemas import LISTINGS, LISTINGS_HISTORY
from lake.session import EPOCH
from lake.symbol import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lake.store import ObjectStore

_DAYS: Final = 1 << 32
_DAY: Final = pl.duration(days=1)


@dataclass(frozen=True, slots=True)
class Named:
    """A symbol that a listing had, and on which dates; both inclusive."""

    symbol: str
    first: dt.date
    last: dt.date


class Listings:
    """The mapping of symbols to listings.

    Args:
        rows: Listing, symbol, first and last (null: until today) of each symbol a listing had, no
            two of them at once of one symbol or of one listing.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = rows.select("listing", "symbol", "first", "last").sort("symbol", "first")
        self.steps = _steps(self._rows)
        """Symbol, first, listing: from `first` on, till the symbol's next, that is its listing."""

    @property
    def is_empty(self) -> bool:
        """Whether there are no reference data."""
        return self._rows.is_empty()

    def of(self, symbols: pa.DictionaryArray, days: NDArray[np.datetime64]) -> pa.DictionaryArray:
        """Return the listing of each (symbol, day)."""
        index = symbols.indices.to_numpy()
        place = self._places
        known = pc.index_in(symbols.dictionary, place.symbols).fill_null(-1).to_numpy()
        symbol = known[index]
        # Vendors tell of actions before the first session.
        days = np.maximum(days.astype("datetime64[D]"), np.datetime64(EPOCH))
        step = np.searchsorted(place.starts, _placed(symbol, days), "right") - 1
        names = pa.concat_arrays([place.listings, symbols.dictionary])
        code = np.where(symbol < 0, len(place.starts) + index, step)
        used, code = np.unique(code, return_inverse=True)
        found = names.take(pa.array(used)).dictionary_encode()
        code = found.indices.to_numpy()[code]
        return pa.DictionaryArray.from_arrays(pa.array(code, pa.int32()), found.dictionary)

    def of_actions(self, actions: pl.DataFrame, day: str) -> pl.DataFrame:
        """Return splits or dividends with their `listing`, one row a (listing, day).

        A vendor may tell of an action by the symbol that the listing got later: where the symbol
        named nothing known on that day, it means the listing that has it next and was there.
        """
        symbols = pa.array(actions["symbol"].to_list(), pa.string()).dictionary_encode()
        listing = pl.Series("listing", self.of(symbols, actions[day].to_numpy()).to_pylist())
        mapped = actions.with_columns(listing.cast(pl.String()))
        known = set(self._rows["symbol"])
        ids = self._by_listing
        unknown = mapped.filter(pl.col("symbol").is_in(known) & ~pl.col("listing").is_in(list(ids)))
        later = [
            (symbol, date, self._next_holder(symbol, date) or listing)
            for symbol, date, listing in unknown.select("symbol", day, "listing").iter_rows()
        ]
        told = pl.DataFrame(
            later, {"symbol": pl.String(), day: pl.Date(), "told": pl.String()}, orient="row"
        )
        mapped = mapped.join(told, on=["symbol", day], how="left", maintain_order="left")
        mapped = mapped.with_columns(listing=pl.coalesce("told", "listing"))
        # What the symbol of the day tells of a listing counts before what a later one does.
        own_first = mapped.with_row_index("nth").sort(pl.col("told").is_not_null(), "nth")
        first = own_first.unique(["listing", day], keep="first", maintain_order=True)
        return first.sort("nth").drop("nth", "told")

    def named(self, name: str, as_of: dt.date) -> str:
        """Return the listing that a name means on a date.

        Args:
            name: A symbol in any spelling, else a listing's id.
            as_of: The date. A symbol that named none then means the last one that had it before,
                else the first that had it later.
        """
        symbol = canonical(name)
        holders = self._by_symbol.get(symbol)
        if not holders:
            return name if name in self._by_listing else symbol
        before = [listing for first, listing in holders if first <= as_of]
        return before[-1] if before else holders[0][1]

    def symbols_of(self, listing: str) -> tuple[Named, ...]:
        """Return the symbols that a listing had, in order of time."""
        return self._by_listing.get(listing) or self._by_gap.get(listing) or (_always(listing),)

    def within(self, year: int, symbols: Sequence[str]) -> pl.DataFrame:
        """Return what some symbols name in a year: those of `steps`, begun with it or later."""
        new_year, wanted = pl.date(year, 1, 1), pl.Series("symbol", symbols, pl.String())
        is_over = (_following() <= new_year).fill_null(value=False)
        of_year = self.steps.filter((pl.col("first") <= pl.date(year, 12, 31)) & ~is_over)
        of_year = of_year.with_columns(first=pl.max_horizontal("first", new_year))
        return of_year.join(wanted.to_frame(), on="symbol", how="semi", maintain_order="left")

    @cached_property
    def _places(self) -> _Places:
        symbols = pa.array(self.steps["symbol"].unique().sort().to_list(), pa.string())
        of_steps = pa.array(self.steps["symbol"].to_list(), pa.string())
        symbol = pc.index_in(of_steps, symbols).to_numpy()
        starts = _placed(symbol, self.steps["first"].to_numpy())
        return _Places(symbols, starts, pa.array(self.steps["listing"].to_list(), pa.string()))

    @cached_property
    def _by_listing(self) -> dict[str, tuple[Named, ...]]:
        found: dict[str, list[Named]] = {}
        for listing, symbol, first, last in self._rows.sort("first").iter_rows():
            found.setdefault(listing, []).append(Named(symbol, first, last or dt.date.max))
        return {listing: tuple(names) for listing, names in found.items()}

    @cached_property
    def _by_symbol(self) -> dict[str, list[tuple[dt.date, str]]]:
        found: dict[str, list[tuple[dt.date, str]]] = {}
        for listing, symbol, first, _ in self._rows.iter_rows():
            found.setdefault(symbol, []).append((first, listing))
        return found

    @cached_property
    def _by_gap(self) -> dict[str, tuple[Named, ...]]:
        ends = self.steps.with_columns(last=(_following() - _DAY).fill_null(dt.date.max))
        gaps = ends.join(self._rows, on="listing", how="anti")
        return {
            listing: (Named(symbol, first, last),)
            for symbol, first, listing, last in gaps.iter_rows()
        }

    def _next_holder(self, symbol: str, day: dt.date) -> str | None:
        for first, listing in self._by_symbol[symbol]:
            was_there = any(each.first <= day <= each.last for each in self._by_listing[listing])
            if first > day and was_there:
                return listing
        return None


@dataclass(frozen=True, slots=True)
class _Places:
    """The steps by numbers.

    Attributes:
        symbols: The symbols, in order.
        starts: Symbol and first day of each step, packed; ascending.
        listings: Of each step.
    """

    symbols: pa.Array
    starts: NDArray[np.int64]
    listings: pa.Array


def read_listings(store: ObjectStore, known_at: dt.datetime | None = None) -> Listings:
    """Return the mapping in force, or the one that was known at an instant.

    Raises:
        DamagedObjectError: If the lake's reference data cannot be read.
    """
    current = read_frame(store, keys.LISTINGS, LISTINGS)[0]
    if known_at is None:
        return Listings(current)
    # Read after what is in force: a row that is replaced meanwhile is in both.
    history = read_frame(store, keys.LISTINGS_HISTORY, LISTINGS_HISTORY)[0]
    version = ["listing", "symbol", "first", "known_from"]
    replaced = history.filter(pl.col("known_to") > known_at).select(current.columns)
    rows = pl.concat([current, replaced]).unique(version, keep="first")
    return Listings(rows.filter(pl.col("known_from") <= known_at))


def _steps(rows: pl.DataFrame) -> pl.DataFrame:
    """Return for each symbol which listing it names from when on, what lies between included."""
    is_first = pl.col("symbol") != pl.col("symbol").shift(1).fill_null("")
    begins = rows.select("symbol", "first", "listing")
    before = rows.filter(is_first & (pl.col("first") > EPOCH)).select(
        "symbol",
        first=pl.lit(EPOCH),
        listing=pl.format("{}<{}", "symbol", pl.col("first").cast(pl.String)),
    )
    ended = rows.with_columns(following=_following()).filter(
        (pl.col("last") + _DAY < pl.col("following"))
        | (pl.col("following").is_null() & (pl.col("last") < dt.date.max))
    )
    after = ended.select(
        "symbol",
        first=pl.col("last") + _DAY,
        listing=pl.format("{}>{}", "symbol", pl.col("last").cast(pl.String)),
    )
    ids = rows.select(symbol=pl.col("listing").unique())
    others = ids.join(rows, on="symbol", how="anti").select(
        "symbol", first=pl.lit(EPOCH), listing=pl.format("{}~", "symbol")
    )
    return pl.concat([begins, before, after, others]).sort("symbol", "first")


def _following() -> pl.Expr:
    """Return when the symbol of a row names the next, of rows in order of symbol and first."""
    is_same = pl.col("symbol") == pl.col("symbol").shift(-1)
    return pl.when(is_same).then(pl.col("first").shift(-1))


def _placed(symbol: NDArray[np.int32], day: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return one number for each (symbol, day), in their order."""
    days = day.astype("datetime64[D]").astype(np.int64)
    return symbol.astype(np.int64) * _DAYS + days


def _always(symbol: str) -> Named:
    return Named(symbol, dt.date.min, dt.date.max)
