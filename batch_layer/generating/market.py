"""A made-up market, a calendar year at a time: random walks, unadjusted, as bronze takes them.

Prices are what was paid: cents from one dollar on, hundredths of a cent below. They fall at a
split by its ratio, and volumes rise; at an ex-date they fall by the dividend. A listing that is
halted has no bar. The ratios of splits are exact in binary, and so are volumes on another basis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import numpy as np
import polars as pl

from batch_layer.generating.bits import Bits, bell, uniform, whole
from batch_layer.generating.listings import QUARTER, Listings, draw_listings

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Dates = NDArray[np.datetime64]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Kind = TypeVar("Kind", bound=np.generic)

_DRIFT: Final = 0.0003
_YIELD: Final = 0.005  # a quarter's, of the price before
_LEAST_PRICE: Final = 0.01
_LEAST_SHARES: Final = 200.0
_MOST_SHARES: Final = 1e9
# A year's halt takes as many sessions as a draw is above this: none, mostly.
_DRAWS: Final = 20
_NO_HALT: Final = 14


class _Split(NamedTuple):
    """What may happen to a listing whose price lies between two, and with which chance."""

    above: float
    below: float
    chance: float
    new: int
    old: int


_SPLITS: Final = (
    _Split(400, math.inf, 1, new=4, old=1),
    _Split(100, math.inf, 0.3, new=2, old=1),
    _Split(100, math.inf, 0.4, new=3, old=2),
    _Split(100, math.inf, 0.5, new=4, old=1),
    _Split(0, 0.3, 1, new=1, old=8),
    _Split(0, 0.6, 1, new=1, old=4),
    _Split(0, 1.2, 1, new=1, old=2),
)
"""The first that fits is had; mostly none does."""

_NONE: Final = len(_SPLITS)
_NEW: Final = np.array([*(each.new for each in _SPLITS), 1], np.float64)
_OLD: Final = np.array([*(each.old for each in _SPLITS), 1], np.float64)


@dataclass(frozen=True, slots=True)
class MarketYear:
    """One year of the market.

    Attributes:
        bars: As `bronze.daily.commit` takes them, but `known_from`; by symbol and session.
        splits: As `bronze.splits.commit` takes them.
        dividends: symbol, ex_date, amount (USD a share, on the basis of that date).
    """

    bars: pl.DataFrame
    splits: pl.DataFrame
    dividends: pl.DataFrame


def generate_years(symbols: int, sessions: Sequence[dt.date], seed: int) -> Iterator[MarketYear]:
    """Yield a market year by year; the same arguments make the same one on every machine."""
    listings = draw_listings(symbols, len(sessions), seed)
    market = _Market(listings, np.array(sessions, dtype="datetime64[D]"))
    first = 0
    for year, group in groupby(sessions, key=lambda session: session.year):
        beyond = first + len(list(group))
        yield market.next_year(first, beyond, Bits(seed, year))
        first = beyond


class _Market:
    """All listings, and where each stands before the next year."""

    def __init__(self, listings: Listings, dates: Dates) -> None:
        self._listings = listings
        self._dates = dates
        self._price = listings.price.copy()
        self._shares = listings.shares.copy()

    def next_year(self, first: int, beyond: int, bits: Bits) -> MarketYear:
        """Return the year of the sessions numbered from `first` to before `beyond`."""
        listings = self._listings
        alive = np.flatnonzero((listings.first < beyond) & (listings.last >= first))
        mine = listings.take(alive)
        walk = _walk(mine, self._price[alive], self._shares[alive], (first, beyond), bits)
        self._price[alive] = walk.close[:, -1]
        self._shares[alive] = np.clip(walk.shares[:, -1], _LEAST_SHARES, _MOST_SHARES)
        dates = self._dates[first:beyond]
        return MarketYear(
            bars=_bars(mine, walk, dates, bits),
            splits=_splits(mine, walk, dates),
            dividends=_dividends(mine, walk, dates),
        )


@dataclass(frozen=True, slots=True)
class _Walk:
    """The year of some listings: one row a listing, one column a session.

    Attributes:
        opening: The price before each session, on the basis of that session.
        close: The price after it.
        shares: A usual volume then.
        traded: Whether it has a bar.
        paid: Whether that is its ex-date.
        split: In which column each listing may split.
        kind: Which of SPLITS it then has, if any.
    """

    opening: Floats
    close: Floats
    shares: Floats
    traded: Bools
    paid: Bools
    split: Ints
    kind: Ints


def _walk(
    listings: Listings, price: Floats, shares: Floats, span: tuple[int, int], bits: Bits
) -> _Walk:
    days = np.arange(*span)
    fate = bits.words(len(listings))
    moves = bits.words(len(listings), len(days))
    traded = _traded(listings, days, fate)
    paid = _column(listings.pays) & (np.arange(len(days)) % QUARTER == _column(listings.payday))
    paid &= traded
    fall = 1 - _YIELD * paid
    growth = (1 + _DRIFT + _column(listings.deviation) * bell(moves)) * fall
    path = _column(price) * np.multiply.accumulate(growth, axis=1)
    before = np.concatenate([_column(price), path[:, :-1]], axis=1)
    split = whole(fate, 0, len(days))
    kind = _kinds(before[np.arange(len(split)), split], uniform(fate, 1))
    kind[(days[split] <= listings.first) | (days[split] > listings.last)] = _NONE
    is_after = np.arange(len(days)) >= _column(split)
    factor = np.where(is_after, _column(_NEW[kind] / _OLD[kind]), 1)
    return _Walk(
        opening=before * fall / factor,
        close=path / factor,
        shares=_column(shares) * factor,
        traded=traded,
        paid=paid,
        split=split,
        kind=kind,
    )


def _traded(listings: Listings, days: Ints, fate: NDArray[np.uint64]) -> Bools:
    halt = days[whole(fate, 2, len(days))]
    resumed = halt + np.maximum(whole(fate, 3, _DRAWS) - _NO_HALT, 0)
    first = _column(listings.first)
    halted = (days >= _column(halt)) & (days < _column(resumed))
    # Every listing has a bar at least: its first.
    traded: Bools = (days >= first) & (days <= _column(listings.last)) & (~halted | (days == first))
    return traded


def _kinds(price: Floats, chance: Floats) -> Ints:
    """Return which of SPLITS each has: what is dear may split, what is cheap is put together."""
    cases = [
        (price > each.above) & (price < each.below) & (chance < each.chance) for each in _SPLITS
    ]
    return np.select(cases, range(len(_SPLITS)), default=_NONE).astype(np.int64)


def _bars(listings: Listings, walk: _Walk, dates: Dates, bits: Bits) -> pl.DataFrame:
    row, column = np.nonzero(walk.traded)
    prices, amounts = bits.words(len(row)), bits.words(len(row))
    swing = listings.deviation[row]
    last = walk.close[walk.traded]
    opening = walk.opening[walk.traded] * (1 + swing * (uniform(prices, 0) - 0.5))
    high = np.maximum(opening, last) * (1 + swing * np.square(uniform(prices, 1)))
    low = np.minimum(opening, last) * (1 - swing * np.square(uniform(prices, 2)))
    high, low = _paid(high), _paid(low)
    volume = np.rint(walk.shares[walk.traded] * (0.25 / (uniform(amounts, 0) + 0.125)))
    lot = listings.lot[row] * (0.75 + uniform(amounts, 1) / 2)
    return pl.DataFrame(
        {
            "symbol": _symbols(listings, row),
            "session": dates[column],
            "open": _paid(opening),
            "high": high,
            "low": low,
            "close": _paid(last),
            "volume": volume,
            "vwap": _to_1e4(low + (high - low) * uniform(prices, 3)),
            "trades": np.ceil(volume / lot).astype(np.int64),
        }
    )


def _splits(listings: Listings, walk: _Walk, dates: Dates) -> pl.DataFrame:
    row = np.flatnonzero(walk.kind != _NONE)
    kind = walk.kind[row]
    return pl.DataFrame(
        {
            "symbol": _symbols(listings, row),
            "effective": dates[walk.split[row]],
            "split_from": _OLD[kind],
            "split_to": _NEW[kind],
        }
    )


def _dividends(listings: Listings, walk: _Walk, dates: Dates) -> pl.DataFrame:
    row, column = np.nonzero(walk.paid)
    before = walk.opening[walk.paid] / (1 - _YIELD)
    amount = _to_1e4(np.maximum(before * _YIELD, 1e-4))
    return pl.DataFrame(
        {"symbol": _symbols(listings, row), "ex_date": dates[column], "amount": amount}
    )


def _symbols(listings: Listings, row: Ints) -> pl.Series:
    return pl.Series(listings.tickers.tolist(), dtype=pl.String())[row]


def _paid(price: Floats) -> Floats:
    """Return a price as it is paid; of two prices, never the lower one the higher."""
    cents = np.rint(price * 100) / 100
    return np.where(price < 1, _to_1e4(np.maximum(price, _LEAST_PRICE)), cents)


def _to_1e4(price: Floats) -> Floats:
    return np.rint(price * 1e4) / 1e4


def _column(values: NDArray[Kind]) -> NDArray[Kind]:
    return values[:, np.newaxis]
