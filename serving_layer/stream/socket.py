"""A connection's frames, on their way out: straight into its transport where that can be had.

What a stream must know of a slow connection, how much waits for it, and what it must do, close it
all the same, ASGI has no words for. So uvicorn runs sockets by a protocol of ours, which is its own
and one thing more; with another server all of it works too, but each frame takes a task.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from serving_layer.stream.frames import FRAME_BYTES

if TYPE_CHECKING:
    from websockets.http11 import Request

    from serving_layer.stream.subscriber import Outlet

GOING_AWAY: Final = 1001
_NAME: Final = "fiblake.socket"
_SEND_BUFFER: Final = 262_144
"""Of the system, for one connection: what it holds is old by the time it is read."""
_PATIENCE_S: Final = 5.0
"""How long the other side has to answer a close."""
_REASON_BYTES: Final = 123
_TEXT: Final = 0x81
_SHORT: Final = struct.Struct(">BB")
_MIDDLE: Final = struct.Struct(">BBH")
_LONG: Final = struct.Struct(">BBQ")


class StreamSocket(WebSocketsSansIOProtocol):
    """uvicorn's own, which an app finds in the scope of its socket."""

    def handle_connect(self, event: Request) -> None:
        """Let the app be asked, and see this."""
        super().handle_connect(event)
        if not self.close_sent:
            # The app begins later: the scope is still ours.
            cast("dict[str, Any]", self.scope["extensions"])[_NAME] = self
            _bound(self.transport.get_extra_info("socket"))

    @property
    def waiting(self) -> int:
        """How many bytes were written that the system did not take yet."""
        return self.transport.get_write_buffer_size()

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it."""
        return not (self.close_sent or self.transport.is_closing())

    def write(self, text: bytes) -> None:
        """Write a text frame, as it is."""
        if not self.is_open:
            return
        if self.conn.extensions:
            self.conn.send_text(text)
            self.transport.write(b"".join(self.conn.data_to_send()))
        else:
            self.transport.write(_header(len(text)) + text)

    def end(self, code: int, reason: str) -> None:
        """Close the connection; whoever does not answer is cut off."""
        if not self.is_open:
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, shortened(reason))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_PATIENCE_S, self.transport.abort)

    async def ended(self) -> None:
        """Wait for nothing: what ends it does so by itself."""

    def shutdown(self) -> None:
        """End the connection, as the server goes away."""
        if self.handshake_complete and not self.close_sent:
            self.end(GOING_AWAY, "The server goes away: connect again.")
            self.transport.close()
        else:
            super().shutdown()


SOCKETS: Final[dict[str, Any]] = {
    "ws": StreamSocket,
    "ws_max_size": FRAME_BYTES,
    "ws_per_message_deflate": False,
    "ws_ping_interval": 20.0,
    # Longer than a slow one is borne with: it is to be told that it is too slow.
    "ws_ping_timeout": 60.0,
}
"""How uvicorn is to run sockets."""


class AsgiOutlet:
    """The frames of a connection that another server runs.

    Args:
        websocket: The connection, accepted.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._frames: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self._end: tuple[int, str] | None = None
        self._is_gone = False

    @property
    def waiting(self) -> int:
        """How many bytes the server did not take yet."""
        return sum(map(len, self._frames))

    @property
    def is_open(self) -> bool:
        """Whether neither side is known to have closed it."""
        return self._end is None and not self._is_gone

    def write(self, text: bytes) -> None:
        """Write a text frame."""
        if self.is_open:
            self._frames.append(text)
            self._go_on()

    def end(self, code: int, reason: str) -> None:
        """Close the connection, once what is on its way is taken, or a while has passed."""
        if self.is_open:
            self._end = code, shortened(reason)
            self._go_on()

    async def ended(self) -> None:
        """Wait until the end is told, but for a while at most."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_PATIENCE_S)
            self._task.cancel()

    def _go_on(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._frames:
                await self._websocket.send_text(self._frames[0].decode())
                del self._frames[0]
            if self._end and self._websocket.application_state == WebSocketState.CONNECTED:
                await self._websocket.close(*self._end)
        except (WebSocketDisconnect, RuntimeError):
            self._is_gone = True
            self._frames.clear()


def outlet_of(websocket: WebSocket) -> Outlet:
    """Return where the frames of an accepted connection go."""
    found: StreamSocket | None = websocket.scope.get("extensions", {}).get(_NAME)
    return AsgiOutlet(websocket) if found is None else found


def shortened(reason: str) -> str:
    """Return a reason as a close frame takes it."""
    return reason.encode()[:_REASON_BYTES].decode(errors="ignore")


def _header(size: int) -> bytes:
    """Return what a server's text frame begins with (RFC 6455, 5.2)."""
    if size < 126:  # noqa: PLR2004 - of the protocol
        return _SHORT.pack(_TEXT, size)
    if size < 1 << 16:
        return _MIDDLE.pack(_TEXT, 126, size)
    return _LONG.pack(_TEXT, 127, size)


def _bound(raw: socket.socket | None) -> None:
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
