"""Who watches the servers of a whole system: streams that go on where they were, and pollers."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from typing import Any, Final, Self

import httpx

from fiblake import Client
from fiblake.client import Bar, Event, Gap, Price, Status
from lake.errors import FiblakeError

_PAUSE_S: Final = 0.2
_PATIENCE_S: Final = 600.0
AWAY: Final = 0
"""In place of the status of an answer that did not come."""


class Follower:
    """What a client of a stream knows, by the client's own way to go on after a break.

    Args:
        url: Of the server.
        key: Shown to it.
        channels: What it listens to.

    Attributes:
        known: Of each channel the last of each item, by symbol and start.
        gaps: How often it had to forget a channel, by reason.
        breaks: How often the connection broke.
        error: What ended it, where it did not end by itself.
    """

    def __init__(self, url: str, key: str, *channels: str) -> None:
        self.known: dict[str, dict[tuple[str, object], Price | Bar]] = {}
        self.gaps: Counter[str] = Counter()
        self.breaks = 0
        self.boundary: object = None
        self.error: FiblakeError | None = None
        self._client = Client(url, key, attempts=1000)
        self._watch = self._client.watch(channels, reconnect_s=_PATIENCE_S)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()
        self._thread.join(_PATIENCE_S)
        self._client.close()

    def items(self, channel: str) -> list[Price | Bar]:
        """Return what is known of a channel now."""
        with self._lock:
            return list(self.known.get(channel, {}).values())

    def _follow(self) -> None:
        try:
            for event in self._watch:
                with self._lock:
                    self._take(event)
        except FiblakeError as error:
            self.error = error

    def _take(self, event: Event) -> None:
        match event:
            case Gap():
                self.gaps[event.why] += 1
                self.known.pop(event.channel, None)
            case Price():
                self.known.setdefault(event.channel, {})[event.symbol, None] = event
            case Bar(vanished=True):
                self.known.get(event.channel, {}).pop((event.symbol, event.start), None)
            case Bar():
                self.known.setdefault(event.channel, {})[event.symbol, event.start] = event
            case Status():
                self.breaks += not event.connected
                self.boundary = event.boundary or self.boundary


class Poller:
    """Asks a server for the same few things, again and again.

    Args:
        url: Of the server.
        key: Shown to it.
        paths: What it asks for.

    Attributes:
        statuses: How often each was answered; 0: not at all.
        last: The last answer to each path.
    """

    def __init__(self, url: str, key: str, *paths: str) -> None:
        self.statuses: Counter[int] = Counter()
        self.last: dict[str, Any] = {}
        self._url, self._key, self._paths = url, key, paths
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _poll(self) -> None:
        shown = {"Authorization": f"Bearer {self._key}"}
        with httpx.Client(base_url=self._url, headers=shown, timeout=10) as client:
            while not self._is_over.wait(_PAUSE_S):
                for path in self._paths:
                    self._ask(client, path)

    def _ask(self, client: httpx.Client, path: str) -> None:
        status = AWAY
        with suppress(httpx.TransportError):
            answer = client.get(path)
            status = answer.status_code
            self.last[path] = answer.json()
        self.statuses[status] += 1
