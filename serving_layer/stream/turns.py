"""Whose turn it is to be written to.

news   1             2             3                 handed out to all whom they concern
line   A B C D E F   C D E F A B   E F A B C D       A is written 1 and, one line later, 2 and 3
write  A B           C D           E F

Were all written to between two looks for news, some news would be two lines old: the last one's
turn is at the end of the line, and what comes just after the look waits for the next.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable

    from serving_layer.stream.channel import Channel
    from serving_layer.stream.subscriber import Subscriber

_AT_ONCE: Final = 128
"""So many are written to between two looks for news: a millisecond's work, or two."""
_MOST_OUT: Final = 500
"""With more in line for one subscriber, he is told the latest of each item instead."""


class Turns:
    """The subscribers that have something to be told, in the order in which they came to have it.

    Args:
        boundary: Tells the last session that batch has committed, for a channel's snapshot.
    """

    def __init__(self, boundary: Callable[[Channel], dt.date | None]) -> None:
        self._boundary = boundary
        self._line: deque[Subscriber] = deque()

    def __len__(self) -> int:
        return len(self._line)

    def add(self, subscriber: Subscriber) -> None:
        """Let one who has something to be told wait for his turn."""
        if not subscriber.is_in_line:
            subscriber.is_in_line = True
            self._line.append(subscriber)

    def shorten(self) -> None:
        """Take those for being behind for whom too much waits."""
        for subscriber in self._line:
            if len(subscriber.out) > _MOST_OUT:
                subscriber.is_behind = True

    def write(self, subscriber: Subscriber, now: float) -> None:
        """Write to one at once, and see whether he keeps pace."""
        subscriber.flush(now, self._boundary)
        subscriber.look(now)

    def write_some(self, now: float) -> None:
        """Write to the first in line."""
        for _ in range(min(_AT_ONCE, len(self._line))):
            subscriber = self._line.popleft()
            subscriber.is_in_line = False
            self.write(subscriber, now)

    def write_all(self, now: float) -> None:
        """Write to all in line."""
        while self._line:
            self.write_some(now)

    def catch_up(self, subscribers: Iterable[Subscriber], now: float) -> None:
        """Write to those who are behind, as far as they take it."""
        for subscriber in subscribers:
            if subscriber.is_behind:
                self.write(subscriber, now)

    def clear(self) -> None:
        """Let nobody wait any more."""
        for subscriber in self._line:
            subscriber.is_in_line = False
        self._line.clear()
