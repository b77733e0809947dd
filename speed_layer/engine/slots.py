"""The bars of one session that there are, each in a slot: its parts, symbol and bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from speed_layer.engine.parts import NO_MARKS, NO_VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from speed_layer.engine.parts import Parts

T = TypeVar("T", bound=np.generic)
_FEW: Final = 1024
_COLUMNS: Final = ("values", "marks", "symbol", "bucket", "left", "is_told")


class Slots:
    """Slots by symbol and bucket; slot 0 is nobody's, and neutral.

    Args:
        buckets: How many a symbol may have.

    Attributes:
        count: How many slots there are.
        values: Of each slot.
        marks: Of each slot.
        symbol: Of each slot, by number.
        bucket: Of each slot.
        left: Of a minute, the sum of 1 + revision of statements that took an earlier one out of it.
        is_told: Whether anyone was told that the slot's is a bar, or a price.
    """

    def __init__(self, buckets: int) -> None:
        self.count = 1
        self.values = np.tile(NO_VALUES, (_FEW, 1))
        self.marks = np.tile(NO_MARKS, (_FEW, 1))
        self.symbol = np.zeros(_FEW, dtype=np.int32)
        self.bucket = np.full(_FEW, buckets, dtype=np.int32)
        self.left = np.zeros(_FEW, dtype=np.int64)
        self.is_told = np.zeros(_FEW, dtype=bool)
        # A column more: what is in no bucket is in slot 0.
        self._index = np.zeros((0, buckets + 1), dtype=np.int32)

    def at(self, symbol: NDArray[np.int64], bucket: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the slots of symbols that have some; 0 where there is none."""
        return self._index[symbol, bucket]

    def of(self, symbol: NDArray[np.int64], bucket: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return slots, and make those that are not there."""
        if symbol.max() >= len(self._index):
            self._index = grown(self._index, int(symbol.max()) + 1, 0)
        slots = self._index[symbol, bucket]
        if slots.all():
            return slots
        missing = np.flatnonzero(slots == 0)
        self._make(symbol[missing], bucket[missing])
        return self._index[symbol, bucket]

    def of_buckets(self, buckets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return all slots of some buckets."""
        slots = self._index[:, buckets]
        return slots[slots > 0].astype(np.int64)

    def put(self, slots: NDArray[np.int64], made: Parts) -> None:
        """Put parts into slots."""
        self.values[slots], self.marks[slots] = made

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that there is, as arrays by name."""
        return {name: getattr(self, name)[: self.count] for name in _COLUMNS}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take what `state` told."""
        for name in _COLUMNS:
            setattr(self, name, state[name])
        self.count = len(self.symbol)
        self._index = grown(self._index, int(self.symbol.max()) + 1, 0)
        self._index[self.symbol[1:], self.bucket[1:]] = np.arange(1, self.count)

    def _make(self, symbol: NDArray[np.int64], bucket: NDArray[np.int64]) -> None:
        width = self._index.shape[1]
        asked = np.unique(symbol.astype(np.int64) * width + bucket)
        new = np.arange(self.count, self.count + len(asked))
        self.count += len(asked)
        if self.count > len(self.symbol):
            self.values = grown(self.values, self.count, NO_VALUES)
            self.marks = grown(self.marks, self.count, NO_MARKS)
            self.symbol = grown(self.symbol, self.count, 0)
            self.bucket = grown(self.bucket, self.count, 0)
            self.left = grown(self.left, self.count, 0)
            self.is_told = grown(self.is_told, self.count, fill=False)
        self.symbol[new], self.bucket[new] = np.divmod(asked, width)
        self._index[self.symbol[new], self.bucket[new]] = new


def grown(array: NDArray[T], size: int, fill: object) -> NDArray[T]:
    """Return a copy of an array with room for so many rows, and for some that will come."""
    room = 1 << (size - 1).bit_length()
    copy = np.empty((room, *array.shape[1:]), dtype=array.dtype)
    copy[: len(array)] = array
    copy[len(array) :] = fill
    return copy
