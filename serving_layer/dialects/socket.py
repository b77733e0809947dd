"""One client's connection, whatever its dialect: it shows a key, subscribes, and is told.

    reading    auth within seconds, then subscribe and unsubscribe
    writing    what waits in the outbox, a frame at a time: as fast as the client takes them
    watching   whether the key still holds

The first of them that ends, ends the connection; the client is told why, in its dialect.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog
from starlette.websockets import WebSocketDisconnect

from lake.errors import (
    AccessError,
    DatabaseError,
    FiblakeError,
    ForbiddenError,
    TooManyRequestsError,
)
from serving_layer.auth import access_of, address_of
from serving_layer.auth.principal import ANYONE
from serving_layer.auth.require import refuse_strangers
from serving_layer.dialects.dialect import BadFrameError, Said
from serving_layer.dialects.outbox import Outbox
from serving_layer.stream.socket import outlet_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.websockets import WebSocket

    from serving_layer.auth import Principal
    from serving_layer.dialects.dialect import Asked, Dialect, Topic
    from serving_layer.dialects.telling import Telling
    from serving_layer.stream.connection import Counting

_log = structlog.get_logger(__name__)
_AUTH_S: Final = 10.0
_WATCH_S: Final = 5.0
_STALLED_S: Final = 30.0
_LAST_WORDS_S: Final = 5.0
_MOST_TOPICS: Final = 5_000
_MOST_BAD: Final = 20
_REFUSED: Final = 1008
_LATER: Final = 1013
_RESTART: Final = 1012
"""Close codes: of none of them do vendors' clients think that all is well, as of 1000 and 1001."""


class EndedError(Exception):
    """A connection is over.

    Args:
        said: What the client is told last; None: nothing, as it is gone.
        detail: In one sentence.
    """

    def __init__(self, said: Said | None, detail: str = "") -> None:
        super().__init__(said, detail)
        self.said = said
        self.detail = detail


class Socket:
    """A connection.

    Args:
        websocket: Accepted already.
        dialect: What is spoken.
        shown: The key that came with the handshake; None: it comes with a frame.

    Attributes:
        id: Its own.
        address: Whence it comes.
        principal: Who it is; None until that is known.
    """

    def __init__(self, websocket: WebSocket, dialect: Dialect, shown: str | None = None) -> None:
        self.id = uuid.uuid4().hex
        self.address = address_of(websocket)
        self.principal: Principal | None = None
        self._websocket = websocket
        self._dialect = dialect
        self._telling: Telling = websocket.app.state.telling
        self._counting: Counting | None = websocket.app.state.streams.counting
        self._outlet = outlet_of(websocket, away=_RESTART)
        self._key = shown
        self._is_in = asyncio.Event()
        self._outbox = Outbox(dialect.frame)
        self._topics: set[Topic] = set()
        self._bad = 0

    @property
    def channels(self) -> int:
        """How many topics it is subscribed to."""
        return len(self._topics)

    async def converse(self) -> None:
        """Read, write and watch until it ends."""
        self._say(Said.CONNECTED)
        works = (self._reading(), self._writing(), self._watching())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            end = _end_of(next(iter(done)))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._telling.unsubscribe(self._dialect, self._outbox, self._topics)
            if self._counting is not None:
                await self._counting.closed(self)
        if end.said is not None:
            await self._end(end.said, end.detail)

    async def _reading(self) -> NoReturn:
        try:
            async with asyncio.timeout(_AUTH_S):
                await self._authenticating()
        except TimeoutError:
            raise EndedError(Said.AUTH_TIMEOUT) from None
        while True:
            asked = await self._asked()
            if asked.action == "auth":
                self._say(Said.ALREADY_AUTHENTICATED)
            elif asked.action == "subscribe":
                self._subscribe(asked)
            else:
                self._unsubscribe(asked)

    async def _authenticating(self) -> None:
        while self._key is None:
            asked = await self._asked()
            if asked.action == "auth":
                self._key = asked.key
            else:
                self._say(Said.NOT_AUTHENTICATED)
        with _told():
            self.principal = await admitted(self._websocket, self._key)
        if self._counting is not None:
            try:
                await self._counting.opened(self)
            except FiblakeError as error:
                raise EndedError(Said.TOO_MANY_CONNECTIONS, error.fact) from None
        self._say(Said.AUTHENTICATED)
        self._is_in.set()

    async def _watching(self) -> NoReturn:
        """End once the key holds no more."""
        await self._is_in.wait()
        while True:
            await asyncio.sleep(_WATCH_S)
            with _told():
                self.principal = await still_admitted(self._websocket, self._key)

    async def _writing(self) -> NoReturn:
        while True:
            await self._outbox.wait()
            while (frame := self._outbox.take()) is not None:
                await self._send(frame)
            if self._outbox.ended:
                raise EndedError(self._outbox.ended)

    async def _send(self, frame: bytes) -> None:
        try:
            async with asyncio.timeout(_STALLED_S):
                await self._websocket.send(self._written(frame))
        except TimeoutError:
            raise EndedError(Said.SLOW) from None

    def _written(self, frame: bytes) -> dict[str, Any]:
        told = {"text": frame.decode()} if self._dialect.is_text else {"bytes": frame}
        return {"type": "websocket.send", **told}

    async def _asked(self) -> Asked:
        """Return what the next frame that makes sense asks for."""
        while True:
            received = await self._websocket.receive()
            if received["type"] != "websocket.receive":
                raise EndedError(None)
            frame = received.get("text") or received.get("bytes") or b""
            try:
                return self._dialect.read(frame)
            except BadFrameError as error:
                self._bad += 1
                if self._bad > _MOST_BAD:
                    raise EndedError(Said.BAD_FRAME, "too many frames made no sense.") from None
                self._say(Said.BAD_FRAME, str(error))

    def _subscribe(self, asked: Asked) -> None:
        refused = list(asked.refused)
        why_not = {topic.stream: self._telling.why_not(topic.stream) for topic in asked.topics}
        refused += dict.fromkeys(why for why in why_not.values() if why)
        told = tuple(topic for topic in asked.topics if not why_not[topic.stream])
        for why in refused:
            self._say(Said.NOT_OFFERED, why)
        if len(self._topics.union(told)) > _MOST_TOPICS:
            self._say(Said.TOO_MANY_TOPICS, f"at most {_MOST_TOPICS} at once.")
            return
        self._topics.update(told)
        answers = self._dialect.subscribed(replace(asked, topics=told), self._topics)
        self._outbox.answer(answers)
        self._telling.subscribe(self._dialect, self._outbox, told)

    def _unsubscribe(self, asked: Asked) -> None:
        for why in asked.refused:
            self._say(Said.NOT_OFFERED, why)
        self._topics.difference_update(asked.topics)
        self._telling.unsubscribe(self._dialect, self._outbox, asked.topics)
        self._outbox.answer(self._dialect.subscribed(asked, self._topics))

    def _say(self, said: Said, detail: str = "") -> None:
        self._outbox.answer([self._dialect.say(said, detail)])

    async def _end(self, said: Said, detail: str) -> None:
        """Tell the client why, if it still takes anything, and close."""
        last = self._dialect.frame([self._dialect.say(said, detail)])
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._websocket.send(self._written(last))
        # Whoever does not answer is cut off.
        self._outlet.end(_LATER if said is Said.AWAY else _REFUSED, detail)
        await self._outlet.ended()


