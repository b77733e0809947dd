"""How Massive's socket is read: through its official client, or by ourselves over the same wire.

Both hand over frames as they come; one connection each time, since when to connect again is for us
to say: the client would do so at once, however often the connection breaks.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import certifi
import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from lake.errors import VendorKeyError, VendorUnreachableError
from speed_layer.feed.massive_client import AuthError, WebSocketClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from websockets.asyncio.client import ClientConnection

_log = structlog.get_logger(__name__)
ReaderName = Literal["official", "own"]
_MARKET: Final = "stocks"
_OPEN_S: Final = 15.0
_CLOSE_S: Final = 1
_CANCEL_S: Final = 0.1
# Far more than the vendor sends at once; without a limit, a stranger could fill the memory.
_FRAME_BYTES: Final = 64 << 20
# While we are slow we do not read pongs either: a minute of that is not a broken connection.
_PING_TIMEOUT_S: Final = 60
_STATUS_START: Final = ('[{"ev":"status"', b'[{"ev":"status"')
_KEY_HINT: Final = "set FIBLAKE_MASSIVE_KEY to the key that massive.com/dashboard/keys shows."
_LOST: Final = (OSError, WebSocketException, TimeoutError)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the socket is.

    Attributes:
        url: As wss://socket.massive.com.
        key: The API key.
    """

    url: str
    key: str

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


@dataclass(frozen=True, slots=True)
class Listener:
    """What a connection tells.

    Attributes:
        heard: A frame came; it is waited for, and no other is read meanwhile.
        subscribed: All that was asked for was granted.
        said: Any other status.
    """

    heard: Callable[[str | bytes], Awaitable[None]]
    subscribed: Callable[[], None]
    said: Callable[[str], None]


async def read(name: ReaderName, address: Address, topics: str, listener: Listener) -> str:
    """Read one connection to its end, and return why it ended.

    Raises:
        VendorKeyError: If Massive refuses the key.
    """
    statuses = _Statuses(topics, listener)
    try:
        if name == "official":
            await _official(address, topics, statuses)
        else:
            await _own(address, topics, statuses)
    except AuthError as error:
        raise _refused(str(error)) from None
    except VendorUnreachableError as error:
        return error.fact
    except ConnectionClosed as error:
        return f"the connection broke: {error}"
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return "the vendor's greeting makes no sense"
    except _LOST as error:
        return f"no connection: {str(error) or type(error).__name__}"
    return "the vendor ended the connection"


class _Statuses:
    """Tells statuses from events."""

    def __init__(self, topics: str, listener: Listener) -> None:
        self._asked = set(topics.split(","))
        self._listener = listener

    async def heard(self, frame: str | bytes) -> None:
        if frame[: len(_STATUS_START[0])] in _STATUS_START:
            with suppress(ValueError, TypeError, KeyError, AttributeError):
                for message in json.loads(frame):
                    if message["ev"] == "status":
                        self._note(message)
        await self._listener.heard(frame)

    def _note(self, message: dict[str, str]) -> None:
        text = f"{message.get('status')}: {message.get('message')}"
        _log.info("the vendor says", text=text)
        granted = str(message.get("message", "")).partition("subscribed to: ")[2]
        if message.get("status") != "success" or not granted:
            self._listener.said(text)
            return
        before = bool(self._asked)
        self._asked -= set(granted.split(","))
        if before and not self._asked:
            self._listener.subscribed()


async def _official(address: Address, topics: str, statuses: _Statuses) -> None:
    parts = urlsplit(address.url)
    client = WebSocketClient(
        api_key=address.key,
        feed=parts.netloc,
        market=_MARKET,
        secure=parts.scheme == "wss",
        # Its objects would be one more step (tests/bench/feed.py); frames have what they leave out.
        raw=True,
        subscriptions=topics.split(","),
        max_reconnects=0,
    )
    running = asyncio.ensure_future(
        client.connect(
            statuses.heard,
            close_timeout=_CLOSE_S,
            max_size=_FRAME_BYTES,
            ping_timeout=_PING_TIMEOUT_S,
        )
    )
    try:
        # Where nobody answers, the client tries for ever and says nothing.
        await asyncio.wait([running], timeout=_OPEN_S)
        if client.websocket is None and not running.done():
            fact = f"nobody answers at {address.url}"
            raise VendorUnreachableError(fact)
        # Awaited itself, it would be cancelled in our place, and might lose that: see below.
        await asyncio.wait([running])
        running.result()
    finally:
        # Where a frame comes as it is cancelled, `asyncio.wait_for` of the client loses the latter.
        while not running.done():
            running.cancel()
            await asyncio.wait([running], timeout=_CANCEL_S)
        if client.websocket:
            await client.close()


async def _own(address: Address, topics: str, statuses: _Statuses) -> None:
    context = None
    if address.url.startswith("wss:"):
        context = ssl.create_default_context(cafile=certifi.where())
    async with connect(
        f"{address.url}/{_MARKET}",
        ssl=context,
        open_timeout=_OPEN_S,
        close_timeout=_CLOSE_S,
        max_size=_FRAME_BYTES,
        ping_timeout=_PING_TIMEOUT_S,
    ) as socket:
        await socket.recv()
        await _send(socket, "auth", address.key)
        answer = json.loads(await socket.recv())[0]
        if answer["status"] != "auth_success":
            raise AuthError(answer.get("message", answer["status"]))
        await _send(socket, "subscribe", topics)
        while True:
            await statuses.heard(await socket.recv(decode=False))


async def _send(socket: ClientConnection, action: str, params: str) -> None:
    await socket.send(json.dumps({"action": action, "params": params}))


def _refused(said: str) -> VendorKeyError:
    return VendorKeyError(f"Massive's socket refuses the key: {said.rstrip('.')}.", hint=_KEY_HINT)
