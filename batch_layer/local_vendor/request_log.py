"""What was asked of the vendor, in order; in a file too, line by line, as it happens."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from batch_layer.local_vendor.access import KEY_PARAMETER

if TYPE_CHECKING:
    from pathlib import Path

    from batch_layer.local_vendor.messages import Request
    from lake.clock import Clock


@dataclass(frozen=True, slots=True)
class Logged:
    """One request.

    Attributes:
        number: From 1.
        method: In capitals.
        path: As sent.
        query: Escaped, without the key.
        status: Answered; 0: the connection ended before.
        instant: When it was answered: ISO 8601, UTC.
        fault: What was done to it on command, or empty.
    """

    number: int
    method: str
    path: str
    query: str
    status: int
    instant: str
    fault: str = ""

    @property
    def is_answered(self) -> bool:
        """Whether a client had a whole, good answer."""
        return self.status in {200, 206} and not self.fault


class RequestLog:
    """The requests so far.

    Args:
        clock: Tells when a request was answered.
        path: A file that gets a line of JSON for each request, before its answer is sent.
    """

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: list[Logged] = []
        self._file = path.open("a", encoding="utf-8") if path else None

    def note(self, request: Request, status: int, fault: str = "") -> None:
        """Add a request."""
        query = {name: text for name, text in request.query.items() if name != KEY_PARAMETER}
        instant = self._clock.now().isoformat(timespec="microseconds")
        line = Logged(
            number=request.number,
            method=request.method,
            path=request.path,
            query=urlencode(query),
            status=int(status),
            instant=instant,
            fault=fault,
        )
        with self._lock:
            self._lines.append(line)
            if self._file:
                self._file.write(json.dumps(asdict(line)) + "\n")
                self._file.flush()

    def lines(self) -> list[Logged]:
        """Return the requests so far, in the order of their answers."""
        with self._lock:
            return list(self._lines)

    def forget(self) -> None:
        """Begin anew; the file keeps what it has."""
        with self._lock:
            self._lines.clear()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None
