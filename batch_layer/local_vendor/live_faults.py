"""What may go wrong with the socket, on command."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal, get_args

LiveFaultKind = Literal[
    "drop",  # the connections are reset; `events` happen before anyone can subscribe again
    "repeat",  # the last `events` are told once more
    "poison",  # frames that are no events come between
    "garble",  # the next `events` come in a frame that breaks off
    "silence",  # nothing comes for `seconds`
    "refuse",  # of the next `events` connections, each is refused its key
]


@dataclass(frozen=True, slots=True)
class LiveFault:
    """What is to go wrong.

    Attributes:
        kind: How.
        at: When so many events have happened; 0: at once.
        events: How many it is about.
        seconds: Of `silence`.

    Raises:
        ValueError: If one of them cannot be.
    """

    kind: LiveFaultKind
    at: int = 0
    events: int = 1
    seconds: float = 1.0

    def __post_init__(self) -> None:
        """Check what was asked for."""
        if self.kind not in get_args(LiveFaultKind):
            fact = f"{self.kind!r} is not a fault. Allowed: {', '.join(get_args(LiveFaultKind))}."
            raise ValueError(fact)
        if min(self.at, self.events, self.seconds) < 0:
            fact = f"{self} cannot be. Allowed: numbers from 0."
            raise ValueError(fact)


class LiveFaults:
    """The faults still to come; of any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[LiveFault] = []
        self._refusals = 0

    def add(self, fault: LiveFault) -> None:
        """Let something go wrong."""
        with self._lock:
            if fault.kind == "refuse":
                self._refusals += fault.events
            else:
                self._left.append(fault)
                self._left.sort(key=lambda each: each.at)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._left.clear()
            self._refusals = 0

    def next_at(self) -> int | None:
        """Return after how many events the next fault is."""
        with self._lock:
            return self._left[0].at if self._left else None

    def due(self, told: int) -> LiveFault | None:
        """Return a fault that is due when so many events have happened; it is over then."""
        with self._lock:
            return self._left.pop(0) if self._left and self._left[0].at <= told else None

    def refuses(self) -> bool:
        """Return whether the next connection is refused; that one is counted."""
        with self._lock:
            self._refusals -= 1
            return self._refusals >= 0 or bool(self._reset())

    def _reset(self) -> int:
        self._refusals = 0
        return 0
