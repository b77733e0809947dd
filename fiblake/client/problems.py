"""The errors of a server's answers: of its problem documents those that a `Lake` raises.

Source: RFC 9457, with `hint` and `code` beside; `code` names the kind of error.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import orjson

from lake.errors import (
    AccessError,
    DatasetChangedError,
    FiblakeError,
    ForbiddenError,
    MisuseError,
    NotFoundError,
    ServerError,
    ServerUnavailableError,
    TooManyRequestsError,
    kind_of,
)

_KINDS: Final[dict[int, type[FiblakeError]]] = {
    400: MisuseError,
    401: AccessError,
    403: ForbiddenError,
    404: NotFoundError,
    406: MisuseError,
    409: DatasetChangedError,
    413: MisuseError,
    414: MisuseError,
    422: MisuseError,
    429: TooManyRequestsError,
    502: ServerUnavailableError,
    503: ServerUnavailableError,
    504: ServerUnavailableError,
}
"""Of answers without a code, as a proxy's."""
_NO_KEY: Final = "give a key: Client(url, key), or set FIBLAKE_KEY."


def error_of(url: str, status: int, body: bytes, retry_after: str | None = None) -> FiblakeError:
    """Return the error that an answer tells.

    Args:
        url: Of the server.
        status: From 300 on.
        body: Of the answer: a problem document, or anything.
        retry_after: The header of that name; in seconds.
    """
    told = _document(body)
    if told is None:
        return _strange(url, status)
    kind = kind_of(str(told.get("code", ""))) or _KINDS.get(status, ServerError)
    fact, hint = str(told["detail"]), str(told.get("hint", ""))
    if kind is AccessError:
        hint = hint or _NO_KEY
    if kind is TooManyRequestsError:
        return TooManyRequestsError(fact, hint=hint, retry_after_s=_seconds(retry_after))
    return kind(fact, hint=hint)


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    is_problem = isinstance(told, dict) and "detail" in told and "status" in told
    return told if is_problem else None


def _strange(url: str, status: int) -> FiblakeError:
    """Return the error of an answer that is no problem document: some other server's."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    fact = f"{url} answers {status} {phrase}".rstrip() + "."
    if status in {502, 503, 504}:
        return ServerUnavailableError(fact, hint="a proxy is there, and no server behind it?")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return TooManyRequestsError(fact, hint="ask less often.")
    return ServerError(fact, hint="is that the URL of a fiblake server, its path included?")


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdigit() else 1.0
