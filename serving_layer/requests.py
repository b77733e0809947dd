"""Each request as those see it who run the server: a trace, a line of the log, and what it took.

The trace is the caller's, by W3C's `traceparent`, or else made here. It is in every line of the log
that the request makes, in the answer's `X-Request-Id` and `traceparent`, and in problems.

Source: https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Final

import structlog
from starlette.datastructures import MutableHeaders

from lake import metrics
from lake.measuring import Measured, Spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOUNDS_S: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)
"""Of the buckets that answers are sorted into by how long they took."""
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
)
_NOTHING: Final = "0"
_UNKNOWN: Final = "unknown"
"""The route of what has none: a raw path would be another label for each that somebody tries."""
_FAILED: Final = 500
_log = structlog.get_logger(__name__)


class Requests:
    """What is counted of requests; of threads and event loops alike."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._counts: dict[str, list[int]] = {}
        self._took_s: dict[str, float] = {}
        self.streams = 0

    def answered(self, route: str, status: int, took_s: float) -> None:
        """Count an answer."""
        with self._turn:
            self._answers[route, str(status)] += 1
            counts = self._counts.setdefault(route, [0] * (len(BOUNDS_S) + 1))
            counts[bisect_left(BOUNDS_S, took_s)] += 1
            self._took_s[route] = self._took_s.get(route, 0.0) + took_s

    def moved(self, streams: int) -> None:
        """Count streams that were opened, or closed."""
        with self._turn:
            self.streams += streams

    def measured(self) -> Iterator[Measured | Spread]:
        """Yield what was counted."""
        with self._turn:
            answers, took_s = dict(self._answers), dict(self._took_s)
            counts = {route: tuple(each) for route, each in self._counts.items()}
        for key, count in answers.items():
            yield Measured(metrics.REQUESTS, count, key)
        for route, each in counts.items():
            yield Spread(metrics.REQUEST_SECONDS, BOUNDS_S, each, took_s[route], (route,))
        yield Measured(metrics.CONNECTIONS, self.streams)


class Traced:
    """Counts and traces each request, and logs how it ended; ASGI, in front of all else.

    Args:
        app: What answers.
        requests: What they are counted in.
    """

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        trace = _trace_of(scope) or secrets.token_hex(16)
        with structlog.contextvars.bound_contextvars(trace=trace):
            if scope["type"] == "http":
                await self._answer(scope, receive, send, trace)
            else:
                await self._serve(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, trace: str) -> None:
        begun, status = time.perf_counter(), _FAILED
        told = {"x-request-id": trace, "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}

        async def with_trace(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(told)
            await send(message)

        try:
            await self._app(scope, receive, with_trace)
        finally:
            took_s, route = time.perf_counter() - begun, _route_of(scope)
            self._requests.answered(route, status, took_s)
            _log.info(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                ms=round(took_s * 1000, 3),
                key=_key_of(scope),
            )

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, is_open = time.perf_counter(), False

        async def counted(message: Message) -> None:
            nonlocal is_open
            if message["type"] == "websocket.accept":
                is_open = True
                self._requests.moved(+1)
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            if is_open:
                self._requests.moved(-1)
            lasted_s = round(time.perf_counter() - begun, 3)
            _log.info("stream", route=_route_of(scope), accepted=is_open, seconds=lasted_s)


def current_trace() -> str | None:
    """Return the trace of the request that is being answered; None: there is none."""
    found: str | None = structlog.contextvars.get_contextvars().get("trace")
    return found


def _trace_of(scope: Scope) -> str | None:
    """Return the trace that the caller tells; None: it tells none that can be."""
    given = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
    match = _TRACEPARENT.fullmatch(given.decode("latin-1").strip())
    if match is None or not match[1].strip(_NOTHING) or not match[2].strip(_NOTHING):
        return None
    return match[1]


def _route_of(scope: Scope) -> str:
    """Return the template of what was asked for, never the path itself."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is None and "endpoint" in scope:
        path = f"{scope.get('root_path', '')}/*"  # of what is mounted, as the page's files
    return path or _UNKNOWN


def _key_of(scope: Scope) -> str | None:
    """Return the public part of the key that was shown."""
    principal = scope.get("state", {}).get("principal")
    return getattr(principal, "key", None) or None
