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
_NEUTRAL: Final = {
    "values": NO_VALUES,
    "marks": NO_MARKS,
    "symbol": np.int32(0),
    "bucket": np.int32(0),
    "is_told": np.False_,
}


class Slots:
    """Slots by symbol and bucket; slot 0 is nobody's, and neutral.

    Args:
        buckets: How many a symbol may have.

    Attributes:
        count: How many slots there are.
        values: Of each slot, a row.
        marks: Of each slot, a row.
        symbol: Of each slot, by number.
        bucket: Of each slot.
        is_told: Whether anyone was told that the slot's is a bar, or a price.
        asked: 0 of each slot, but while somebody asks for some.
    """

    values: NDArray[np.float64]
    marks: NDArray[np.int64]
    symbol: NDArray[np.int32]
    bucket: NDArray[np.int32]
    is_told: NDArray[np.bool_]

    def __init__(self, buckets: int) -> None:
        self.count = 1
        for name, neutral in _NEUTRAL.items():
            setattr(self, name, grown(np.asarray(neutral)[None], _FEW, neutral))
        self.asked = np.zeros(_FEW, dtype=np.int32)
        self._first = np.empty(_FEW, dtype=np.int32)
        self._index = np.zeros((0, buckets), dtype=np.int32)

    def at(self, symbol: NDArray[Any], bucket: NDArray[Any]) -> NDArray[np.int32]:
        """Return the slots of symbols that have some; 0 where there is none."""
        slots: NDArray[np.int32] = self._index[symbol, bucket]
        return slots

    def of(self, symbol: NDArray[Any], bucket: NDArray[Any]) -> NDArray[np.int32]:
        """Return slots, and make those that are not there; a flat array."""
        if int(symbol.max()) >= len(self._index):
            self._index = grown(self._index, int(symbol.max()) + 1, 0)
        place = (symbol.astype(np.int64) * self._index.shape[1] + bucket).ravel()
        index = self._index.reshape(-1)
        slots: NDArray[np.int32] = index.take(place)
        if not slots.all():
            self._make(np.unique(place[slots == 0]))
            slots = index.take(place)
        return slots

    def of_buckets(self, buckets: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return all slots of some buckets."""
        slots = self._index[:, buckets]
        return slots[slots > 0]

    def get(self, slots: NDArray[np.int32]) -> Parts:
        """Return copies of the parts in slots."""
        return self.values.take(slots, axis=0).T, self.marks.take(slots, axis=0).T

    def put(self, slots: NDArray[np.int32], made: Parts) -> None:
        """Put parts into slots."""
        self.values[slots], self.marks[slots] = made[0].T, made[1].T

    def distinct(self, slots: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return some slots, each once, and the place of each among these."""
        number = np.arange(len(slots), dtype=np.int32)
        self._first[slots] = number
        first = self._first.take(slots)
        is_first = first == number
        return slots[is_first], (is_first.cumsum() - 1).take(first)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that there is, as arrays by name."""
        return {name: getattr(self, name)[: self.count] for name in _NEUTRAL}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take what `state` told."""
        self.count = len(state["symbol"])
        self._reserve(state)
        self._index = grown(self._index, int(self.symbol.max()) + 1, 0)
        used = slice(1, self.count)
        self._index[self.symbol[used], self.bucket[used]] = np.arange(1, self.count)

    def _make(self, places: NDArray[np.int64]) -> None:
        new = slice(self.count, self.count + len(places))
        self.count += len(places)
        if self.count > len(self.symbol):
            self._reserve(vars(self))
        self.symbol[new], self.bucket[new] = np.divmod(places, self._index.shape[1])
        self._index.reshape(-1)[places] = np.arange(new.start, new.stop)

    def _reserve(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Make room for all slots there are, and fill it with columns as far as they go."""
        for name, neutral in _NEUTRAL.items():
            setattr(self, name, grown(columns[name], self.count, neutral))
        self.asked = np.zeros(len(self.symbol), dtype=np.int32)
        self._first = np.empty(len(self.symbol), dtype=np.int32)


def grown(array: NDArray[T], size: int, fill: object) -> NDArray[T]:
    """Return a copy of an array with room for so many rows, and for some that will come."""
    room = 1 << (size - 1).bit_length()
    copy = np.empty((room, *array.shape[1:]), dtype=array.dtype)
    copy[: len(array)] = array
    copy[len(array) :] = fill
    return copy
