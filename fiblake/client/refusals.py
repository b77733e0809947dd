"""Why a stream was not had, or ended, as errors. Source: docs/stream.md, its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lake.errors import (
    AccessError,
    FiblakeError,
    ForbiddenError,
    InvalidIntervalError,
    MisuseError,
    NoFeedError,
    ServerError,
    ServerUnavailableError,
    TooManyRequestsError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLOSED: Final[dict[int, tuple[type[FiblakeError], str]]] = {
    1009: (ServerError, "is the client of the server's version?"),
    4001: (AccessError, "give a key that holds: Client(url, key), or set FIBLAKE_KEY."),
    4003: (ForbiddenError, "give a key that has the scope live."),
    4009: (TooManyRequestsError, "close other streams of this key."),
    4010: (MisuseError, "is the client of the server's version?"),
}
_REFUSED: Final[dict[str, type[FiblakeError]]] = {
    "bad_frame": MisuseError,
    "bad_action": MisuseError,
    "bad_channel": MisuseError,
    "unknown_interval": InvalidIntervalError,
    "not_authenticated": AccessError,
    "forbidden": ForbiddenError,
    "too_many_channels": MisuseError,
    "no_feed": NoFeedError,
    "rate_limited": TooManyRequestsError,
}


def closed(url: str, code: int, reason: str) -> FiblakeError:
    """Return the error of a connection that was closed; ServerUnavailableError: try again."""
    kind, hint = _CLOSED.get(code, (ServerUnavailableError, ""))
    why = reason.rstrip(".") or "it does not say why"
    return kind(f"{url} ended the stream: {why} ({code}).", hint=hint)


def refused(told: Mapping[str, Any]) -> FiblakeError:
    """Return the error of a subscription that was refused."""
    kind = _REFUSED.get(told["code"], ServerError)
    return kind(told["message"], hint=told.get("hint") or "")


def unreachable(url: str, error: Exception) -> ServerUnavailableError:
    """Return the error of a connection that was not had."""
    why = str(error).rstrip(".") or type(error).__name__
    hint = "is fiblake up running there, and is the port the one it printed?"
    return ServerUnavailableError(f"{url} does not answer: {why}.", hint=hint)
