"""Refusing requests that are too large: before they are read where they say so, else while."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from serving_layer.auth.query_key import query_bytes
from serving_layer.problems import refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from serving_layer.auth.borders import Borders

_TOO_LARGE: Final = HTTPStatus(413)  # its name is not the same in all versions of Python
_TOO_LONG: Final = HTTPStatus(414)
_DIGITS: Final = 18


class Sizes:
    """Refuses what is larger than the borders allow; ASGI. Sockets' messages are not its affair."""

    def __init__(self, app: ASGIApp, borders: Borders) -> None:
        self._app = app
        self._borders = borders

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = len(scope.get("raw_path") or b"") + query_bytes(scope)
        if asked > self._borders.max_query_bytes:
            detail = self._too_long(asked)
            await refusal(scope, _TOO_LONG, detail)(scope, receive, send)
        elif _said(scope) > self._borders.max_body_bytes:
            detail = self._too_large()
            await refusal(scope, _TOO_LARGE, detail)(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        got = 0

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._borders.max_body_bytes:
                raise HTTPException(_TOO_LARGE, self._too_large())
            return message

        return counted

    def _too_large(self) -> str:
        return f"The body is too large. Allowed: {self._borders.max_body_bytes:,} bytes."

    def _too_long(self, asked: int) -> str:
        allowed = self._borders.max_query_bytes
        return f"The path and query have {asked:,} bytes. Allowed: {allowed:,}."


def _said(scope: Scope) -> int:
    """Return how large a body says to be; 0: it does not say."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            digits = value.lstrip(b"0")
            # Python refuses to read thousands of them.
            return int(digits or b"0") if len(digits) <= _DIGITS else 10**_DIGITS
    return 0
