"""Headers of every answer: what a browser must not do with it, and how often one may ask again.

Source: RateLimit-* as of draft-ietf-httpapi-ratelimit-headers-07, seconds from now.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders

from serving_layer.problems import defect

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from serving_layer.auth.buckets import Verdict

_COMMON: Final = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data: blob:; font-src 'self';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'; style-src 'self' 'unsafe-inline'"
)
_POLICY: Final = f"{_COMMON}; script-src 'self'"
_POLICY_OF_DOCS: Final = f"{_COMMON}; script-src 'self' 'unsafe-inline'; worker-src blob:"
"""The pages that tell the API have scripts within, and a worker."""
_DOCS: Final = ("/docs", "/redoc")
_FIXED: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


_ASKED_AGAIN: Final = "/web/"
"""Parts of the page: a browser would guess how long they hold, and mix those of two releases."""


class Headers:
    """Adds them to each answer over HTTP, and changes nothing else; ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_FIXED)
                headers.setdefault("Content-Security-Policy", _policy(scope["path"]))
                if scope["path"].startswith(_ASKED_AGAIN) or scope["path"] == "/":
                    headers.setdefault("Cache-Control", "no-cache")
                if "principal" in state:
                    headers.setdefault("Cache-Control", "private")
                headers.update(_rate(state.get("verdict")))
                begun = True
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception:
            # Whoever answers it further out knows nothing of headers, and answers once.
            if not begun:
                await defect(scope)(scope, receive, with_headers)
            raise


def _policy(path: str) -> str:
    return _POLICY_OF_DOCS if path.startswith(_DOCS) else _POLICY


def _rate(verdict: Verdict | None) -> dict[str, str]:
    if verdict is None:
        return {}
    return {
        "RateLimit-Limit": str(verdict.limit),
        "RateLimit-Remaining": str(verdict.left),
        "RateLimit-Reset": str(math.ceil(verdict.full_in_s)),
    }
