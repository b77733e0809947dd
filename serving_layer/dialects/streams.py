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
    from serving_layer.stream.routes import Streams


def add_dialect_streams(app: FastAPI, live: LiveBars | None, relay: Relay | None) -> None:
    """Let an app speak Massive's and Alpaca's WebSockets.

    Args:
        app: Whose state tells who may ask, and has the streams of the view.
        live: The realtime view; None: there is no live feed.
        relay: The events of this process's feed; None: it has none.
    """
    streams: Streams = app.state.streams
    app.state.telling = Telling(live, streams.flow, relay)
    app.include_router(massive_router)
    app.include_router(alpaca_router)
