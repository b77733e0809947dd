"""How a connection ends: whatever the official client does when it is cancelled."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from speed_layer.feed import massive_readers
from speed_layer.feed.massive_readers import Address, Listener, read


class Deaf:
    """A client that loses the first cancellation, as it does where a frame comes at once."""

    def __init__(self, **_: Any) -> None:
        self.websocket: object | None = object()

    async def connect(self, *_: Any, **__: Any) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(3600)

    async def close(self) -> None:
        self.websocket = None


def test_a_client_that_loses_a_cancellation_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(massive_readers, "WebSocketClient", Deaf)
    monkeypatch.setattr(massive_readers, "_OPEN_S", 0.05)

    async def ended() -> bool:
        reading = asyncio.ensure_future(_read())
        await asyncio.sleep(0.2)
        reading.cancel()
        await asyncio.wait([reading], timeout=10)
        return reading.cancelled()

    assert asyncio.run(ended())


async def _read() -> str:
    async def heard(_: str | bytes) -> None:
        """Take nothing."""

    listener = Listener(heard, lambda: None, lambda _: None)
    return await read("official", Address("ws://127.0.0.1:9", "key"), "T.*", listener)
