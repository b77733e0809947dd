"""A server of `/v1/stream` in this process, and a client that keeps what it is told."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fiblake import Lake
from lake.live import LiveBars
from serving_layer.app import create_app
from serving_layer.stream.connection import Manners
from serving_layer.stream.routes import Streams
from speed_layer.views import MemoryView
from tests.access import serving
from tests.live import day_bar

PATIENCE_S = 30
Frame = dict[str, Any]
MON, TUE = dt.date(2013, 3, 4), dt.date(2013, 3, 5)
FOUR = ("open", "high", "low", "close")


@contextmanager
def streaming(
    lake: Lake, view: LiveBars | None, *, options: dict[str, Any] | None = None, **manners: Any
) -> Iterator[str]:
    """Serve a lake and a view, and yield host and port; options are those of uvicorn."""
    app = create_app(lake.reader, view)
    app.state.streams = Streams(view, app.state.reader, manners=Manners(**manners))
    with serving(app, **options or {}) as host:
        yield host


class Client:
    """A connection, and what a client knows by it: of each channel its items, and its seq.

    Args:
        host: Host and port of the server.
        path: Behind them.
        options: Of the client.
    """

    def __init__(self, host: str, path: str = "/v1/stream", **options: Any) -> None:
        self.host = host
        self._stack = ExitStack()
        opening = connect(f"ws://{host}{path}", **{"compression": None} | options)
        self._socket = self._stack.enter_context(opening)
        self._told_at = time.monotonic()
        self.frames: list[Frame] = []
        self.seqs: dict[str, int] = {}
        self.items: dict[str, dict[Any, Frame]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def send(self, action: str, *channels: str, **others: Any) -> None:
        named = {"channels": list(channels)} if channels else {}
        self._socket.send(json.dumps({"action": action, **named, **others}))

    def send_raw(self, frame: str | bytes) -> None:
        self._socket.send(frame)

    def subscribe(self, *channels: str, **others: Any) -> None:
        """Subscribe, and wait for what is known of each channel."""
        self.send("subscribe", *channels, **others)
        missing = set(channels)
        while missing:
            told = self.read()
            assert told["type"] != "error", told
            if told["type"] in {"snapshot", "resumed"}:
                missing.discard(told["channel"])

    def read(self) -> Frame:
        """Return the next frame, and take it in."""
        told: Frame = json.loads(self._socket.recv(PATIENCE_S))
        self.frames.append(told)
        if told["type"] != "heartbeat":
            self._told_at = time.monotonic()
        assert time.monotonic() - self._told_at < PATIENCE_S, self.frames[-20:]
        if told["type"] == "snapshot":
            self.items[told["channel"]] = {
                _key(each): each for each in told.get("prices") or told.get("bars", [])
            }
            self.seqs[told["channel"]] = told["seq"]
        for event in told.get("events", ()):
            item = event.get("price") or event["bar"]
            held = self.items[event["channel"]]
            if item.get("vanished"):
                held.pop(_key(item), None)
            else:
                held[_key(item)] = item
            assert event["seq"] >= self.seqs[event["channel"]]
            self.seqs[event["channel"]] = event["seq"]
        return told

    def until(self, kind: str, holds: Callable[[Frame], bool] = lambda _: True) -> Frame:
        """Return the next frame of a type for which something holds."""
        while True:
            told = self.read()
            if told["type"] == kind and holds(told):
                return told

    def until_known(self, holds: Callable[[Self], bool]) -> None:
        """Read until what is known is as it should be."""
        while not holds(self):
            self.read()

    def price(self, symbol: str, channel: str = "") -> float | None:
        """Return the price that is known of a symbol."""
        held = self.items.get(channel or f"price:{symbol}", {})
        return held[symbol, None]["price"] if (symbol, None) in held else None

    def ended(self) -> tuple[int, str]:
        """Return the code and the reason of the end, once it comes."""
        with pytest.raises(ConnectionClosed) as closed:
            self.until("the end")
        received = closed.value.rcvd
        assert received is not None
        return received.code, received.reason


def _key(item: Frame) -> tuple[str, str | None]:
    return item["symbol"], item.get("start")


def day(symbol: str, session: dt.date, close: float, trades: int) -> dict[str, Any]:
    return day_bar(symbol, session, trades, **dict.fromkeys(FOUR, close), volume=100.0)


@pytest.fixture
def held_view() -> MemoryView:
    return MemoryView()


@pytest.fixture
def stream_host(lake: Lake, held_view: MemoryView) -> Iterator[str]:
    with streaming(lake, held_view) as host:
        yield host


@pytest.fixture
def stream_client(stream_host: str) -> Iterator[Client]:
    with Client(stream_host) as client:
        yield client
