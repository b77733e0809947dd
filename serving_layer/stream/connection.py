"""One connection: who it is, what it asks for, and that it is still allowed to."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from lake.errors import (
    AccessError,
    DatabaseError,
    FiblakeError,
    ForbiddenError,
    TooManyRequestsError,
)
from serving_layer.auth import access_of, address_of, token_of
from serving_layer.auth.buckets import MemoryBuckets, Rate
from serving_layer.auth.principal import ANYONE
from serving_layer.auth.require import refuse_strangers
from serving_layer.stream.actions import RefusedActionError, parse_action
from serving_layer.stream.frames import FRAME_BYTES
from serving_layer.stream.socket import GOING_AWAY, outlet_of
from serving_layer.stream.subscriber import HIGH_BYTES, Subscriber

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from serving_layer.auth import Principal
    from serving_layer.stream.actions import Action, Id
    from serving_layer.stream.hub import Hub

NOT_TEXT: Final = 1003
NOT_AUTHENTICATED: Final = 4001
FORBIDDEN: Final = 4003
TOO_MANY: Final = 4009
TOO_BAD: Final = 4010
_LOOK_S: Final = 1.0
_SOON_S: Final = 0.02
_COUNTED: Final = frozenset({"bad_frame", "bad_action", "rate_limited"})


@dataclass(frozen=True, slots=True)
class Manners:
    """What connections may, and how they are treated.

    Attributes:
        auth_s: How long it may take to say who it is.
        heartbeat_s: After how long without any frame it is told that it lives.
        recheck_s: How often it is looked whether its key still holds.
        stalled_s: For how long it may take nothing while changes wait for it.
        idle_s: For how long a channel is kept that nobody subscribes to, for who comes back.
        channels: How many it may be subscribed to.
        actions: How often it may ask for something.
        bad: How often for what makes no sense.
    """

    auth_s: float = 10.0
    heartbeat_s: float = 15
    recheck_s: float = 2.0
    stalled_s: float = 30.0
    idle_s: float = 60.0
    channels: int = 1_000
    actions: Rate = field(default_factory=lambda: Rate(50, 500))
    bad: Rate = field(default_factory=lambda: Rate(0.1, 10))


class Counting(Protocol):
    """Who counts connections, and may refuse one that is too many."""

    async def opened(self, connection: Connection) -> None:
        """Count a connection, of which it is known whose it is.

        Raises:
            FiblakeError: If it is one too many: it is closed with 4009 and the fact.
        """
        ...

    async def closed(self, connection: Connection) -> None:
        """Count it no more; it may be that it never was."""
        ...


class Connection:
    """One WebSocket, from its handshake to its end.

    Args:
        websocket: Not accepted yet.
        hub: Tells of channels; None: there is no feed here.
        now: Tells the present, in UTC.
        manners: What it may.
        counting: Who counts it; None: nobody does.

    Attributes:
        id: Its own.
        address: Whence it comes.
        principal: Who it is; None until that is known.
    """

    def __init__(
        self,
        websocket: WebSocket,
        hub: Hub | None,
        now: Callable[[], dt.datetime],
        manners: Manners,
        counting: Counting | None = None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.address = address_of(websocket)
        self.principal: Principal | None = None
        self._websocket = websocket
        self._access = access_of(websocket)
        self._token = token_of(websocket)
        self._hub = hub
        self._now = now
        self._manners = manners
        self._counting = counting
        self._buckets = MemoryBuckets()
        self._opened_at = time.monotonic()
        self._checked_at = self._opened_at

    @property
    def channels(self) -> int:
        """How many channels it is subscribed to."""
        return len(self._subscriber.channels)

    async def run(self) -> None:
        """Serve it until it ends."""
        await self._websocket.accept()
        self._outlet = outlet_of(self._websocket)
        self._subscriber = Subscriber(self._outlet, time.monotonic())
        watch = asyncio.create_task(self._watch())
        try:
            if await self._is_let_in(self._at_handshake):
                self._welcome()
                await self._listen(watch)
        finally:
            watch.cancel()
            if self._hub is not None:
                self._hub.leave(self._subscriber)
            if self._counting is not None:
                await self._counting.closed(self)
            await self._outlet.ended()

    async def _listen(self, watch: asyncio.Task[None]) -> None:
        while self._outlet.is_open:
            receiving = asyncio.ensure_future(self._websocket.receive())
            # A client that was closed may never say that it heard so.
            await asyncio.wait((receiving, watch), return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                receiving.cancel()
                watch.result()  # what went wrong with it is our error too
                return
            message = receiving.result()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            if text is None:
                self._outlet.end(NOT_TEXT, "Binary frames are not understood: send JSON as text.")
                return
            await self._take(text)
            # Who does not read its answers is not read either.
            while self._outlet.waiting > HIGH_BYTES and self._outlet.is_open:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(_SOON_S)

    async def _take(self, text: str) -> None:
        try:
            self._must_be_allowed()
            action = parse_action(text)
            await self._do(action)
        except RefusedActionError as error:
            told = {"type": "error", "code": error.code, "message": error.fact}
            self._answer(told | {"hint": error.hint}, error.id)
            if error.code in _COUNTED:
                self._count_bad()

    def _must_be_allowed(self) -> None:
        if not self._buckets.take("actions", self._manners.actions).is_allowed:
            fact = f"Actions come too often. Allowed: {self._manners.actions.burst} at once."
            raise RefusedActionError(fact, "rate_limited", hint="name many channels in one action.")

    def _count_bad(self) -> None:
        if not self._buckets.take("bad", self._manners.bad).is_allowed:
            self._outlet.end(TOO_BAD, "Too many bad frames.")

    async def _do(self, action: Action) -> None:
        try:
            if action.act == "ping":
                self._answer({"type": "pong", "time": self._now()}, action.id)
            elif action.act == "auth":
                await self._is_let_in(lambda: self._by_frame(action))
            elif action.act == "subscribe":
                self._subscribe(action, self._hub_for_known())
            else:
                self._unsubscribe(action, self._hub_for_known())
        except RefusedActionError as error:
            error.id = action.id
            raise

    def _hub_for_known(self) -> Hub:
        """Return the hub, if it is known who asks."""
        if self.principal is None:
            fact = "It is not known who asks."
            hint = 'first send {"action":"auth","key":"fib_..."}.'
            raise RefusedActionError(fact, "not_authenticated", hint=hint)
        if self._hub is None:
            fact = "There is no live feed here whose changes could be told."
            raise RefusedActionError(fact, "no_feed", hint="fiblake up --feed replay:sample@60x.")
        return self._hub

    def _subscribe(self, action: Action, hub: Hub) -> None:
        names = [str(name) for name in action.channels]
        if len(self._subscriber.channels.keys() | set(names)) > self._manners.channels:
            most = self._manners.channels
            fact = f"A connection has at most {most:,} channels; it would have more."
            hint = "subscribe to price:*, or open another connection."
            raise RefusedActionError(fact, "too_many_channels", hint=hint)
        self._answer({"type": "subscribed", "channels": names}, action.id)
        is_ours = action.stream == hub.id
        hub.subscribe(self._subscriber, action.channels, action.resume, is_ours=is_ours)

    def _unsubscribe(self, action: Action, hub: Hub) -> None:
        hub.unsubscribe(self._subscriber, action.channels)
        names = [str(name) for name in action.channels]
        self._answer({"type": "unsubscribed", "channels": names}, action.id)

    def _welcome(self) -> None:
        limits = {"channels": self._manners.channels, "frame_bytes": FRAME_BYTES}
        self._answer(
            {
                "type": "welcome",
                "stream": self._hub.id if self._hub else "",
                "authenticated": self.principal is not None,
                "heartbeat_seconds": self._manners.heartbeat_s,
                "limits": limits,
            }
        )

    async def _at_handshake(self) -> None:
        """Admit who shows a key at the handshake, or need not show any."""
        if self._access is None or self._token or await self._access.is_open():
            await self._admit(self._token)

    async def _by_frame(self, action: Action) -> None:
        """Admit who shows a key in a frame; who was admitted, with another one of his."""
        await self._admit(action.key)
        assert self.principal is not None  # noqa: S101 - it was admitted; tells mypy so
        told = {
            "type": "authenticated",
            "owner": self.principal.owner,
            "scopes": sorted(self.principal.scopes),
            "expires": self.principal.expires,
        }
        self._answer(told, action.id)

    async def _admit(self, token: str | None) -> None:
        found = ANYONE
        if self._access is not None:
            found = await self._access.authenticate(token, self.address)
        self._must_be_welcome(found)
        before = self.principal
        if before is not None and before.key != found.key:
            fact = "The connection is another key's."
            raise ForbiddenError(fact, hint="open another one.")
        self.principal, self._token = found, token
        if before is None and self._counting is not None:
            await self._counting.opened(self)

    def _must_be_welcome(self, principal: Principal) -> None:
        if principal is ANYONE and self._access is not None:
            refuse_strangers(self._websocket, self._access)
        if "live" not in principal.scopes:
            fact = f"The key {principal.key} may not: it lacks the scope 'live'."
            raise ForbiddenError(fact)

    async def _is_let_in(self, admitting: Callable[[], Any]) -> bool:
        """Return whether it is admitted, or need not be yet; else it is closed."""
        try:
            await admitting()
        except TooManyRequestsError as error:
            self._outlet.end(TOO_MANY, error.fact)
        except ForbiddenError as error:
            self._outlet.end(FORBIDDEN, error.fact)
        except AccessError as error:
            self._outlet.end(NOT_AUTHENTICATED, error.fact)
        except DatabaseError:
            self._outlet.end(GOING_AWAY, "Keys cannot be read at the moment: connect again.")
        except FiblakeError as error:  # of who counts: it is one too many
            self._outlet.end(TOO_MANY, error.fact)
        return self._outlet.is_open

    async def _watch(self) -> None:
        """Now and then, see that it lives, that it said who it is, and that its key still holds."""
        # Not all at once, where a thousand come at once.
        await asyncio.sleep(random.uniform(0, _LOOK_S))  # noqa: S311 - no secret
        while self._outlet.is_open:
            now = time.monotonic()
            if self.principal is None:
                if now - self._opened_at > self._manners.auth_s:
                    fact = f"No key was shown within {self._manners.auth_s:.0f} s."
                    self._outlet.end(NOT_AUTHENTICATED, fact)
            elif now - self._checked_at > self._manners.recheck_s:
                self._checked_at = now
                await self._is_let_in(self._still)
            is_quiet = now - self._subscriber.told_at > self._manners.heartbeat_s
            if is_quiet and self._outlet.waiting <= HIGH_BYTES:
                self._answer({"type": "heartbeat", "time": self._now()})
            await asyncio.sleep(_LOOK_S)

    async def _still(self) -> None:
        if self._access is None:
            return
        found = await self._access.still(self._token)
        self._must_be_welcome(found)
        self.principal = found

    def _answer(self, told: dict[str, Any], of: Id = None) -> None:
        if of is not None:
            told["id"] = of
        self._subscriber.answer(time.monotonic(), told)
