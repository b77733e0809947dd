"""Servers that know nothing but the stream's frames of prices: how fast it could be at most.

They take one `subscribe` of prices and send what changed every `PACE_S`, each price made JSON once:
no keys, no sequence to resume from, no slow clients, nothing checked.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final

PACE_S: Final = 0.01
MOST_WAITING: Final = 1 << 20
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LONG: Final = 65_536

Send = Callable[[bytes], None]


class Board:
    """Who has subscribed to which prices, and what waits for them.

    Args:
        taken: Returns the prices that changed since the last call, by symbol, as JSON.
    """

    def __init__(self, taken: Callable[[], dict[str, bytes]]) -> None:
        self._taken = taken
        self._symbols: dict[Send, frozenset[str]] = {}
        self._sequence = 0

    def subscribe(self, send: Send, text: bytes) -> None:
        """Let someone have the prices that a frame asks for."""
        asked = json.loads(text)
        self._symbols[send] = frozenset(each.removeprefix("price:") for each in asked["channels"])

    def leave(self, send: Send) -> None:
        """Let someone go."""
        self._symbols.pop(send, None)

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await asyncio.sleep(PACE_S)
            prices = self._taken()
            if prices:
                self._tell(prices)

    def _tell(self, prices: dict[str, bytes]) -> None:
        self._sequence += 1
        head, middle = b'{"channel":"price:', b'","seq":%d,"price":' % self._sequence
        events = {
            symbol: head + symbol.encode() + middle + price + b"}"
            for symbol, price in prices.items()
        }
        changed = events.keys()
        everything = self._frame(events.values())
        for send, symbols in self._symbols.items():
            if "*" in symbols:
                send(everything)
            elif mine := changed & symbols:
                send(self._frame([events[each] for each in mine]))

    def _frame(self, events: Iterable[bytes]) -> bytes:
        return b'{"type":"changes","events":[' + b",".join(events) + b"]}"


class PlainProtocol(asyncio.Protocol):
    """WebSocket by hand: a handshake, one masked frame in, and unmasked frames out.

    Args:
        board: Which sends.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._came = b""
        self._is_open = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self._board.leave(self._send)

    def data_received(self, data: bytes) -> None:
        self._came += data
        if not self._is_open and b"\r\n\r\n" in self._came:
            head, _, self._came = self._came.partition(b"\r\n\r\n")
            self._shake_hands(head)
        text = _unmasked(self._came) if self._is_open else None
        if text is not None:
            self._came = b""
            self._board.subscribe(self._send, text)

    def _shake_hands(self, head: bytes) -> None:
        lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        headers = {name.lower(): value.strip() for name, _, value in lines}
        accept = hashlib.sha1(headers[b"sec-websocket-key"] + _MAGIC).digest()  # noqa: S324 - the protocol's
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(accept) + b"\r\n\r\n"
        )
        self._is_open = True

    def _send(self, text: bytes) -> None:
        if self._transport.get_write_buffer_size() < MOST_WAITING:
            self._transport.write(_header(len(text)) + text)


def _header(length: int) -> bytes:
    if length < 126:
        return bytes([0x81, length])
    if length < _LONG:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


def _unmasked(data: bytes) -> bytes | None:
    """Return a frame's text, up to 64 KiB; None if it is not whole."""
    if len(data) < 2:
        return None
    length, at = data[1] & 0x7F, 2
    if length == 126:
        length, at = int.from_bytes(data[2:4], "big"), 4
    mask, text = data[at : at + 4], data[at + 4 : at + 4 + length]
    if len(text) < length:
        return None
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))


async def serve_plain(board: Board, port: int) -> None:
    """Serve by asyncio alone."""
    server = await asyncio.get_running_loop().create_server(
        lambda: PlainProtocol(board), "127.0.0.1", port, backlog=1024
    )
    async with server:
        await board.run()


async def serve_picows(board: Board, port: int) -> None:
    """Serve by picows, which is written in C."""
    picows: Any = import_module("picows")  # of benchmarks alone

    class Listener(picows.WSListener):  # type: ignore[misc] # it has no types here
        def on_ws_connected(self, transport: Any) -> None:
            self._transport = transport

        def on_ws_frame(self, _transport: Any, frame: Any) -> None:
            if frame.msg_type == picows.WSMsgType.TEXT:
                board.subscribe(self._send, frame.get_payload_as_bytes())

        def on_ws_disconnected(self, _transport: Any) -> None:
            board.leave(self._send)

        def _send(self, text: bytes) -> None:
            if self._transport.underlying_transport.get_write_buffer_size() < MOST_WAITING:
                self._transport.send(picows.WSMsgType.TEXT, text)

    server = await picows.ws_create_server(lambda _: Listener(), "127.0.0.1", port, backlog=1024)
    async with server:
        await board.run()
