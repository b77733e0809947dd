"""Processes that are started again whenever they end, and a market that goes on when it is let."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from typing import Final

from batch_layer.local_vendor import LiveFault
from batch_layer.local_vendor.live_faults import LiveFaults

LONG_S: Final = 240.0
"""More than anything here takes, even a mini cluster's start on two cores that others use."""
_POLL_S: Final = 0.05
_REST_S: Final = 0.05


class Gate(LiveFaults):
    """Lets so many events happen, and no more; and few of them at a time.

    Attributes:
        until: How many.
    """

    def __init__(self, each: int = 10) -> None:
        super().__init__()
        self.until = 0
        self._each = each
        self._rested = -1

    def next_at(self) -> int | None:
        """Return before which event the market rests next."""
        told = super().next_at()
        rest = min(self.until, self._rested + self._each)
        return rest if told is None else min(told, rest)

    def due(self, told: int) -> LiveFault | None:
        """Return a silence while no more may happen, or when it is time to rest."""
        if told >= self.until or told >= self._rested + self._each:
            self._rested = told
            return LiveFault("silence", seconds=_REST_S)
        return super().due(told)


class Kept:
    """A process that is started again whenever it ends, until it is stopped.

    Args:
        start: Starts it.
    """

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._process = start()
        self._is_over = threading.Event()
        self.restarts = 0
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def stop(self) -> int:
        """End it as a host does, and return its exit code; a second time, kill it."""
        self._is_over.set()
        self._thread.join()
        self._process.terminate()
        try:
            return self._process.wait(LONG_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def _keep(self) -> None:
        while not self._is_over.wait(_POLL_S):
            if self._process.poll() is not None:
                self.restarts += 1
                self._process = self._start()
