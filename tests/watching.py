"""A client that watches a stream in a thread, and keeps what it is told."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from fiblake import Client, Lake
from fiblake.client import Bar, Event, Gap, Price, Status
from lake.clock import SetClock
from speed_layer.views import MemoryView
from tests.conftest import NOW
from tests.live import bar, bars_of, price, prices_of

PATIENCE_S = 30
Items = dict[tuple[str, str, dt.datetime | dt.date | None], Price | Bar]


@pytest.fixture(scope="module")
def stream_lake(sample_lake_folder: Path) -> Lake:
    return Lake(sample_lake_folder, clock=SetClock(NOW))


@pytest.fixture
def live_view(clock: SetClock) -> MemoryView:
    """A view of one price and two bars of AAPL."""
    view = MemoryView(clock)
    view.put(bars_of(bar(), bar(interval="5m")), prices_of(price()))
    return view


class Watching:
    """What a client is told, taken in by a thread: events, and the items that they leave."""

    def __init__(self, client: Client, *channels: str, **asked: Any) -> None:
        self.events: list[Event] = []
        self.items: Items = {}
        self.error: BaseException | None = None
        self._changed = threading.Condition()
        self._watch = client.watch(channels, **asked)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()
        self._thread.join()

    def of(self, kind: type[Event]) -> list[Any]:
        with self._changed:
            return [event for event in self.events if isinstance(event, kind)]

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait until something is so, which events may make so."""
        with self._changed:
            assert self._changed.wait_for(lambda: is_so() or self.error, PATIENCE_S), self.events
        assert is_so(), self.error

    def has(self, versions: dict[tuple[str, str, Any], float]) -> bool:
        """Return whether the items are those of some versions."""
        return versions == {key: item.version for key, item in self.items.items()}

    def is_connected(self) -> bool:
        """Return whether the last status says so."""
        statuses = self.of(Status)
        return bool(statuses) and statuses[-1].connected

    def until_it_fails(self) -> BaseException:
        """Wait until it ends by an error, and return that."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.error, PATIENCE_S), self.events
            assert self.error is not None
            return self.error

    def _run(self) -> None:
        try:
            for event in self._watch:
                with self._changed:
                    self._take(event)
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - the test tells
            with self._changed:
                self.error = error
                self._changed.notify_all()

    def _take(self, event: Event) -> None:
        self.events.append(event)
        match event:
            case Gap():
                kept = {key: item for key, item in self.items.items() if key[0] != event.channel}
                self.items = kept
            case Price():
                self.items[event.channel, event.symbol, None] = event
            case Bar(vanished=True):
                self.items.pop((event.channel, event.symbol, event.start), None)
            case Bar():
                self.items[event.channel, event.symbol, event.start] = event
