"""The dependency that guards routes: `require("read")` lets in who may, and tells OpenAPI so."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Security
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.openapi.models import SecurityBase as SchemeModel
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from lake.errors import ForbiddenError
from serving_layer.auth.principal import ANYONE, Principal
from serving_layer.auth.query_key import QUERY_NAME, moved_key
from serving_layer.problems import documented

if TYPE_CHECKING:
    from serving_layer.auth.access import Access
    from serving_layer.auth.principal import Scope

ACCESS_PROBLEMS: Final = documented(401, 403, 429, 503)
"""What guarded routes say of the errors that they may answer with, beside their own."""
_HEADERS: Final = ("x-api-key", "apca-api-secret-key")
"""Ours, and the one in which Alpaca's client sends its secret."""


class _Scheme(SecurityBase):
    """A way to show a key; for OpenAPI alone, since `token_of` reads all of them."""

    def __init__(self, name: str, model: SchemeModel) -> None:
        self.scheme_name = name
        self.model = model

    async def __call__(self) -> None:
        """Do nothing."""


_BEARER: Final = _Scheme("bearer", HTTPBearer(description="A key, or a token of POST /v1/token."))
_HEADER: Final = _Scheme(
    "header", APIKey.model_validate({"in": APIKeyIn.header, "name": "X-API-Key"})
)
_QUERY: Final = _Scheme("query", APIKey.model_validate({"in": APIKeyIn.query, "name": QUERY_NAME}))


class _Guard:
    def __init__(self, scope: Scope | None) -> None:
        self._scope = scope

    async def __call__(
        self,
        connection: HTTPConnection,
        _bearer: Annotated[None, Security(_BEARER)],
        _header: Annotated[None, Security(_HEADER)],
        _query: Annotated[None, Security(_QUERY)],
    ) -> Principal:
        principal = await _principal_of(connection)
        if self._scope is not None and self._scope not in principal.scopes:
            raise _forbidden(principal, self._scope)
        return principal


def require(scope: Scope | None = None) -> Any:  # noqa: ANN401 - as of FastAPI's own Depends
    """Return a dependency that lets in who has a scope; None: whoever shows a key that holds.

    It is for routers and routes, HTTP and WebSocket, and gives the `Principal`.
    """
    return Depends(_Guard(scope))


def access_of(connection: HTTPConnection) -> Access | None:
    """Return who may ask this app; None: anyone, and nobody is counted."""
    access: Access | None = connection.app.state.access
    return access


def token_of(connection: HTTPConnection) -> str | None:
    """Return the key or the token that is shown: as a bearer's, in a header, or in the query."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    shown = (connection.headers.get(name) for name in _HEADERS)
    return next((each for each in shown if each), None) or moved_key(connection.scope)


def address_of(connection: HTTPConnection) -> str:
    """Return whence a connection comes: the address of the client, or of its last proxy."""
    return connection.client.host if connection.client else "unknown"


async def _principal_of(connection: HTTPConnection) -> Principal:
    """Return who asks; of a connection it is found out, and counted, once."""
    access = access_of(connection)
    if access is None:
        return ANYONE
    known: Principal | None = getattr(connection.state, "principal", None)
    if known is None:
        admission = await access.admit(token_of(connection), address_of(connection))
        known = admission.principal
        connection.state.verdict = admission.verdict
        connection.state.principal = known
    if known is ANYONE:
        refuse_strangers(connection, access)
    return known


def refuse_strangers(connection: HTTPConnection, access: Access) -> None:
    """Refuse, where no key is asked for, what another site's page lets a browser ask.

    Such a page reaches this machine by its address, or by a name of its own that leads here.

    Raises:
        ForbiddenError: If the host or the origin asked with is not of this machine.
    """
    host = connection.headers.get("host", "")
    origin = connection.headers.get("origin")
    is_ours = not host or _is_here(f"//{host}")
    if origin is not None and origin not in access.borders.origins:
        is_ours = is_ours and _is_here(origin)
    if not is_ours:
        fact = f"No key was created yet: pages of {origin or host!r} may not ask this machine."
        raise ForbiddenError(fact, hint="fiblake keys create NAME, and show that key.")


def _is_here(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _forbidden(principal: Principal, scope: Scope) -> ForbiddenError:
    if principal is ANYONE:
        fact = "The first key is created on the command line."
        return ForbiddenError(fact, hint=f"fiblake keys create NAME --scope {scope}.")
    fact = f"The key {principal.key} may not: it lacks the scope {scope!r}."
    has = ", ".join(sorted(principal.scopes)) or "none"
    return ForbiddenError(fact, hint=f"show one that has it; this one has {has}.")
