"""The listings of a made-up market: their tickers, when they trade and how they behave."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final

import numpy as np

from batch_layer.generating.bits import Bits, uniform, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUARTER: Final = 63
"""Sessions from one dividend to the next."""

_STREAM: Final = 0
_FROM_THE_START: Final = 1 / 200
# Set so that 5,350 listings have 22.6 M bars in the 16,047 sessions from 1962-01-02 to 2025-10-03.
_DELISTED: Final = 0.267
_PAYING: Final = 0.4
_GOLDEN: Final = (math.sqrt(5) - 1) / 2
# Tickers of three letters at most are enough for so many, and leave most of them unused.
_WITH_THREE_LETTERS: Final = 12_000
_STRIDE: Final = 7919  # a prime that divides neither number of tickers: it meets each of them once


@dataclass(frozen=True, slots=True)
class Listings:
    """All listings, in order of their tickers; one element each.

    Attributes:
        tickers: Unique, of one to four letters.
        first: The first session each trades on, numbered in those of the market.
        last: The last one; the market's last where it is never delisted.
        price: USD a share before its first session.
        deviation: Of a day's return.
        shares: The volume of a usual day.
        lot: Shares in a usual trade.
        pays: Whether it pays dividends.
        payday: On which of the QUARTER sessions it does.
    """

    tickers: NDArray[np.str_]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    price: NDArray[np.float64]
    deviation: NDArray[np.float64]
    shares: NDArray[np.float64]
    lot: NDArray[np.float64]
    pays: NDArray[np.bool_]
    payday: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tickers)

    def take(self, numbers: NDArray[np.int64]) -> Listings:
        """Return the listings of these numbers."""
        return Listings(**{each.name: getattr(self, each.name)[numbers] for each in fields(self)})


def draw_listings(count: int, sessions: int, seed: int) -> Listings:
    """Return the listings of a market of so many sessions."""
    bits = Bits(seed, _STREAM)
    one, ages, traits = bits.words(1), bits.words(count), bits.words(count)
    tickers = np.array(_tickers(count, int(one[0])))
    first, last = _spans(uniform(ages, 0), float(uniform(one, 0)[0]), sessions)
    order = np.argsort(tickers)
    return Listings(
        tickers=tickers[order],
        first=first[order],
        last=last[order],
        price=(3 * _octaves(6 * uniform(traits, 0)))[order],
        deviation=(0.008 + 0.03 * np.square(uniform(traits, 1)))[order],
        shares=(1000 * _octaves(12 * uniform(ages, 1)))[order],
        lot=(80 + whole(ages, 2, 240)).astype(np.float64)[order],
        pays=(uniform(traits, 2) < _PAYING)[order],
        payday=whole(traits, 3, QUARTER)[order],
    )


def _spans(
    jitter: NDArray[np.float64], offset: float, sessions: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last session of each listing, the oldest one first.

    Both are drawn evenly rather than independently, so that any seed gives nearly as many bars.
    """
    count = len(jitter)
    numbers = np.arange(count)
    rank = (numbers + jitter) / count
    # Few in the beginning, and ever more.
    age = np.where(rank < _FROM_THE_START, 0, _power_7_16(rank))
    first = np.floor(age * sessions).astype(np.int64)
    life = np.minimum((offset + _GOLDEN * numbers) % 1 / _DELISTED, 1)
    length = np.maximum(np.floor(life * (sessions - first)), 1).astype(np.int64)
    return first, first + length - 1


def _power_7_16(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return value ** (7 / 16)."""
    quarter = np.sqrt(np.sqrt(value))
    eighth = np.sqrt(quarter)
    return quarter * eighth * np.sqrt(eighth)


def _octaves(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return about 2 ** value, in straight lines between the powers of two."""
    floor = np.floor(value)
    return np.ldexp(1 + value - floor, floor.astype(np.int64))


def _tickers(count: int, start: int) -> list[str]:
    longest = 3 if count <= _WITH_THREE_LETTERS else 4
    letters = len(ascii_uppercase)
    space = sum(letters**length for length in range(1, longest + 1))
    return [_ticker((start + number * _STRIDE) % space) for number in range(count)]


def _ticker(number: int) -> str:
    """Return the number-th of A, B ... Z, AA, AB ... ZZ, AAA ..."""
    text = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, len(ascii_uppercase))
        text = ascii_uppercase[letter] + text
    return text
