"""Random numbers that are the same on every machine.

They are cut from the raw 64-bit words of PCG64, whose stream NumPy keeps the same in all versions
(NEP 19), unlike that of its distributions. What is made of them needs nothing but IEEE arithmetic
and square roots, which are exact everywhere: logarithms and powers differ between C libraries.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.random import PCG64, SeedSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIELDS: Final = 4
"""Fields of 16 bits in a word."""

_BITS: Final = 16
_FIELD: Final = np.uint64(0xFFFF)
_MEAN: Final = FIELDS * 0xFFFF / 2
_DEVIATION: Final = math.sqrt(FIELDS * (2 ** (2 * _BITS) - 1) / 12)


class Bits:
    """A stream of raw random words.

    Args:
        seed: Not negative.
        stream: Which of the seed's independent streams.
    """

    def __init__(self, seed: int, stream: int) -> None:
        self._source = PCG64(SeedSequence([seed, stream]))

    def words(self, *shape: int) -> NDArray[np.uint64]:
        """Return the next random words."""
        return self._source.random_raw(math.prod(shape)).reshape(shape)


def uniform(words: NDArray[np.uint64], field: int) -> NDArray[np.float64]:
    """Return numbers in (0, 1), evenly spread, of a field (0 to 3) of each word."""
    return (_field(words, field) + 0.5) / 2**_BITS


def whole(words: NDArray[np.uint64], field: int, below: int) -> NDArray[np.int64]:
    """Return whole numbers in [0, below), for a `below` far less than 65,536."""
    return (_field(words, field) * below) >> _BITS


def bell(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return numbers of mean 0 and deviation 1, nearly normal: the sum of each word's fields."""
    # Two additions of two fields at once.
    pairs = np.uint64(0xFFFF_0000_FFFF)
    sums = (words & pairs) + ((words >> np.uint64(_BITS)) & pairs)
    total = (sums & np.uint64(0xFFFF_FFFF)) + (sums >> np.uint64(2 * _BITS))
    return (total.astype(np.float64) - _MEAN) / _DEVIATION


def _field(words: NDArray[np.uint64], field: int) -> NDArray[np.int64]:
    return ((words >> np.uint64(_BITS * field)) & _FIELD).astype(np.int64)
