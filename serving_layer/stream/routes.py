"""The WebSocket route, `/v1/stream`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fastapi import APIRouter
from starlette.websockets import WebSocket  # noqa: TC002 - FastAPI reads annotations at run time

from lake.live import Subscribable
from serving_layer.stream.connection import Connection, Manners
from serving_layer.stream.flow import Flow, Followed
from serving_layer.stream.hub import Hub
from serving_layer.stream.reads import Reads

if TYPE_CHECKING:
    from lake.live import LiveBars
    from lake.trace import Traces
    from serving_layer.merged import MergedReader
    from serving_layer.stream.connection import Counting

router = APIRouter()
"""It asks for keys itself: a browser shows its own in the first frame."""


class Streams:
    """What sockets of an app are served with.

    Args:
        live: The realtime view; where there is none, or one that tells no changes, there is no hub.
        reader: Of the lake and the view.
        manners: What connections may.
        counting: Who counts connections; None: nobody does.
        traces: Follows prices; None: none is followed.

    Attributes:
        flow: The view's changes; None as the hub is.
        counting: Who counts connections.
    """

    def __init__(
        self,
        live: LiveBars | None,
        reader: MergedReader,
        manners: Manners | None = None,
        *,
        counting: Counting | None = None,
        traces: Traces | None = None,
    ) -> None:
        self.flow: Flow | None = None
        self.hub: Hub | None = None
        self._now = reader.now
        self._manners = manners or Manners()
        if isinstance(live, Subscribable):
            self.flow = Flow(cast("Followed", live), traces=traces)
            self.hub = Hub(
                self.flow,
                Reads(live, reader),
                idle_s=self._manners.idle_s,
                stalled_s=self._manners.stalled_s,
            )
        self.counting = counting

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection until it ends."""
        connection = Connection(websocket, self.hub, self._now, self._manners, self.counting)
        await connection.run()


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket) -> None:
    """Live prices and bars, as they change."""
    streams: Streams = websocket.app.state.streams
    await streams.serve(websocket)
