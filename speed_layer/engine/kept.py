"""The statements in force of one minute of event time, each found by what it is a statement of.

Kept while a restatement may still come. A table of row numbers, open addressing, probed for a whole
batch at once: what hashes alike is compared, so nothing is taken for another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IDENTITY: Final = ("time", "sequence", "symbol")
_ODD: Final = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64
)
_SMALLEST: Final = 64


class Kept:
    """Statements in force.

    Args:
        rows: Those that are, each of another thing.
    """

    def __init__(self, rows: NDArray[np.void]) -> None:
        self._rows = rows[:0]
        self._slots = np.empty(0, dtype=np.int32)
        self._table = np.empty(0, dtype=np.int32)
        self._count = 0
        self._reserve(max(_SMALLEST, len(rows)))
        self.place(rows)

    @property
    def rows(self) -> NDArray[np.void]:
        """All of them; what is written to them is kept, but for a slot: see `put`."""
        return self._rows[: self._count]

    def place(self, rows: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Keep the statements of what was not known.

        Args:
            rows: In order of receipt.

        Returns:
            For each row, where the statement of the same thing is kept; and whether that is itself.
        """
        held, size = self._count, len(rows)
        self._reserve(held + size)
        self._rows[held : held + size] = rows
        found, cell = self._probe(held, size)
        is_new = found == np.arange(held, held + size)
        if not is_new.all():
            # Those of things that were known leave gaps: the others move up.
            number = np.cumsum(is_new) - 1 + held
            mine = number[is_new]
            self._rows[mine] = rows[is_new]
            self._table[cell[is_new]] = mine
            came = found >= held
            found[came] = number[found[came] - held]
        self._count = held + int(is_new.sum())
        self._slots[held : self._count] = self._rows["slot"][held : self._count]
        return found, is_new

    def put(self, place: int, row: np.void) -> None:
        """Put a statement in the place of one of the same thing."""
        self._rows[place] = row
        self._slots[place] = row["slot"]

    def of(self, is_asked: NDArray[np.bool_]) -> NDArray[np.void]:
        """Return those of some slots.

        Args:
            is_asked: For each slot there is.
        """
        return self.rows[is_asked[self._slots[: self._count]]]

    def _probe(self, held: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find or enter the rows behind those held; return what was found, and in which cell."""
        mask = len(self._table) - 1
        mine = np.arange(held, held + size)
        identity = [np.ascontiguousarray(self._rows[name][mine]) for name in _IDENTITY]
        cell = (_hash(identity) & np.uint64(mask)).astype(np.int64)
        found = np.empty(size, dtype=np.int64)
        todo = np.arange(size)
        while len(todo):
            at = cell[todo]
            there = self._table[at].astype(np.int64)
            is_free = there < 0
            if is_free.any():
                # Of several that want one cell the first gets it: the last that is written.
                self._table[at[is_free][::-1]] = mine[todo[is_free]][::-1]
                there = self._table[at].astype(np.int64)
            same = there == mine[todo]
            other = np.flatnonzero(~same)
            same[other] = self._is_same(there[other], mine[todo[other]])
            found[todo[same]] = there[same]
            todo = todo[~same]
            cell[todo] = (cell[todo] + 1) & mask
        return found, cell

    def _is_same(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        same = np.ones(len(one), dtype=bool)
        for name in _IDENTITY:
            same &= self._rows[name][one] == self._rows[name][other]
        return same

    def _reserve(self, size: int) -> None:
        """Make room for so many, in a table at most half full."""
        if size <= len(self._rows):
            return
        room = 1 << (size - 1).bit_length()
        held = self.rows
        self._rows = np.empty(room, dtype=held.dtype)
        self._rows[: len(held)] = held
        self._slots = np.concatenate(
            [self._slots[: len(held)], np.empty(room - len(held), dtype=np.int32)]
        )
        self._table = np.full(2 * room, -1, dtype=np.int32)
        self._probe(0, len(held))


def _hash(identity: list[NDArray[np.int64]]) -> NDArray[np.uint64]:
    mixed = np.zeros(len(identity[0]), dtype=np.uint64)
    for column, odd in zip(identity, _ODD, strict=True):
        mixed ^= column.astype(np.uint64) * odd
        mixed ^= mixed >> np.uint64(29)
        mixed *= _ODD[0]
    return mixed ^ (mixed >> np.uint64(32))
