"""The pace at which a vendor is asked, by all threads together.

A token bucket, as the generic cell rate algorithm of ITU-T I.371 keeps it: one instant, from which
the bucket's level follows. A vendor that asks to be left alone for a while is, by all.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from lake.errors import VendorError

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE_S: Final = 60.0


class StoppedError(VendorError):
    """The work was given up: nothing more is asked."""


class Pace:
    """Lets calls pass at a rate.

    Args:
        per_minute: How many calls pass in a minute.
        burst: How many may pass at once; by default those of a second, or 1.
        clock: Tells seconds that only ever grow.
        sleep: Sleeps for some seconds; by default it ends when the pace is stopped.
    """

    def __init__(
        self,
        per_minute: float,
        *,
        burst: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._every_s = _MINUTE_S / per_minute
        self._slack_s = ((burst or max(1, int(per_minute / _MINUTE_S))) - 1) * self._every_s
        self._clock = clock
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._lock = threading.Lock()
        # When the bucket is full again.
        self._full_at = clock()

    def wait(self) -> None:
        """Return when a call may be made.

        Raises:
            StoppedError: If the pace was stopped.
        """
        while True:
            with self._lock:
                now = self._clock()
                left_s = self._full_at - self._slack_s - now
                if left_s <= 0 and not self._stopped.is_set():
                    self._full_at = max(self._full_at, now) + self._every_s
                    return
            self.sleep(left_s)

    def give_back(self) -> None:
        """Take back a call that never reached the vendor."""
        with self._lock:
            self._full_at -= self._every_s

    def pause(self, seconds: float) -> None:
        """Let no call pass for some seconds, and then one by one."""
        with self._lock:
            self._full_at = max(self._full_at, self._clock() + self._slack_s + seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep, unless the pace is stopped.

        Raises:
            StoppedError: If it is, or is meanwhile.
        """
        if not self._stopped.is_set():
            self._sleep(max(seconds, 0))
        if self._stopped.is_set():
            fact = "The work was stopped."
            raise StoppedError(fact)

    def stop(self) -> None:
        """Let no call pass any more."""
        self._stopped.set()
