"""What is known of one session: its statements while they can change, and all its bars.

What is new merges into all bars that hold it at once. Where a statement is corrected or cancelled,
its minute is made anew of all statements in force, and each coarser bar of finer ones.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from speed_layer.engine import parts, statements
from speed_layer.engine.buckets import BAR, HOUR, LEVELS, MINUTE_US, Buckets
from speed_layer.engine.kept import Kept
from speed_layer.engine.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from lake.hours import SessionHours

_KEPT: Final = "kept "
_MOVED: Final = "moved "
_NONE: Final = np.empty(0, dtype=np.int32)
_NARROW: Final = np.iinfo(np.int16).max


@dataclass
class Taken:
    """What becomes of statements.

    Attributes:
        rows: The statements, in order of receipt.
        horizon: Minutes from dawn that were over for good when each came.
        changed: Slots of bars and prices that changed.
        late: Places, among those taken, of those that would change what is final.
        duplicate: How many had the revision in force.
        stale: How many had a lower one.
    """

    rows: NDArray[np.void]
    horizon: NDArray[np.int64]
    changed: list[NDArray[np.int32]] = field(default_factory=list)
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
        held: The slots of bars that are told later.
    """

    def __init__(self, hours: SessionHours, *, trades: bool) -> None:
        self.buckets = Buckets(hours)
        self.slots = Slots(self.buckets.count)
        self.is_final = np.zeros(self.buckets.count, dtype=bool)
        self.kept: dict[int, Kept] = {}
        self._dtype = statements.TRADES if trades else statements.AGGREGATES
        self._ended = 0
        self.held = _NONE

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
            kept = self._kept(key)
            held = len(kept.rows)
            place, is_new = kept.place(rows.take(which))
            if not is_new.all():
                known = np.flatnonzero(~is_new)
                restated += self._restate(kept, held, which[known], place[known], taken)
            added.append(statements.plain(kept.rows[held:]))
        self._add(np.concatenate(added).view(self._dtype), taken)
        if restated:
            self._remake(np.unique(np.array(restated, dtype=np.int32)), taken)
        return taken

    def _kept(self, key: int) -> Kept:
        """Return what is kept of a minute; if nothing, there will be as much as of the last one."""
        if key not in self.kept:
            last = next(reversed(self.kept.values()), None)
            room = len(last.rows) if last else 0
            self.kept[key] = Kept(np.empty(0, self._dtype), room)
        return self.kept[key]

    def _restate(
        self,
        kept: Kept,
        held: int,
        which: NDArray[np.int64],
        place: NDArray[np.int64],
        taken: Taken,
    ) -> list[int]:
        """Keep what is news of known things; return the slots to be made anew by that.

        Args:
            kept: Where things are kept.
            held: How many of them were there before.
            which: Those of what was taken that state known things.
            place: Of the thing that each states.
            taken: What becomes of them.
        """
        rows, in_force = taken.rows, kept.rows
        told, known = rows["revision"][which], in_force["revision"][place]
        is_news = (told > known) | (rows["slot"][which] != in_force["slot"][place])
        if is_news.any():
            is_news = np.isin(place, place[is_news])
        taken.duplicate += int((told == known)[~is_news].sum())
        taken.stale += int((told < known)[~is_news].sum())
        restated: list[int] = []
        for row, at in zip(which[is_news].tolist(), place[is_news].tolist(), strict=True):
            changed = kept.changed(at, rows[row])
            if not changed:
                is_same = bool(rows[row]["revision"] == in_force[at]["revision"])
                taken.duplicate += is_same
                taken.stale += not is_same
            elif self.slots.bucket[changed].min() < taken.horizon[row]:
                taken.late.append(row)
            else:
                kept.put(at, rows[row])
                # What came in this batch is merged as it is in the end.
                restated += changed if at < held or at in kept.moved else []
        return restated

    def _add(self, rows: NDArray[np.void], taken: Taken) -> None:
        """Merge statements of new things into their minutes, and into all bars that hold those."""
        if not len(rows):
            return
        slots = self.slots
        minutes, place = slots.distinct(rows["slot"])
        more = statements.parts_of(rows)
        if len(minutes) < len(rows):
            more = parts.folded(more, place, len(minutes))
        was_neutral = parts.is_neutral(slots.get(minutes)[0])
        more[1][parts.MINUTES] = was_neutral & ~parts.is_neutral(more[0])
        bars, place = slots.distinct(self._holding(minutes).ravel())
        values, marks = (
            np.concatenate([held, *[new] * len(LEVELS)], axis=1)
            for held, new in zip(slots.get(bars), more, strict=True)
        )
        extended = np.flatnonzero(self.buckets.is_extended[slots.bucket[minutes]])
        # The bar of the day takes no prices of extended hours.
        parts.unprice((values, marks), len(bars) + BAR * len(minutes) + extended)
        places = np.concatenate([np.arange(len(bars)), place])
        slots.put(bars, parts.folded((values, marks), places, len(bars)))
        taken.changed.append(bars)

    def _holding(self, minutes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the slots of all bars that hold some minutes, a row a level; the first is theirs.

        Args:
            minutes: Their slots.
        """
        lineage = self.buckets.lineage.take(self.slots.bucket.take(minutes), axis=1)
        return self.slots.of(self.slots.symbol.take(minutes), lineage).reshape(lineage.shape)

    def _remake(self, minutes: NDArray[np.int32], taken: Taken) -> None:
        """Make minutes anew of what is kept of them, and then all bars that hold them."""
        slots = self.slots
        # From 1 on: 0 is what was not asked for.
        slots.asked[minutes] = np.arange(1, len(minutes) + 1)
        keys = self._keys_of(slots.bucket[minutes])
        kept = [statements.plain(self.kept[key].of(slots.asked)) for key in keys]
        rows = np.concatenate(kept).view(self._dtype)
        place = slots.asked.take(rows["slot"]).astype(np.int64)
        values, marks = parts.folded(statements.parts_of(rows), place - 1, len(minutes))
        self._weigh_moved(keys, marks[parts.WEIGHT])
        slots.asked[minutes] = 0
        marks[parts.MINUTES] = ~parts.is_neutral(values)
        slots.put(minutes, (values, marks))
        taken.changed.append(minutes)
        holding = self._holding(minutes)
        for levels in (holding[1 : HOUR + 1], holding[HOUR + 1 :]):
            bars, _ = slots.distinct(levels.ravel())
            slots.put(bars, self._made(bars))
            taken.changed.append(bars)

    def _weigh_moved(self, keys: list[int], weight: NDArray[np.int64]) -> None:
        """Add to the weights of the minutes that are asked for those of what moved elsewhere."""
        for kept in (self.kept[key] for key in keys):
            for at, slot in kept.moved.items():
                if asked := self.slots.asked[slot]:
                    weight[asked - 1] += 1 + kept.rows["revision"][at]

    def _made(self, bars: NDArray[np.int32]) -> parts.Parts:
        """Return what bars are, made of the finer ones."""
        bucket = self.slots.bucket[bars]
        first, count = (each[bucket] for each in self.buckets.children)
        place = np.repeat(np.arange(len(bars)), count)
        child = np.arange(len(place)) + (first - count.cumsum() + count)[place]
        finer = self.slots.get(self.slots.at(self.slots.symbol[bars][place], child))
        is_day = (self.buckets.level[bucket] == BAR)[place]
        parts.unprice(finer, np.flatnonzero(is_day & self.buckets.is_extended[child]))
        return parts.folded(finer, place, len(bars))

    def _keys_of(self, minutes: NDArray[np.int32]) -> list[int]:
        """Return where statements of minutes are kept: a closing print comes after its minute."""
        last = self.buckets.hours.edges[1] - 1
        asked = set(minutes.tolist())
        return [key for key in self.kept if key in asked or (last in asked and key > last)]

    def tell(
        self, changed: list[NDArray[np.int32]], over: int, most_bars: int | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the slots of bars and those of prices that are to be told.

        They count as told now: so what is none any more is told once more.

        Args:
            changed: Slots.
            over: Minutes from dawn: bars that end until then are final.
            most_bars: How many bars at most, from those that changed first; None: all.
        """
        bars, prices = self._news(changed, over)
        if len(self.held):
            # Each stays where it first came: what changes all the time is told in its turn.
            slots, _ = self.slots.distinct(np.concatenate([self.held, bars])[::-1])
            bars = slots[::-1]
        most = len(bars) if most_bars is None else most_bars
        self.held = bars[most:]
        return bars[:most], prices

    def _news(
        self, changed: list[NDArray[np.int32]], over: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        ended = self._end(over)
        if not changed and not len(ended):
            return _NONE, _NONE
        slots = np.concatenate([*changed, ended])
        if len(changed) + bool(len(ended)) > 1:
            slots, _ = self.slots.distinct(slots)
        is_price = self._is_price(slots)
        values, _ = self.slots.get(slots)
        is_there = np.where(is_price, parts.has_price(values), parts.is_bar(values))
        is_there |= self.slots.is_told.take(slots)
        told, is_price = slots[is_there], is_price[is_there]
        self.slots.is_told[told] = True
        return told[~is_price], told[is_price]

    def told(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the slots of all bars and of all prices that were told."""
        told = np.flatnonzero(self.slots.is_told[: self.slots.count]).astype(np.int32)
        is_price = self._is_price(told)
        return told[~is_price], told[is_price]

    def _is_price(self, slots: NDArray[np.int32]) -> NDArray[np.bool_]:
        is_price: NDArray[np.bool_] = self.slots.bucket[slots] == self.buckets.count - 1
        return is_price

    def _end(self, over: int) -> NDArray[np.int32]:
        """Let buckets be final that end until then, and return the slots of their bars."""
        ended = int(self.buckets.ends.searchsorted(over, "right"))
        if ended == self._ended:
            return _NONE
        final = self.buckets.by_end[self._ended : ended]
        self._ended = ended
        self.is_final[final] = True
        for key in [key for key in self.kept if key < over]:
            del self.kept[key]
        return self.slots.of_buckets(final)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that is known, as arrays by name."""
        kept = {f"{_KEPT}{key}": kept.rows.view(np.uint8) for key, kept in self.kept.items()}
        moved = ((key, [*kept.moved.items()]) for key, kept in self.kept.items())
        places = {f"{_MOVED}{key}": np.array(each) for key, each in moved}
        return {**kept, **places, **self.slots.state(), "is_final": self.is_final}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take what `state` told."""
        for name, column in state.items():
            if name.startswith(_KEPT):
                key = name.removeprefix(_KEPT)
                moved = state[f"{_MOVED}{key}"].tolist()
                self.kept[int(key)] = Kept(column.view(self._dtype), moved=moved)
        self.slots.restore(state)
        self.is_final = state["is_final"]
        self._ended = int(self.is_final.sum())


def _groups(keys: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each key and where it is, in order."""
    least, most = int(keys.min()), int(keys.max())
    if least == most:
        yield least, np.arange(len(keys))
        return
    # Of small numbers the sort is far faster; no session's minutes are others.
    narrow = keys - least if most - least > _NARROW else (keys - least).astype(np.int16)
    order = narrow.argsort(kind="stable")
    starts = np.flatnonzero(np.diff(keys.take(order))) + 1
    for first, end in itertools.pairwise([0, *starts.tolist(), len(keys)]):
        yield int(keys[order[first]]), order[first:end]
