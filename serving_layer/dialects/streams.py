"""Where the WebSockets of vendors' dialects join an app."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lake.live import Subscribable
from serving_layer.dialects.alpaca_stream import router as alpaca_router
from serving_layer.dialects.massive_stream import router as massive_router
from serving_layer.dialects.telling import Telling
from serving_layer.stream.flow import Flow

if TYPE_CHECKING:
    from fastapi import FastAPI

    from lake.live import LiveBars
    from serving_layer.dialects.relay import Relay
    from serving_layer.stream.flow import Followed


def add_dialect_streams(app: FastAPI, live: LiveBars | None, relay: Relay | None) -> None:
    """Let an app speak Massive's and Alpaca's WebSockets.

    Args:
        app: As its state tells who may ask.
        live: The realtime view; None: there is no live feed.
        relay: The events of this process's feed; None: it has none.
    """
    view: object = live
    flow = Flow(cast("Followed", live)) if isinstance(view, Subscribable) else None
    app.state.telling = Telling(live, flow, relay)
    app.include_router(massive_router)
    app.include_router(alpaca_router)
