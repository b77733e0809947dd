"""One stream of live events: it reconnects, and goes on where it was."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode

from fiblake.client.channels import Channels
from fiblake.client.events import Price, Status, status_of
from fiblake.client.problems import error_of
from fiblake.client.refusals import closed, refused, unreachable
from fiblake.client.server import AGENT, LONGEST_WAIT_S
from lake.errors import FiblakeError, ServerError, ServerUnavailableError, TooManyRequestsError
from lake.instant import microseconds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from types import TracebackType

    from pydantic import SecretStr

    from fiblake.client.address import Address
    from fiblake.client.events import Event
    from lake.trace import Traces

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 15.0
_STEADY_S: Final = 5.0
"""A connection that held for so long begins the pauses anew."""
_OPEN_S: Final = 10.0
_CLOSE_S: Final = 1.0
_HEARTBEAT_S: Final = 15.0
_LARGEST_FRAME: Final = 1 << 28
"""A snapshot of a whole market is one frame."""
# At its level DEBUG it would write down each frame and header, and so the key.
_log: Final = logging.getLogger("fiblake.client.stream")
_log.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a stream goes on trying.

    Attributes:
        attempts: To connect for the first time.
        reconnect_s: After a connection broke.
    """

    attempts: int
    reconnect_s: float


class _BrokenError(Exception):
    """A connection that broke, or was not had, and may be had again."""

    def __init__(self, error: FiblakeError) -> None:
        super().__init__(str(error))
        self.error = error


