"""The replay: a recorded day told again, event for event, in its own pace or a faster one.

Nothing is stamped anew. Time, as a replay tells it, is that of the recording: it stands where the
last event was, and runs on as fast as the replay does.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl

from lake.errors import NotFoundError
from lake.recorded import recorded, recorded_keys
from speed_layer.feed.source import Delivery

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from lake.store import ObjectStore

_MOST: Final = 16_384
_SECOND_US: Final = 1_000_000
# Events that are due this soon after each other are told at once.
_GRAIN_S: Final = 0.005


class Replay:
    """A recorded session as a source.

    Args:
        store: The lake.
        source: Who told it.
        session: The day.
        speed: How many times as fast as it was; infinite: as fast as it is taken.
        pace: By the events' `received`, as they came, or by their `time`, as they happened.
        until: The instant, in microseconds, that the replay tells when all is told, that bars may
            be final; None: that of its last event.
        clock: Tells seconds that never go back.

    Raises:
        NotFoundError: If nothing of it is recorded.
    """

    def __init__(  # noqa: PLR0913 - what is told, and how
        self,
        store: ObjectStore,
        source: str,
        session: dt.date,
        *,
        speed: float = 1.0,
        pace: Literal["received", "time"] = "received",
        until: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not recorded_keys(store, source, session):
            fact = f"No events of {session} by {source} are recorded in {store.location}."
            raise NotFoundError(fact)
        self.name = source
        self._objects: Iterator[pl.DataFrame] = recorded(store, source, session)
        self._speed = speed
        self._pace = pace
        self._until = until
        self._clock = clock
        self._closed = threading.Event()
        self._left = pl.DataFrame()
        self._due: NDArray[np.int64] = np.empty(0, np.int64)
        self._now = 0
        self._begun: tuple[float, int] | None = None

    def start(self) -> None:
        """Begin: the first event is due now."""
        self._refill()
        if self._due.size:
            self._now = int(self._due[0])
            self._begun = (self._clock(), self._now)

    def take(self, timeout_s: float) -> Delivery | None:
        """Return the events that are due by now, empty where none is in time; None at the end."""
        until = self._clock() + timeout_s
        while not self._closed.is_set():
            if not self._due.size and not self._refill():
                self._end()
                return None
            count = self._count_due()
            if count:
                return self._told(count)
            pause = min(self._seconds_to_next(), until - self._clock())
            if pause <= 0:
                return Delivery()
            self._closed.wait(max(pause, _GRAIN_S))
        return None

    def now_us(self) -> int:
        """Return the present of the recording."""
        return max(self._now, self._virtual()) if math.isfinite(self._speed) else self._now

    def close(self) -> None:
        """End."""
        self._closed.set()

    def _end(self) -> None:
        self._now = max(self._now, self._until or 0)
        self._begun = None

    def _refill(self) -> bool:
        """Let the next object's events be due; return whether there are any."""
        for events in self._objects:
            if events.height:
                self._left = events
                # No event is due before those that came before it.
                self._due = np.maximum.accumulate(events[self._pace].to_numpy())
                return True
        return False

    def _count_due(self) -> int:
        if not math.isfinite(self._speed):
            return min(self._due.size, _MOST)
        return min(int(np.searchsorted(self._due, self._virtual(), "right")), _MOST)

    def _told(self, count: int) -> Delivery:
        events, self._left = self._left.head(count), self._left.slice(count)
        self._now = max(self._now, int(self._due[count - 1]))
        self._due = self._due[count:]
        return Delivery(events)

    def _virtual(self) -> int:
        if self._begun is None:
            return self._now
        begun, first = self._begun
        return first + int((self._clock() - begun) * self._speed * _SECOND_US)

    def _seconds_to_next(self) -> float:
        return (int(self._due[0]) - self._virtual()) / _SECOND_US / self._speed
