"""An app that speaks vendors' dialects, fed by the test, and clients that are told by it."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final

import polars as pl
import pytest
from websockets.asyncio.client import ClientConnection, connect

from fiblake import Lake
from lake.event import Event
from lake.live import LiveBars
from lake.wire import events_of
from serving_layer.app import create_app
from serving_layer.auth import Access
from serving_layer.dialects.relay import Relay
from speed_layer.engine import Engine
from speed_layer.views import MemoryView
from tests.access import serving
from tests.days import calendar

with warnings.catch_warnings():
    # It speaks by what its library has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.data.live import StockDataStream

_PATIENCE_S: Final = 30.0
REFUSED: Final = 1008
LATER: Final = 1013
"""Codes of a close: of who may not, and of who may try again later."""
AUTHENTICATED: Final = {"T": "success", "msg": "authenticated"}


class Market:
    """What a server tells of, for as long as a test lets it happen.

    Attributes:
        view: Its realtime view.
        relay: Of its feed.
        engine: Makes bars of events.
    """

    def __init__(self, view: MemoryView | None = None) -> None:
        self.view = view or MemoryView()
        self.relay = Relay()
        self.relay.kind = "trade"
        self.engine = Engine(calendar())

    def happen(self, *events: Event) -> None:
        """Let events happen."""
        self.tell(events_of(asdict(event) for event in events))

    def tell(self, events: pl.DataFrame) -> None:
        """Let events happen, schema `EVENTS`."""
        changes = self.engine.apply(events)
        self.view.put(changes.bars, changes.prices)
        self.relay.publish(events)


Serve = Callable[..., Any]


@pytest.fixture
def market() -> Iterator[Market]:
    made = Market()
    yield made
    made.view.close()


@pytest.fixture
def serve_dialects(lake: Lake) -> Serve:
    """Serve an app: of a view and a relay, or of none; who may ask, or anyone."""

    def serve(
        view: LiveBars | None = None, relay: Relay | None = None, access: Access | None = None
    ) -> Any:
        return serving(create_app(lake.reader, view, access=access, relay=relay))

    return serve


class Client:
    """A socket that speaks JSON, and expects what comes in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def hear(self) -> Any:
        """Return the messages of the next frame."""
        return json.loads(await asyncio.wait_for(self.socket.recv(), _PATIENCE_S))

    async def only(self) -> dict[str, Any]:
        """Return the only message of the next frame."""
        (message,) = await self.hear()
        assert isinstance(message, dict)
        return message

    async def ended(self) -> int:
        """Return the code of the close that comes, without regard to what comes before."""
        await asyncio.wait_for(self.socket.wait_closed(), _PATIENCE_S)
        return self.socket.close_code or 0


@asynccontextmanager
async def connected(url: str, **how: Any) -> AsyncIterator[Client]:
    """Yield a client that has been welcomed."""
    async with connect(url, compression=None, proxy=None, **how) as socket:
        client = Client(socket)
        welcome = await client.only()
        assert "connected" in {welcome.get("status"), welcome.get("msg")}
        yield client


@asynccontextmanager
async def at_massive(
    host: str, *topics: str, key: str = "any", **how: Any
) -> AsyncIterator[Client]:
    """Yield a client that is subscribed to Massive's topics."""
    async with connected(f"ws://{host}/stocks", **how) as client:
        await client.say(action="auth", params=key)
        assert "auth_success" == (await client.only())["status"]
        if topics:
            await client.say(action="subscribe", params=",".join(topics))
            for topic in topics:
                assert f"subscribed to: {topic}" == (await client.only())["message"]
        yield client


@asynccontextmanager
async def at_alpaca(host: str, key: str = "any", **channels: list[str]) -> AsyncIterator[Client]:
    """Yield a client that is subscribed to Alpaca's channels."""
    async with connected(f"ws://{host}/v2/sip") as client:
        await client.say(action="auth", key="id", secret=key)
        assert {"T": "success", "msg": "authenticated"} == await client.only()
        if channels:
            await client.say(action="subscribe", **channels)
            told = await client.only()
            assert channels == {name: symbols for name, symbols in told.items() if name in channels}
        yield client


@asynccontextmanager
async def listening(client: Any, hear: Any = None) -> AsyncIterator[None]:
    """Let a vendor's client run meanwhile: Massive's with what hears, or Alpaca's, which knows."""
    # Alpaca's `run` would take the thread.
    work = client.connect(hear) if hear else client._run_forever()  # noqa: SLF001
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await client.close()


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(_PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - of other threads, too
            await asyncio.sleep(0.02)


def alpaca_stream(host: str, secret: str = "any", feed: str = "iex") -> StockDataStream:  # noqa: S107 - no secret
    """Return alpaca-py's client, which tries again soon."""
    return StockDataStream("id", secret, url_override=f"ws://{host}/v2/{feed}")


def run(serve: Any, work: Callable[[str], Any]) -> None:
    """Let clients talk to a server."""
    with serve as host:
        asyncio.run(work(host))


def status(name: str, message: str) -> dict[str, str]:
    return {"ev": "status", "status": name, "message": message}


def error(code: int, msg: str, detail: str = "") -> dict[str, Any]:
    return {"T": "error", "code": code, "msg": msg} | ({"detail": detail} if detail else {})
