"""A key in the query, as vendors' clients send it, moved to where no log looks.

Whatever writes a request's URL down, this server's or an error's trace, does so after this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

QUERY_NAME: Final = "apiKey"
_STATE: Final = "query_key"
_SIZE: Final = "query_bytes"


class QueryKey:
    """Takes the key out of the query of each request; ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, without a key in its query."""
        query = scope.get("query_string", b"")
        if QUERY_NAME.encode() in query:
            scope.setdefault("state", {})[_SIZE] = len(query)
            parts = query.decode("latin-1").split("&")
            keys = [part for part in parts if _name(part) == QUERY_NAME]
            rest = "&".join(part for part in parts if _name(part) != QUERY_NAME)
            scope["query_string"] = rest.encode("latin-1")
            if keys:
                scope["state"][_STATE] = unquote_plus(keys[-1].partition("=")[2])
        await self._app(scope, receive, send)


def moved_key(scope: Scope) -> str | None:
    """Return the key that was in the query of a request, if one was."""
    found: str | None = scope.get("state", {}).get(_STATE)
    return found


def query_bytes(scope: Scope) -> int:
    """Return how long the query of a request was as it came, with what was taken out of it."""
    asked: int = scope.get("state", {}).get(_SIZE, len(scope["query_string"]))
    return asked


def _name(part: str) -> str:
    return unquote_plus(part.partition("=")[0])
