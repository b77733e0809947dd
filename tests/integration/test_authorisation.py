"""Which key may ask for what: every route by every scope, and by keys that do not hold."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette.routing import WebSocketRoute

from serving_layer.auth import SCOPES, Scope
from serving_layer.auth.principal import Principal
from serving_layer.auth.require import ACCESS_PROBLEMS
from tests.access import FOREIGN, OPEN, Guarded, asked, bad_keys, routes

OPEN_FOLDERS = {"/web", "/static-offline-docs"}
"""These parts."""
SCOPE_OF: dict[str, Scope | None] = {
    "/v1/keys": "admin",
    "/v1/audit": "admin",
    "/v1/connections": "admin",
    "/v1/token": None,
    "/v1/live": "live",
    "/v1/stream": "live",
    "/v1/prices": "live",
    "/v1/alerts": "alerts",
    "/v2/last": "live",
    "/v2/stocks/bars/latest": "live",
    "/v2/stocks/{symbol}/bars/latest": "live",
}
"""By the beginning of a path; all else is `read`, and what is None takes any key."""
REFUSED = {401, 403}


def scope_of(path: str) -> Scope | None:
    found = [scope for begin, scope in SCOPE_OF.items() if path.startswith(begin)]
    return found[0] if found else "read"


def told(app: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the method and path of each route that OpenAPI tells, and what it tells of it."""
    for path, methods in app.openapi()["paths"].items():
        if path not in OPEN:
            yield from ((method.upper(), path, each) for method, each in methods.items())


def test_each_route_is_for_one_scope_and_no_other_key_may(key_server: Guarded) -> None:
    keys = {scope: key_server.key(scope).secret for scope in SCOPES}
    wrong = []
    for method, path in routes(key_server.app):
        wanted = scope_of(path)
        answers = key_server.ask(*(asked(method, path, key) for key in keys.values()))
        let_in = {
            scope
            for scope, answer in zip(keys, answers, strict=True)
            if answer.status_code not in REFUSED
        }
        if let_in != ({wanted} if wanted else set(SCOPES)):
            wrong.append((method, path, sorted(let_in)))

    assert [] == wrong


def test_on_no_route_does_a_key_get_in_that_does_not_hold(key_server: Guarded) -> None:
    bad = bad_keys(key_server)
    let_in = []
    for method, path in routes(key_server.app):
        headers = [{"X-API-Key": key.encode()} if key else {} for key in bad.values()]
        route = asked(method, path, "")[:2]
        answers = key_server.ask(*((*route, {"headers": each}) for each in headers))
        let_in += [
            (method, path, kind)
            for kind, answer in zip(bad, answers, strict=True)
            if (answer.status_code, answer.headers.get("www-authenticate")) != (401, "Bearer")
        ]

    assert [] == let_in


def test_each_route_tells_that_it_may_refuse_and_how_a_key_is_shown(key_server: Guarded) -> None:
    found = {(method, path): each for method, path, each in told(key_server.app)}
    expected = {str(status) for status in ACCESS_PROBLEMS}

    assert {"/v1/bars", "/v1/keys"} <= {path for _, path in found}
    assert [] == [route for route, each in found.items() if not expected <= set(each["responses"])]
    ways: list[dict[str, list[str]]] = [{"bearer": []}, {"header": []}, {"query": []}]
    assert [] == [route for route, each in found.items() if each["security"] != ways]


def test_no_route_is_hidden_from_openapi_but_the_page(key_server: Guarded) -> None:
    shown = {(method, path) for method, path, _ in told(key_server.app)}
    served = {(method, re.sub(r":\w+}", "}", path)) for method, path in routes(key_server.app)}

    assert shown == served


def test_every_route_is_in_one_of_the_tables(key_server: Guarded) -> None:
    others = {
        (type(route.original_route).__name__, route.path)
        for route in iter_route_contexts(key_server.app.routes)
        if not route.methods and not isinstance(route.original_route, WebSocketRoute)
    }

    assert {("Mount", path) for path in OPEN_FOLDERS} == others


def test_a_route_that_asks_for_no_key_is_seen(key_server: Guarded) -> None:
    router = APIRouter()
    router.add_api_route("/v1/new/{name:path}", lambda: "in", include_in_schema=False)
    key_server.app.include_router(router)
    key_server.key()

    assert ("GET", "/v1/new/{name:path}") in set(routes(key_server.app))
    assert 200 == key_server.ask(asked("GET", "/v1/new/{name:path}", ""))[0].status_code


def test_what_is_open_needs_no_key(key_server: Guarded) -> None:
    key_server.key()
    paths = [*sorted(OPEN), "/docs", "/redoc", "/openapi.json", "/web/chart.js"]

    assert [200] * len(paths) == [key_server.get(path).status_code for path in paths]


def test_a_refusal_says_what_is_wrong_and_what_to_do(key_server: Guarded) -> None:
    made = key_server.key("read", "alerts")
    none, wrong = (
        key_server.get("/v1/symbols").json(),
        key_server.get("/v1/symbols", FOREIGN).json(),
    )
    lacking = key_server.get("/v1/live/AAPL", made.secret).json()

    assert ("Unauthorized", 401, "No key was shown.") == tuple(none.values())[1:4]
    assert none["hint"].startswith("send it as Authorization: Bearer KEY, as X-API-Key, or")
    assert "The key is not one of this server's." == wrong["detail"]
    assert FOREIGN not in str(wrong)
    assert ("Forbidden", 403) == (lacking["title"], lacking["status"])
    assert f"The key {made.key.key} may not: it lacks the scope 'live'." == lacking["detail"]
    assert "show one that has it; this one has alerts, read." == lacking["hint"]


@pytest.mark.parametrize(
    "shown",
    [
        {"headers": {"Authorization": "Bearer KEY"}},
        {"headers": {"Authorization": "bearer  KEY "}},
        {"headers": {"X-API-Key": "KEY"}},
        {"headers": {"APCA-API-KEY-ID": "any", "APCA-API-SECRET-KEY": "KEY"}},
        {"params": {"apiKey": "KEY", "query": "goo"}},
        {"params": {"query": "goo", "apiKey": "KEY"}},
    ],
)
def test_a_key_may_be_shown_in_any_of_these_ways(
    key_server: Guarded, shown: dict[str, Any]
) -> None:
    key = key_server.key("read").secret
    placed: dict[str, Any] = {
        kind: {name: value.replace("KEY", key) for name, value in named.items()}
        for kind, named in shown.items()
    }

    assert 200 == key_server.request("GET", "/v1/symbols", **placed).status_code


def test_a_key_in_the_query_is_not_there_any_more_where_logs_look(key_server: Guarded) -> None:
    seen: list[bytes] = []

    async def see(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["query_string"])
        await inner(scope, receive, send)

    inner = key_server.app.router.middleware_stack
    key_server.app.router.middleware_stack = see
    key = key_server.key("read").secret
    key_server.get(f"/v1/symbols?query=a%20b&apiKey={key}&limit=2&%61piKey=x")

    assert [b"query=a%20b&limit=2"] == seen


def test_who_holds_a_connection_asks_for_itself(key_server: Guarded) -> None:
    made = key_server.key("live", expires=dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
    found = asyncio.run(key_server.access.authenticate(made.secret, "10.0.0.1"))

    expected = Principal(made.key.key, "test", frozenset({"live"}), made.key.expires)
    assert expected == found
