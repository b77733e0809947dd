"""The buckets of one session: which minutes each bar is made of, and how coarser hold finer ones.

A bucket's number is its place among all of its session: those of 1m first, so that a minute's
number is its distance from dawn, then those of 5m, and so on to the day. Two are of the whole day:
that of the 1d bar, and that of the price, which knows no hours.
"""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from lake.hours import DAY_MINUTES, HOURS
from lake.interval import DAILY, MINUTE_INTERVALS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lake.hours import SessionHours

MINUTE_US: Final = 60_000_000
LEVELS: Final = (*map(str, MINUTE_INTERVALS), str(DAILY), "price")
"""From fine to coarse: those up to 1h are made of minutes, and those after it of hours."""
HOUR: Final = LEVELS.index("1h")
BAR: Final = LEVELS.index(str(DAILY))
STATES: Final = ("forming", "final")
_REGULAR: Final = HOURS.index("regular")
_EXTENDED: Final = HOURS.index("extended")


class Buckets:
    """The buckets of a session, by number.

    Args:
        hours: The session's.

    Attributes:
        hours: The session's.
        dawn: When minute 0 starts, in microseconds since 1970.
        begin: Minutes from dawn to where each begins.
        end: Minutes from dawn to where each ends.
        level: The place of its interval in `LEVELS`.
        within: The place of its hours in `HOURS`.
    """

    def __init__(self, hours: SessionHours) -> None:
        self.hours = hours
        self.dawn = int(hours.dawn.timestamp()) * 1_000_000
        opens, closes = hours.edges
        begins = [np.unique(hours.buckets(interval.minutes)[0]) for interval in MINUTE_INTERVALS]
        whole = np.zeros(1, dtype=np.int64)
        sizes = [*map(len, begins), 1, 1]
        self.first = np.cumsum([0, *sizes])
        self.begin = np.concatenate([*begins, whole, whole])
        self.end = np.concatenate(
            [np.append(each[1:], DAY_MINUTES) for each in (*begins, whole, whole)]
        )
        self.level = np.repeat(np.arange(len(LEVELS)), sizes)
        is_regular = (self.begin >= opens) & (self.begin < closes) | (self.level >= BAR)
        self.within = np.where(is_regular, _REGULAR, _EXTENDED)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.begin)

    @cached_property
    def told(self) -> pa.RecordBatch:
        """What is told of the bar of each while it is forming; and then of each, once it is final.

        Interval, session, hours, start, which of the 1d bar is midnight UTC of its date, and state.
        """
        session = self.hours.session
        midnight = int(np.datetime64(session, "us").astype(np.int64))
        start = np.where(self.level == BAR, midnight, self.dawn + self.begin * MINUTE_US)
        columns = {
            "interval": pa.array(LEVELS).take(pa.array(self.level)),
            "session": pa.array([session] * self.count, pa.date32()),
            "hours": pa.array(HOURS).take(pa.array(self.within)),
            "start": pa.array(start),
        }
        forming, final = (
            pa.table({**columns, "state": pa.array([state] * self.count)}) for state in STATES
        )
        return pa.concat_tables([forming, final]).combine_chunks().to_batches()[0]

    @cached_property
    def lineage(self) -> NDArray[np.int64]:
        """The buckets of each minute, a row a level."""
        minutes = np.arange(DAY_MINUTES)
        return np.array(
            [
                first + np.searchsorted(self.begin[first:end], minutes, "right") - 1
                for first, end in itertools.pairwise(self.first.tolist())
            ]
        )

    @cached_property
    def children(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first of the finer buckets that make each, and how many these are."""
        told = [self._children(level) for level in range(len(LEVELS))]
        first, count = (np.concatenate(each) for each in zip(*told, strict=True))
        return first, count

    @cached_property
    def is_extended(self) -> NDArray[np.bool_]:
        """Which are of extended hours."""
        extended: NDArray[np.bool_] = self.within == _EXTENDED
        return extended

    @cached_property
    def by_end(self) -> NDArray[np.int64]:
        """Those of bars, in the order in which they end."""
        bars = np.flatnonzero(self.level <= BAR)
        return bars[np.argsort(self.end[bars], kind="stable")]

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Where those of bars end, in that order."""
        return self.end[self.by_end]

    def _of(self, level: int) -> slice:
        return slice(int(self.first[level]), int(self.first[level + 1]))

    def _children(self, level: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        finer, coarser = self._of(0 if level <= HOUR else HOUR), self._of(level)
        begin, end = np.searchsorted(self.begin[finer], [self.begin[coarser], self.end[coarser]])
        return finer.start + begin, end - begin
