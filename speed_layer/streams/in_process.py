"""The stream between threads of one process: bounded, and each reader wakes at once."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import TYPE_CHECKING, Final

import polars as pl

from lake.errors import StreamClosedError
from lake.wire import SCHEMA, encode_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CAPACITY: Final = 500_000


class InProcess:
    """Events that wait in memory, at most `capacity` of them; whoever brings more waits.

    Args:
        capacity: How many events may wait.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._frames: deque[pl.DataFrame] = deque()
        self._waiting = 0
        self._is_closed = False
        self._changed = Condition()

    @property
    def waiting(self) -> int:
        """How many events wait to be taken."""
        return self._waiting

    def put(self, events: pl.DataFrame) -> None:
        """Bring events in; wait while it is full.

        Raises:
            StreamClosedError: If it is closed, or was while this waited.
        """
        brought = 0
        with self._changed:
            while brought < events.height:
                self._changed.wait_for(lambda: self._is_closed or self._waiting < self._capacity)
                if self._is_closed:
                    raise _closed(events[brought:])
                frame = events[brought : brought + self._capacity - self._waiting]
                self._frames.append(frame)
                self._waiting += frame.height
                brought += frame.height
                self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> pl.DataFrame | None:
        """Return all events that wait, in order; wait for the first of them.

        Args:
            timeout_s: After so many seconds none are returned; None: wait for as long as it takes.

        Returns:
            Schema `EVENTS`; None once the stream is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._waiting, timeout_s)
            if not self._frames:
                return None if self._is_closed else pl.DataFrame(schema=SCHEMA)
            frames = list(self._frames)
            self._frames.clear()
            self._waiting = 0
            self._changed.notify_all()
        return _joined(frames)

    def close(self) -> None:
        """Take nothing any more; what waits can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yield what waits, whenever something does, until the stream is closed and empty."""
        while (events := self.take()) is not None:
            yield events


def _joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return frames as one, in order: unlike `pl.concat`, in this thread alone."""
    whole = frames[0]
    if len(frames) > 1:
        whole = whole.clone()
        for frame in frames[1:]:
            whole.vstack(frame, in_place=True)
    return whole


def _closed(events: pl.DataFrame) -> StreamClosedError:
    fact = f"{events.height} events came after the stream was closed."
    return StreamClosedError(fact, unwritten=encode_events(events))
