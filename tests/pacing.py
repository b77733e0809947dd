"""A pace on a clock that sleeping moves on: pauses take no time, and are counted."""

from __future__ import annotations

import threading

from batch_layer.vendors.pace import Pace


class Time:
    """A clock that sleeping moves on.

    Attributes:
        now: In seconds.
        slept: How long each sleep was.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            self.slept.append(seconds)

    def pace(self, per_minute: float = 1e9, burst: int | None = None) -> Pace:
        return Pace(per_minute, burst=burst, clock=self.clock, sleep=self.sleep)
