"""The statements in force of one minute of event time, each found by what it is a statement of.

Kept while a restatement may still come. A thing is stated of two minutes at most: a closing print
counts to the last one of regular hours, and may turn out to be none.

A table of row numbers, open addressing, probed for a whole batch at once: what hashes alike is
compared, so nothing is taken for another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from speed_layer.engine.statements import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        room: How many there may soon be.
        moved: As of the attribute.

    Attributes:
        moved: By the place of a thing that was stated of two minutes, the slot of the one that the
            statement in force is not of.
    """

    def __init__(
        self,
        rows: NDArray[np.void],
        room: int = _SMALLEST,
        moved: Iterable[tuple[int, int]] = (),
    ) -> None:
        self.moved = dict(moved)
        self._rows = rows[:0]
        self._slots = np.empty(0, dtype=np.int32)
        self._table = np.empty(0, dtype=np.int32)
        self._count = 0
        self._reserve(max(_SMALLEST, room, len(rows)))
        if len(rows):
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
        plain(self._rows)[held : held + size] = plain(rows)
        found, cell = self._probe(held, size)
        is_new = found == np.arange(held, held + size)
        new = np.flatnonzero(is_new)
        self._count = held + len(new)
        if len(new) < size:
            # Those of things that were known leave gaps: the others move up.
            plain(self._rows)[held : self._count] = plain(rows).take(new)
            self._table[cell.take(new)] = np.arange(held, self._count)
            came = np.flatnonzero(found >= held)
            found[came] = (is_new.cumsum() - 1 + held).take(found.take(came) - held)
        self._slots[held : self._count] = self._rows["slot"][held : self._count]
        return found, is_new

    def changed(self, place: int, row: np.void) -> list[int]:
        """Return the slots whose weight changes by a statement of a thing that is kept.

        Of a higher revision it weighs in all minutes that the thing was stated of.
        """
        held = self._rows[place]
        minutes = {int(held["slot"]), self.moved.get(place, int(held["slot"]))}
        minute = {int(row["slot"])}
        return sorted(minutes | minute if row["revision"] > held["revision"] else minute - minutes)

    def put(self, place: int, row: np.void) -> None:
        """Keep a statement of a thing that is kept: in force if its revision is the higher."""
        held, slot = int(self._slots[place]), int(row["slot"])
        is_higher = row["revision"] > self._rows[place]["revision"]
        if slot != held:
            self.moved[place] = held if is_higher else slot
        if is_higher:
            self._rows[place] = row
            self._slots[place] = slot

    def of(self, asked: NDArray[np.int32]) -> NDArray[np.void]:
        """Return those of some slots.

        Args:
            asked: For each slot there is; 0: not for this one.
        """
        return self._rows.take(np.flatnonzero(asked.take(self._slots[: self._count])))

    def _probe(self, held: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find or enter the rows behind those held; return what was found, and in which cell."""
        mask = len(self._table) - 1
        mine = np.arange(held, held + size)
        cell = _hash(self._rows[held : held + size], mask.bit_length())
        found, at, todo = mine.copy(), cell, np.arange(size)
        while True:
            there = self._table.take(at)
            free = np.flatnonzero(there < 0)
            if len(free):
                # Of several that want one cell the first gets it: the last that is written.
                free = free[::-1]
                self._table[at.take(free)] = mine.take(free)
                there = self._table.take(at)
            other = np.flatnonzero(there != mine)
            if not len(other):
                break
            there, mine, todo = there.take(other), mine.take(other), todo.take(other)
            same = self._is_same(there, mine)
            found[todo[same]] = there[same]
            todo, mine = todo[~same], mine[~same]
            at = (at.take(other)[~same] + 1) & mask
            cell[todo] = at
        return found, cell

    def _is_same(self, one: NDArray[np.int32], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        same = np.ones(len(one), dtype=bool)
        for name in _IDENTITY:
            same &= self._rows[name][one] == self._rows[name][other]
        return same

    def _reserve(self, size: int) -> None:
        """Make room for so many, in a table at most half full."""
        if size <= len(self._rows):
            return
        room = 1 << (size - 1).bit_length()
        held, slots = self.rows, self._slots
        self._rows = np.empty(room, dtype=held.dtype)
        plain(self._rows)[: len(held)] = plain(held)
        self._slots = np.empty(room, dtype=np.int32)
        self._slots[: len(held)] = slots[: len(held)]
        self._table = np.full(2 * room, -1, dtype=np.int32)
        self._probe(0, len(held))


def _hash(rows: NDArray[np.void], bits: int) -> NDArray[np.int64]:
    """Return numbers of so many bits, those of neighbours far apart."""
    mixed: NDArray[np.uint64] = rows["time"].view(np.uint64) * _ODD[0]
    mixed += rows["sequence"].view(np.uint64) * _ODD[1]
    mixed += rows["symbol"].astype(np.uint64) * _ODD[2]
    mixed >>= np.uint64(64 - bits)
    number: NDArray[np.int64] = mixed.view(np.int64)
    return number
