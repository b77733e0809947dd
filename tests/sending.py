"""Webhooks that are sent once, as a deliverer does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Protocol

import pytest

from database.outbox import Claimed
from lake.addresses import parse_networks
from lake.clock import SystemClock
from lake.envelope import Envelope, encode_envelope
from speed_layer.delivery.guard import Guard
from speed_layer.delivery.guard import look_up as system_look_up
from speed_layer.delivery.outcome import Outcome
from speed_layer.delivery.webhook import WebhookSender
from tests.outbox import NOW
from tests.receiving import SECRET

LOOPBACK = "127.0.0.0/8"
ENVELOPE = Envelope("al_1.1.1", "alert", NOW, ("AAPL",), "t", "AAPL closed ünïcode\nabove 180", {})
BODY = encode_envelope(ENVELOPE).decode()


def claimed(url: str | None, secret: str | None = SECRET, owner: str = "me") -> Claimed:
    return Claimed("al_1.1.1", "hook", 0, "", NOW, owner, "alert", BODY, url, secret)


class Send(Protocol):
    def __call__(
        self,
        url: str | None,
        *,
        allow: str = LOOPBACK,
        look_up: Callable[[str], Sequence[str]] = system_look_up,
        timeout_s: float = 10,
        tls: ssl.SSLContext | None = None,
    ) -> Outcome: ...


@pytest.fixture
def send() -> Send:
    """Send once, as a deliverer does."""

    def once(
        url: str | None,
        *,
        allow: str = LOOPBACK,
        look_up: Callable[[str], Sequence[str]] = system_look_up,
        timeout_s: float = 10,
        tls: ssl.SSLContext | None = None,
    ) -> Outcome:
        async def run() -> Outcome:
            guard = Guard(parse_networks(allow), look_up)
            sender = WebhookSender(guard, SystemClock(), timeout_s, tls)
            try:
                return await sender.send(claimed(url))
            finally:
                await sender.close()

        return asyncio.run(run())

    return once