async def admitted(websocket: WebSocket, key: str) -> Principal:
    """Return who shows a key by which one may listen; it counts as a request.

    Raises:
        AccessError: If the key does not hold, or is asked with too often.
        ForbiddenError: If it lacks the scope; or where none is asked for, and a stranger's page
            asks.
        DatabaseError: If the database is away.
    """
    access = access_of(websocket)
    found = ANYONE
    if access is not None:
        found = await access.authenticate(key or None, address_of(websocket))
    return _welcome(websocket, found)


async def still_admitted(websocket: WebSocket, key: str | None) -> Principal:
    """Return who was admitted by a key, if it still holds.

    Raises:
        As `admitted`.
    """
    access = access_of(websocket)
    return _welcome(websocket, ANYONE if access is None else await access.still(key))


def _welcome(websocket: WebSocket, principal: Principal) -> Principal:
    access = access_of(websocket)
    if principal is ANYONE and access is not None:
        refuse_strangers(websocket, access)
    if "live" not in principal.scopes:
        fact = f"The key {principal.key} may not: it lacks the scope 'live'."
        raise ForbiddenError(fact)
    return principal


@contextmanager
def _told() -> Iterator[None]:
    """Let who is not admitted be told why."""
    try:
        yield
    except ForbiddenError as error:
        raise EndedError(Said.FORBIDDEN, error.fact) from None
    except TooManyRequestsError as error:
        raise EndedError(Said.AWAY, error.fact) from None
    except DatabaseError as error:
        # Where it is, is no business of who connects.
        _log.warning("keys cannot be read", error=str(error))
        detail = "The database of keys failed; the server's log says why."
        raise EndedError(Said.AWAY, detail) from None
    except AccessError as error:
        raise EndedError(Said.AUTH_FAILED, error.fact) from None


def _end_of(task: asyncio.Task[NoReturn]) -> EndedError:
    error = task.exception()
    if isinstance(error, EndedError):
        return error
    is_gone = isinstance(error, WebSocketDisconnect | RuntimeError)
    if not is_gone or isinstance(error, RecursionError):
        _log.error("a connection failed", exc_info=error)
        return EndedError(Said.AWAY)
    return EndedError(None)
