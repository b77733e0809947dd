"""Random words that depend on nothing but a text and a number: any part may be made alone.

Source: SplitMix64, https://prng.di.unimi.it/splitmix64.c; whole numbers, so alike on all machines.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_MANTISSA_BITS: Final = 53


def seeds(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Return a seed for each text."""
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def uniform(seed: NDArray[np.uint64], stream: int, count: int) -> NDArray[np.float64]:
    """Return numbers in [0, 1), `count` of one of a thousand streams: a row for each seed."""
    places = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(stream << 32)
    word = seed[:, None] + places * _GOLDEN
    word = (word ^ (word >> np.uint64(30))) * _FIRST
    word = (word ^ (word >> np.uint64(27))) * _SECOND
    word ^= word >> np.uint64(31)
    drawn: NDArray[np.float64] = (word >> np.uint64(64 - _MANTISSA_BITS)) / 2.0**_MANTISSA_BITS
    return drawn
