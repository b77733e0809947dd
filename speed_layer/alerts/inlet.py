"""Where the feed's events come in: a stream of the alerts' own, which holds up nobody.

What there is no room for is dropped and counted, from then on all of it, until who reads has heard
of that: everything is recorded, and told again from there.
"""

from __future__ import annotations

import time
from collections import deque
from threading import Condition
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from lake.wire import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 1_000_000
"""Half a minute of the busiest market."""
_AT_ONCE: Final = 50_000


class Taken(NamedTuple):
    """What waited.

    Attributes:
        events: Schema `EVENTS`, in order; empty: nothing came in time.
        since: When the first of them came in, in seconds of the monotonic clock.
        lost: How many more were dropped after them; `resume` lets events come in again.
    """

    events: pl.DataFrame
    since: float
    lost: int


class Lost(NamedTuple):
    """What was dropped.

    Attributes:
        events: How many.
        until: When the last of them was received, in microseconds, heartbeats apart; 0: none was.
    """

    events: int
    until: int


class Inlet:
    """Events that wait for the evaluation.

    Args:
        waits: Whether who brings more than there is room for waits, as a replay may.
        most: How many events may wait.
    """

    def __init__(self, *, waits: bool = False, most: int = MOST) -> None:
        self._waits = waits
        self._most = most
        self._frames: deque[tuple[float, pl.DataFrame]] = deque()
        self._waiting = 0
        self._lost = self._lost_until = 0
        self._is_closed = False
        self._changed = Condition()

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return self._waiting

    @property
    def lost(self) -> int:
        """How many events were dropped since it was resumed last."""
        return self._lost

    def put(self, events: pl.DataFrame) -> None:
        """Bring events in; once it is closed, for nothing."""
        with self._changed:
            if self._waits:
                self._changed.wait_for(lambda: self._is_closed or self._waiting < self._most)
            if self._is_closed:
                return
            if self._lost or (self._waiting >= self._most and not self._waits):
                self._drop(events)
            else:
                self._frames.append((time.monotonic(), events))
                self._waiting += events.height
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Taken | None:
        """Return what waits, not all of much; None once it is closed and empty.

        Args:
            timeout_s: How long the first of it is waited for.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._waiting, timeout_s)
            if not self._frames:
                if self._is_closed:
                    return None
                return Taken(pl.DataFrame(schema=SCHEMA), time.monotonic(), self._lost)
            since = self._frames[0][0]
            events = _joined(self._some())
            self._waiting -= events.height
            self._changed.notify_all()
            return Taken(events, since, self._lost if not self._frames else 0)

    def clear(self) -> None:
        """Drop what waits, and what comes, until it is resumed."""
        with self._changed:
            while self._frames:
                self._drop(self._frames.popleft()[1])
            self._waiting = 0

    def resume(self) -> Lost:
        """Let events come in again; return what was dropped until now."""
        with self._changed:
            lost = Lost(self._lost, self._lost_until)
            self._lost = self._lost_until = 0
            return lost

    def close(self) -> None:
        """Take nothing any more; what waits can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _drop(self, events: pl.DataFrame) -> None:
        self._lost += events.height
        self._lost_until = max(self._lost_until, received(events))

    def _some(self) -> Iterable[pl.DataFrame]:
        count = 0
        while self._frames and count < _AT_ONCE:
            count += self._frames[0][1].height
            yield self._frames.popleft()[1]


def _joined(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return frames as one, in order: unlike `pl.concat`, in this thread alone."""
    first, *others = frames
    whole = first.clone() if others else first
    for frame in others:
        whole.vstack(frame, in_place=True)
    return whole


def received(events: pl.DataFrame) -> int:
    """Return when the last of events was received, heartbeats apart; 0: there is none."""
    is_event = events.get_column("kind") != "heartbeat"
    last = events.get_column("received").filter(is_event).max()
    return last if isinstance(last, int) else 0
