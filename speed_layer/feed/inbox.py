"""What waits between those who receive and the one who takes: bounded, and no silent loss."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from speed_layer.feed.health import Health

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """A queue of items that are so many events each.

    Args:
        capacity: How many events may wait.
        shed: Returns the item that tells when events were given up for want of room: since when,
            and until when; None: to the end. Without it those who offer events wait.
        health: Told how many events are given up.
    """

    def __init__(
        self, capacity: int, shed: Callable[[int, int | None], Item] | None, health: Health
    ) -> None:
        self._capacity = capacity
        self._shed = shed
        self._health = health
        self._items: deque[tuple[Item, int]] = deque()
        self._waiting = 0
        self._is_closed = False
        self._error: Exception | None = None
        self._shed_since: int | None = None
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return self._waiting

    def offer(self, item: Item, events: int, received: int) -> bool:
        """Return whether an item was dealt with: taken in, or, where that is set, given up.

        Args:
            item: To be taken.
            events: How many it is.
            received: When it came, in microseconds.
        """
        with self._changed:
            if self._has_room(events) or self._is_closed:
                self._end_shedding(received)
                self._add(item, events)
                return True
            if self._shed is None:
                return False
            if self._shed_since is None:
                self._shed_since = received
        self._health.count("shed", events)
        return True

    def put(self, item: Item, events: int) -> None:
        """Add an item; wait while there is no room."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_room(events) or self._is_closed)
            self._add(item, events)

    def mark(self, item: Item) -> None:
        """Add an item that is no event."""
        with self._changed:
            self._add(item, 0)

    def take(self, timeout_s: float, most: int) -> list[Item] | None:
        """Return what waits, up to so many events or one item; None: closed, and all was taken.

        Raises:
            Exception: That with which it was closed, once all was taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._is_closed, timeout_s)
            taken: list[Item] = []
            count = 0
            while self._items and (not taken or count + self._items[0][1] <= most):
                item, events = self._items.popleft()
                taken.append(item)
                count += events
            self._waiting -= count
            self._changed.notify_all()
            if taken or not self._is_closed:
                return taken
            if self._error:
                raise self._error
            return None

    def close(self, error: Exception | None = None) -> None:
        """Take nothing more in; an error is told to whoever takes, at the end."""
        with self._changed:
            self._end_shedding(None)
            self._is_closed = True
            self._error = self._error or error
            self._changed.notify_all()

    def _has_room(self, events: int) -> bool:
        return self._waiting == 0 or self._waiting + events <= self._capacity

    def _add(self, item: Item, events: int) -> None:
        if not self._is_closed:
            self._items.append((item, events))
            self._waiting += events
            self._changed.notify_all()

    def _end_shedding(self, received: int | None) -> None:
        if self._shed is not None and self._shed_since is not None:
            self._add(self._shed(self._shed_since, received), 0)
            self._shed_since = None
