"""How many requests a minute the vendor answers."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE_S = 60.0


class Rate:
    """A limit on the requests of any minute; those that are refused do not count.

    Args:
        most: How many; None: no limit.
        seconds: How long the minute is: tests need not wait for a whole one.
        now: Tells seconds that never go back.
    """

    def __init__(
        self,
        most: int | None,
        *,
        seconds: float = _MINUTE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most = most
        self._seconds = seconds
        self._now = now
        self._lock = threading.Lock()
        self._taken: deque[float] = deque()

    def take(self) -> int | None:
        """Return None where a request may pass, else after how many seconds to ask again."""
        if self.most is None:
            return None
        with self._lock:
            now = self._now()
            while self._taken and self._taken[0] <= now - self._seconds:
                self._taken.popleft()
            if len(self._taken) < self.most:
                self._taken.append(now)
                return None
            return math.ceil(self._taken[0] + self._seconds - now)
