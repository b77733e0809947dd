"""What is known of one session: its statements while they can change, and all its bars.

Minutes are made of statements, and each coarser bar of finer ones, anew whenever one of them
changes: so there is one way up for what is added, corrected and cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from speed_layer.engine import parts, statements
from speed_layer.engine.buckets import BAR, MINUTE_US, PRICE, Buckets
from speed_layer.engine.kept import Kept
from speed_layer.engine.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from lake.hours import SessionHours

_KEPT: Final = "kept "
_NONE: Final = np.empty(0, dtype=np.int64)


@dataclass
class Taken:
    """What becomes of statements.

    Attributes:
        rows: The statements, in order of receipt.
        horizon: Minutes from dawn that were over for good when each came.
        changed: Slots of minutes that changed.
        late: Places, among those taken, of those that would change what is final.
        duplicate: How many had the revision in force.
        stale: How many had a lower one.
    """

    rows: NDArray[np.void]
    horizon: NDArray[np.int64]
    changed: list[NDArray[np.int64]] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    duplicate: int = 0
    stale: int = 0


class Day:
    """One session.

    Args:
        hours: The session's.
        trades: Whether statements are of trades, or else of aggregates.

    Attributes:
        buckets: The session's.
        slots: Its bars, and the prices of its symbols.
        is_final: Which buckets are over and told so.
        kept: By minute of event time after dawn, the statements in force.
    """

    def __init__(self, hours: SessionHours, *, trades: bool) -> None:
        self.buckets = Buckets(hours)
        self.slots = Slots(self.buckets.count)
        self.is_final = np.zeros(self.buckets.count, dtype=bool)
        self.kept: dict[int, Kept] = {}
        self._dtype = statements.TRADES if trades else statements.AGGREGATES
        self._ended = 0

    def take(
        self, rows: NDArray[np.void], minute: NDArray[np.int64], horizon: NDArray[np.int64]
    ) -> Taken:
        """Take statements; their `slot` is still to be told.

        Args:
            rows: In order of receipt.
            minute: To which each counts, in microseconds.
            horizon: Minutes from dawn that were over for good when each came.
        """
        rows["slot"] = self.slots.of(rows["symbol"], (minute - self.buckets.dawn) // MINUTE_US)
        taken = Taken(rows, horizon)
        added, restated = [], []
        for key, which in _groups((rows["time"] - self.buckets.dawn) // MINUTE_US):
            kept = self.kept.get(key)
            if kept is None:
                kept = self.kept[key] = Kept(np.empty(0, self._dtype))
            held = len(kept.rows)
            place, is_new = kept.place(rows[which])
            if not is_new.all():
                known = which[~is_new]
                restated += self._restate(kept, held, known, place[~is_new], taken)
            added.append(kept.rows[held:])
        self._add(np.concatenate(added), taken)
        if restated:
            self._remake(np.unique(restated), taken)
        return taken

    def _restate(
        self,
        kept: Kept,
        held: int,
        which: NDArray[np.int64],
        place: NDArray[np.int64],
        taken: Taken,
    ) -> list[int]:
        """Put higher revisions in force; return the slots whose earlier statements these replace.

        Args:
            kept: Where things are kept.
            held: How many of them were there before.
            which: Those of what was taken that state known things.
            place: Of the thing that each states.
            taken: What becomes of them.
        """
        rows = taken.rows
        revision, in_force = rows["revision"][which], kept.rows["revision"][place]
        is_higher = revision > in_force
        is_moving = np.isin(place, place[is_higher]) if is_higher.any() else is_higher
        taken.duplicate += int((revision == in_force)[~is_moving].sum())
        taken.stale += int((revision < in_force)[~is_moving].sum())
        changed: list[int] = []
        for row, at in zip(which[is_moving].tolist(), place[is_moving].tolist(), strict=True):
            earlier, later = kept.rows[at], rows[row]
            if later["revision"] <= earlier["revision"]:
                is_same = later["revision"] == earlier["revision"]
                taken.duplicate += int(is_same)
                taken.stale += int(not is_same)
            elif self.slots.bucket[earlier["slot"]] < taken.horizon[row]:
                taken.late.append(row)
            else:
                is_elsewhere = earlier["slot"] != later["slot"]
                if is_elsewhere:
                    # Or the version of the minute that it leaves would fall.
                    self.slots.left[earlier["slot"]] += 1 + later["revision"]
                if is_elsewhere or at < held:
                    changed += [int(earlier["slot"]), int(later["slot"])]
                kept.put(at, later)
        return changed

    def _add(self, rows: NDArray[np.void], taken: Taken) -> None:
        """Merge statements of new things into their minutes."""
        if not len(rows):
            return
        slots, place = np.unique(rows["slot"], return_inverse=True)
        self._merge(slots, statements.folded(rows, place, len(slots)), taken)

    def _merge(self, slots: NDArray[np.int64], more: parts.Parts, taken: Taken) -> None:
        values, marks = more
        held = self.slots.values[slots], self.slots.marks[slots]
        merged = parts.merged(np.stack([held[0], values]), np.stack([held[1], marks]))
        self._put_minutes(slots, merged, taken)

    def _remake(self, slots: NDArray[np.int64], taken: Taken) -> None:
        """Make minutes anew of what is kept of them."""
        # From 1 on: 0 is what was not asked for.
        place = np.zeros(self.slots.count, dtype=np.int64)
        place[slots] = np.arange(1, len(slots) + 1)
        keys = self._keys_of(self.slots.bucket[slots])
        rows = np.concatenate([self.kept[key].of(place > 0) for key in keys])
        values, marks = parts.nothing(len(slots))
        marks[:, parts.WEIGHT] = self.slots.left[slots]
        self.slots.put(slots, (values, marks))
        self._merge(slots, statements.folded(rows, place[rows["slot"]] - 1, len(slots)), taken)

    def _keys_of(self, minutes: NDArray[np.int32]) -> list[int]:
        """Return where statements of minutes are kept: a closing print comes after its minute."""
        last = self.buckets.hours.edges[1] - 1
        asked = set(minutes.tolist())
        return [key for key in self.kept if key in asked or (last in asked and key > last)]

    def _put_minutes(self, slots: NDArray[np.int64], made: parts.Parts, taken: Taken) -> None:
        values, marks = made
        marks[:, parts.MINUTES] = ~parts.is_neutral(values)
        self.slots.put(slots, (values, marks))
        taken.changed.append(slots)

    def raise_up(self, minutes: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], ...]:
        """Make all bars anew that hold some minutes.

        Args:
            minutes: Their slots.

        Returns:
            The slots of all bars that changed, and those of prices.
        """
        if not minutes:
            return _NONE, _NONE
        width = self.buckets.count
        slots = np.unique(np.concatenate(minutes))
        keys = np.sort(self.slots.symbol[slots].astype(np.int64) * width + self.slots.bucket[slots])
        changed = [slots]
        for level in range(1, PRICE + 1):
            symbol, bucket = np.divmod(keys, width)
            if level < PRICE:
                # In order of symbol and time, those of one parent follow each other.
                keys = symbol * width + self.buckets.parents[bucket]
                keys = keys[_is_first(keys)]
                symbol, bucket = np.divmod(keys, width)
            else:
                bucket = np.full_like(bucket, width - 1)
            changed.append(self._make(level, symbol, bucket))
        return np.concatenate(changed[:-1]), changed[-1]

    def _make(
        self, level: int, symbol: NDArray[np.int64], bucket: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Make bars of the finer ones, and return their slots."""
        finer = self.buckets.children[level][:, bucket - self.buckets.first[level]]
        children = self.slots.at(symbol[None, :], finer)
        values, marks = self.slots.values[children], self.slots.marks[children]
        if level == BAR:
            outside = self.buckets.is_outside
            values[outside], marks[outside] = parts.unpriced(values[outside], marks[outside])
        slots = self.slots.of(symbol, bucket).astype(np.int64)
        self.slots.put(slots, parts.merged(values, marks))
        return slots

    def end(self, over: int) -> NDArray[np.int64]:
        """Let buckets be final that end until then, and return the slots of their bars.

        Args:
            over: Minutes from dawn.
        """
        by_end = self.buckets.by_end
        ended = int(np.searchsorted(self.buckets.end[by_end], over, "right"))
        final = by_end[self._ended : ended]
        if not len(final):
            return _NONE
        self._ended = ended
        self.is_final[final] = True
        for key in [key for key in self.kept if key < over]:
            del self.kept[key]
        return self.slots.of_buckets(final)

    def tell_bars(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of bars, and of what was told to be one; they count as told now."""
        return self._tell(slots, parts.is_bar(self.slots.values[slots]))

    def tell_prices(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those that have a price, or were told to; they count as told now."""
        return self._tell(slots, parts.has_price(self.slots.values[slots]))

    def told(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the slots of all bars and of all prices that were told."""
        told = np.flatnonzero(self.slots.is_told[: self.slots.count])
        is_price = self.slots.bucket[told] == self.buckets.count - 1
        return told[~is_price], told[is_price]

    def _tell(self, slots: NDArray[np.int64], is_there: NDArray[np.bool_]) -> NDArray[np.int64]:
        told = slots[is_there | self.slots.is_told[slots]]
        self.slots.is_told[told] = True
        return told

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that is known, as arrays by name."""
        kept = {f"{_KEPT}{key}": kept.rows.view(np.uint8) for key, kept in self.kept.items()}
        return {**kept, **self.slots.state(), "is_final": self.is_final}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take what `state` told."""
        for name, column in state.items():
            if name.startswith(_KEPT):
                self.kept[int(name.removeprefix(_KEPT))] = Kept(column.view(self._dtype))
        self.slots.restore(state)
        self.is_final = state["is_final"]
        self._ended = int(self.is_final.sum())


def _groups(keys: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each key and where it is, in order."""
    if keys[0] == keys[-1] and (keys == keys[0]).all():
        yield int(keys[0]), np.arange(len(keys))
        return
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(_is_first(keys[order]))
    for which in np.split(order, starts[1:]):
        yield int(keys[which[0]]), which


def _is_first(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which keys in order differ from the one before."""
    first = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return first
