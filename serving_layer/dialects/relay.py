"""The relay: what this process's feed tells, handed on to whoever listens; the feed never waits.

Only the process that has the feed has its events: others see a view that they share, and that
holds bars and prices alone.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from lake.event import Kind

MOST_WAITING: Final = 100_000
"""Some seconds of the busiest market."""


class Relay:
    """Events of one feed; threads share it.

    Args:
        most: How many events may wait for one who listens.

    Attributes:
        kind: Of which events the feed tells; None: of none, as where there is no feed.
    """

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.kind: Kind | None = None
        self._most = most
        self._ears: tuple[Ear, ...] = ()
        self._turn = threading.Lock()

    def publish(self, events: pl.DataFrame) -> None:
        """Hand events to all who listen, and wait for none of them.

        Args:
            events: Schema `EVENTS`, in order of receipt; those of other kinds than `kind` are left
                out.
        """
        ears = self._ears
        if not ears or self.kind is None:
            return
        own = events.filter(events["kind"] == self.kind)
        if own.height:
            for ear in ears:
                ear.hear(own)

    def listen(self, on_news: Callable[[], None]) -> Ear:
        """Return what hears events from now on.

        Args:
            on_news: Called, by the feed's thread, when something waits where nothing did.
        """
        ear = Ear(self._most, on_news, self._forget)
        with self._turn:
            self._ears = (*self._ears, ear)
        return ear

    def _forget(self, ear: Ear) -> None:
        with self._turn:
            self._ears = tuple(each for each in self._ears if each is not ear)


class Ear:
    """What waits for one who listens, so many events at most.

    Args:
        most: How many may wait.
        on_news: Called when something waits where nothing did.
        on_close: Called once nothing is to be heard any more.
    """

    def __init__(
        self, most: int, on_news: Callable[[], None], on_close: Callable[[Ear], None]
    ) -> None:
        self._most = most
        self._on_news = on_news
        self._on_close = on_close
        self._frames: deque[pl.DataFrame] = deque()
        self._waiting = 0
        self._lost = 0
        self._turn = threading.Lock()

    def hear(self, events: pl.DataFrame) -> None:
        """Let events wait; where there is no room for all of them, none of them do."""
        with self._turn:
            was_empty = not self._frames and not self._lost
            if self._waiting + events.height > self._most:
                self._lost += events.height
            else:
                self._frames.append(events)
                self._waiting += events.height
        if was_empty:
            self._on_news()

    def take(self) -> tuple[list[pl.DataFrame], int]:
        """Return what waits, in order, and how many events were lost since the last call."""
        with self._turn:
            frames, lost = list(self._frames), self._lost
            self._frames.clear()
            self._waiting = self._lost = 0
        return frames, lost

    def close(self) -> None:
        """Hear nothing any more."""
        self._on_close(self)
