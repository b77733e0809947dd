"""Where the WebSockets of vendors' dialects join an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving_layer.dialects.alpaca_stream import router as alpaca_router
from serving_layer.dialects.massive_stream import router as massive_router
from serving_layer.dialects.telling import Telling

if TYPE_CHECKING:
    from fastapi import FastAPI

    from lake.live import LiveBars
    from serving_layer.dialects.relay import Relay
    from serving_layer.stream.flow import Flow


def add_dialect_streams(
    app: FastAPI, live: LiveBars | None, flow: Flow | None, relay: Relay | None
) -> None:
    """Let an app speak Massive's and Alpaca's WebSockets.

    Args:
        app: As its state tells who may ask.
        live: The realtime view; None: there is no live feed.
        flow: Its changes, where it tells them.
        relay: The events of this process's feed; None: it has none.
    """
    app.state.telling = Telling(live, flow, relay)
    app.include_router(massive_router)
    app.include_router(alpaca_router)