class Stream:
    """Events of some channels: an asynchronous iterator, and a context manager that closes it.

    Args:
        address: Of the server.
        key: Shown to it; None: none.
        names: The channels.
        patience: How long it goes on trying.
        traces: Follows prices to here.
    """

    def __init__(
        self,
        address: Address,
        key: SecretStr | None,
        names: tuple[str, ...],
        patience: Patience,
        traces: Traces,
    ) -> None:
        self._traces = traces
        self._address = address
        self._key = key
        self._patience = patience
        self._channels = Channels(names)
        self._status = Status(connected=False)
        self._unanswered = 0
        self._subscribed: list[str] = []
        self._events = self._told()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it, and its connection."""
        await self._events.aclose()

    async def _told(self) -> AsyncGenerator[Event]:
        """Yield events, over one connection after another."""
        failures, lost = 0, None
        while True:
            began = time.monotonic()
            try:
                async with self._connected() as socket, aclosing(self._over(socket)) as events:
                    async for event in events:
                        yield event
            except _BrokenError as broken:
                error = broken.error
            if self._status.connected:
                lost = time.monotonic()
                failures = failures if lost - began < _STEADY_S else 0
                self._status = Status(connected=False)
                yield self._status
            failures += 1
            self._check_patient(error, failures, lost)
            await asyncio.sleep(_pause_s(failures, error))

    def _check_patient(self, error: FiblakeError, failures: int, lost: float | None) -> None:
        """Give up where it has been tried often, or for long, enough."""
        if lost is None:
            is_over = failures >= self._patience.attempts
        else:
            is_over = time.monotonic() - lost >= self._patience.reconnect_s
        if is_over:
            raise error

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[ClientConnection]:
        """Yield a connection."""
        shown = {}
        if self._key is not None:
            shown["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        opening = _Straight(
            self._address.socket,
            additional_headers=shown,
            user_agent_header=AGENT,
            compression=None,
            # A proxy of the environment must not see what this machine asks itself.
            proxy=None if self._address.is_local else True,
            open_timeout=_OPEN_S,
            close_timeout=_CLOSE_S,
            max_size=_LARGEST_FRAME,
            logger=_log,
        )
        try:
            socket = await opening
        except InvalidStatus as refusal:
            raise self._not_let_in(refusal) from None
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise _BrokenError(unreachable(self._address.url, error)) from None
        try:
            yield socket
        finally:
            await socket.close()

    def _not_let_in(self, refusal: InvalidStatus) -> Exception:
        answer = refusal.response
        after = answer.headers.get("Retry-After")
        error = error_of(self._address.url, answer.status_code, bytes(answer.body), after)
        if isinstance(error, TooManyRequestsError) and error.retry_after_s > LONGEST_WAIT_S:
            return error
        is_passing = isinstance(error, ServerUnavailableError | TooManyRequestsError)
        return _BrokenError(error) if is_passing else error

    async def _over(self, socket: ClientConnection) -> AsyncGenerator[Event]:
        """Yield what is told over one connection."""
        welcome, _ = await self._frame(socket, _OPEN_S)
        if welcome["type"] != "welcome":
            fact = f"{self._address.url} begins a stream with {welcome['type']!r:.40}, not welcome."
            raise ServerError(fact, hint="is the client of the server's version?")
        try:
            is_known, stream = bool(welcome["authenticated"]), str(welcome["stream"])
            silent_s = 2 * float(welcome.get("heartbeat_seconds", _HEARTBEAT_S)) + _OPEN_S
        except (KeyError, TypeError, ValueError):
            raise self._unreadable() from None
        if self._key is not None and not is_known:
            # A proxy may drop the header that the key is in.
            await self._say(socket, action="auth", key=self._key.get_secret_value())
        actions = list(self._channels.actions())
        for action in actions:
            await self._say(socket, **action)
        self._channels.open(stream)
        self._unanswered, self._subscribed = len(actions), []
        while True:
            frame, size = await self._frame(socket, silent_s)
            try:
                events = list(self._events_of(frame, size))
            except (KeyError, TypeError, ValueError):
                raise self._unreadable() from None
            for event in events:
                self._trace(event)
                yield event

    def _trace(self, event: Event) -> None:
        if self._traces.is_on and isinstance(event, Price) and event.time is not None:
            self._traces.pass_one(event.symbol, microseconds(event.time), channel=event.channel)

    def _events_of(self, frame: dict[str, Any], size: int) -> Iterator[Event]:
        kind = frame["type"]
        if kind == "error":
            error = refused(frame)
            raise _BrokenError(error) if isinstance(error, TooManyRequestsError) else error
        if kind == "subscribed":
            self._subscribed += frame["channels"]
            self._unanswered -= 1
            if not self._unanswered:
                self._channels.names = tuple(self._subscribed)
                self._status = replace(self._status, connected=True)
                yield self._status
        elif kind == "status":
            self._status = status_of(frame)
            yield self._status
        else:
            yield from self._channels.events(frame, size)

    async def _say(self, socket: ClientConnection, **action: object) -> None:
        # Where it is closed meanwhile, the next frame is awaited in vain, and says why.
        with suppress(ConnectionClosed):
            await socket.send(orjson.dumps(action).decode())

    async def _frame(self, socket: ClientConnection, silent_s: float) -> tuple[dict[str, Any], int]:
        try:
            async with asyncio.timeout(silent_s):
                text = await socket.recv()
        except TimeoutError:
            fact = f"{self._address.url} said nothing for {silent_s:g} s."
            raise _BrokenError(ServerUnavailableError(fact)) from None
        except ConnectionClosed as closing:
            told = closing.rcvd
            code, reason = (told.code, told.reason) if told else (CloseCode.ABNORMAL_CLOSURE, "")
            error = closed(self._address.url, int(code), reason)
            is_passing = isinstance(error, ServerUnavailableError)
            raise (_BrokenError(error) if is_passing else error) from None
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            frame = None
        if isinstance(frame, dict) and "type" in frame:
            return frame, len(text)
        raise self._unreadable()

    def _unreadable(self) -> ServerError:
        fact = f"{self._address.url} streams what cannot be read."
        hint = "is that the URL of a fiblake server, and the client of its version?"
        return ServerError(fact, hint=hint)


class _Straight(connect):
    """Follows no redirects: a key is for one server alone."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Take it for the answer."""
        return exc


def _pause_s(failures: int, error: FiblakeError) -> float:
    """Return how long to wait before the next connection: longer each time, with jitter."""
    limit_s = min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_S)
    least_s = error.retry_after_s if isinstance(error, TooManyRequestsError) else 0
    return least_s + random.uniform(limit_s / 10, limit_s)  # noqa: S311 - jitter is no secret
