"""Which key may ask for what: every route by every scope, and by keys that do not hold."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from sqlalchemy import Engine, event
from starlette.routing import WebSocketRoute

from lake.settings import Settings
from serving_layer.auth import SCOPES, Scope
from serving_layer.auth.known import FRESH_S, MISS_S
from serving_layer.auth.principal import Principal
from serving_layer.auth.require import ACCESS_PROBLEMS
from tests.access import ACTOR, FOREIGN, Guarded, MakeGuarded
from tests.alerts import Owner, fire, rule

SECRET = "a secret of tokens that is long enough for any way to sign, of 64 bytes"  # noqa: S105 - the test's own
DOCUMENTATION = {"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}
OPEN = {"/", "/health/live", "/health/ready", *DOCUMENTATION}
"""What anyone may ask for; beside the parts of pages."""
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


def routes(app: Any) -> Iterator[tuple[str, str]]:
    """Yield the method and path of each route over HTTP, hidden or not, that is not open to all."""
    for route in iter_route_contexts(app.routes):
        if route.methods and route.path not in OPEN:
            yield from ((method, str(route.path)) for method in sorted(route.methods))


def told(app: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the method and path of each route that OpenAPI tells, and what it tells of it."""
    for path, methods in app.openapi()["paths"].items():
        if path not in OPEN:
            yield from ((method.upper(), path, each) for method, each in methods.items())


def asked(method: str, path: str, key: str) -> tuple[str, str, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return method, re.sub(r"{(\w+)[^}]*}", r"\1", path), {"headers": headers}


@pytest.fixture
def server(make_guarded: MakeGuarded) -> Guarded:
    return make_guarded(token_secret=SECRET)


def test_each_route_is_for_one_scope_and_no_other_key_may(server: Guarded) -> None:
    keys = {scope: server.key(scope).secret for scope in SCOPES}
    wrong = []
    for method, path in routes(server.app):
        wanted = scope_of(path)
        answers = server.ask(*(asked(method, path, key) for key in keys.values()))
        let_in = {
            scope
            for scope, answer in zip(keys, answers, strict=True)
            if answer.status_code not in REFUSED
        }
        if let_in != ({wanted} if wanted else set(SCOPES)):
            wrong.append((method, path, sorted(let_in)))

    assert [] == wrong


def bad_keys(server: Guarded) -> dict[str, str]:
    revoked, expired = server.key(), server.key(expires=dt.datetime(2026, 1, 6, tzinfo=dt.UTC))
    half = server.key().secret
    server.clock.instant = dt.datetime(2026, 1, 7, tzinfo=dt.UTC)
    server.request("DELETE", f"/v1/keys/{revoked.key.key}", server.key("admin").secret)
    return {
        "none": "",
        "expired": expired.secret,
        "revoked": revoked.secret,
        "foreign": FOREIGN,
        "half of one": half[:-1],
        "one with another end": half[:-4] + ("0000" if half[-4:] != "0000" else "1111"),
        "its digest": server.key().secret[:15] + "0" * 48,
        "text": "é key",
        "a token of no key": "a.b.c",
    }


def test_on_no_route_does_a_key_get_in_that_does_not_hold(server: Guarded) -> None:
    bad = bad_keys(server)
    let_in = []
    for method, path in routes(server.app):
        headers = [{"X-API-Key": key.encode()} if key else {} for key in bad.values()]
        route = asked(method, path, "")[:2]
        answers = server.ask(*((*route, {"headers": each}) for each in headers))
        let_in += [
            (method, path, kind)
            for kind, answer in zip(bad, answers, strict=True)
            if (answer.status_code, answer.headers.get("www-authenticate")) != (401, "Bearer")
        ]

    assert [] == let_in


def test_each_route_tells_that_it_may_refuse_and_how_a_key_is_shown(server: Guarded) -> None:
    found = {(method, path): each for method, path, each in told(server.app)}
    expected = {str(status) for status in ACCESS_PROBLEMS}

    assert {"/v1/bars", "/v1/keys"} <= {path for _, path in found}
    assert [] == [route for route, each in found.items() if not expected <= set(each["responses"])]
    ways: list[dict[str, list[str]]] = [{"bearer": []}, {"header": []}, {"query": []}]
    assert [] == [route for route, each in found.items() if each["security"] != ways]


def test_no_route_is_hidden_from_openapi_but_the_page(server: Guarded) -> None:
    shown = {(method, path) for method, path, _ in told(server.app)}
    served = {(method, re.sub(r":\w+}", "}", path)) for method, path in routes(server.app)}

    assert shown == served


def test_every_route_is_in_one_of_the_tables(server: Guarded) -> None:
    others = {
        (type(route.original_route).__name__, route.path)
        for route in iter_route_contexts(server.app.routes)
        if not route.methods and not isinstance(route.original_route, WebSocketRoute)
    }

    assert {("Mount", path) for path in OPEN_FOLDERS} == others


def test_a_route_that_asks_for_no_key_is_seen(server: Guarded) -> None:
    router = APIRouter()
    router.add_api_route("/v1/new/{name:path}", lambda: "in", include_in_schema=False)
    server.app.include_router(router)
    server.key()

    assert ("GET", "/v1/new/{name:path}") in set(routes(server.app))
    assert 200 == server.ask(asked("GET", "/v1/new/{name:path}", ""))[0].status_code


def test_what_is_open_needs_no_key(server: Guarded) -> None:
    server.key()
    paths = [*sorted(OPEN), "/docs", "/redoc", "/openapi.json", "/web/chart.js"]

    assert [200] * len(paths) == [server.get(path).status_code for path in paths]


def test_a_refusal_says_what_is_wrong_and_what_to_do(server: Guarded) -> None:
    made = server.key("read", "alerts")
    none, wrong = server.get("/v1/symbols").json(), server.get("/v1/symbols", FOREIGN).json()
    lacking = server.get("/v1/live/AAPL", made.secret).json()

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
def test_a_key_may_be_shown_in_any_of_these_ways(server: Guarded, shown: dict[str, Any]) -> None:
    key = server.key("read").secret
    placed: dict[str, Any] = {
        kind: {name: value.replace("KEY", key) for name, value in named.items()}
        for kind, named in shown.items()
    }

    assert 200 == server.request("GET", "/v1/symbols", **placed).status_code


def test_a_key_in_the_query_is_not_there_any_more_where_logs_look(server: Guarded) -> None:
    seen: list[bytes] = []

    async def see(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["query_string"])
        await inner(scope, receive, send)

    inner = server.app.router.middleware_stack
    server.app.router.middleware_stack = see
    key = server.key("read").secret
    server.get(f"/v1/symbols?query=a%20b&apiKey={key}&limit=2&%61piKey=x")

    assert [b"query=a%20b&limit=2"] == seen


def test_a_token_does_what_its_key_may_until_it_expires(server: Guarded) -> None:
    key = server.key("read").secret
    token = server.request("POST", "/v1/token", key)
    text = token.json()["token"]

    assert (200, "no-store") == (token.status_code, token.headers["cache-control"])
    assert ("2026-01-05T12:15:00Z", ["read"]) == (token.json()["expires"], token.json()["scopes"])
    assert 200 == server.get("/v1/symbols", text).status_code
    assert 403 == server.get("/v1/live/AAPL", text).status_code
    assert 403 == server.request("POST", "/v1/token", text).status_code
    server.clock.instant += dt.timedelta(minutes=15)
    expired = server.get("/v1/symbols", text)
    assert (401, "The token expired at 2026-01-05T12:15:00Z.") == (
        expired.status_code,
        expired.json()["detail"],
    )


def test_a_token_ends_with_its_key(server: Guarded) -> None:
    admin, made = server.key("admin").secret, server.key("read")
    token = server.request("POST", "/v1/token", made.secret).json()["token"]
    brief = server.key("read", expires=dt.datetime(2026, 1, 5, 12, 1, tzinfo=dt.UTC)).secret

    assert "2026-01-05T12:01:00Z" == server.request("POST", "/v1/token", brief).json()["expires"]
    server.request("DELETE", f"/v1/keys/{made.key.key}", admin)
    assert 401 == server.get("/v1/symbols", token).status_code


CLAIMS = {"iss": "fiblake", "aud": "fiblake-api", "scope": "admin", "iat": 1, "exp": 2**33}


@pytest.mark.parametrize(
    ("secret", "algorithm", "changed"),
    [
        (SECRET[::-1], "HS256", {}),
        (SECRET * 2, "HS512", {}),
        (SECRET, "HS512", {}),
        ("", "none", {}),
        (SECRET, "HS256", {"aud": "other"}),
        (SECRET, "HS256", {"iss": "other"}),
        (SECRET, "HS256", {"exp": None}),
        (SECRET, "HS256", {"exp": "soon"}),
        (SECRET, "HS256", {"exp": 10**30}),
        (SECRET, "HS256", {"scope": 1}),
        (SECRET, "HS256", {"sub": "0123456789"}),
    ],
)
def test_a_token_that_others_made_is_refused(
    server: Guarded, secret: str, algorithm: str, changed: dict[str, object]
) -> None:
    claims = {**CLAIMS, "sub": server.key("admin").key.key, **changed}
    token = jwt.encode(
        {name: value for name, value in claims.items() if value is not None},
        secret,
        algorithm=algorithm,
    )

    assert 401 == server.get("/v1/keys", token).status_code


def test_a_token_never_has_more_than_its_key(server: Guarded) -> None:
    made = server.key("read")
    token = jwt.encode({**CLAIMS, "sub": made.key.key, "scope": "admin read"}, SECRET)

    assert [403, 200] == [
        server.get(path, token).status_code for path in ("/v1/keys", "/v1/symbols")
    ]


def test_without_a_setting_processes_of_one_database_share_the_secret(
    make_guarded: MakeGuarded,
) -> None:
    one, other = make_guarded(), make_guarded()
    token = one.request("POST", "/v1/token", one.key("read").secret).json()["token"]

    assert 200 == other.get("/v1/symbols", token).status_code


def test_a_misspelt_expiry_makes_no_key_that_never_ends(server: Guarded) -> None:
    admin = server.key("admin").secret
    asked = {"name": "ci", "scopes": ["read"], "expire": "2026-02-01T00:00:00Z"}
    answer = server.request("POST", "/v1/keys", admin, json=asked)

    assert (422, True) == (answer.status_code, "expire" in answer.json()["detail"])
    assert ["ci"] != [each["name"] for each in server.get("/v1/keys", admin).json()["keys"]][-1:]


def test_keys_are_created_listed_revoked_and_noted(server: Guarded) -> None:
    admin = server.key("admin")
    asked = {"name": "ci", "scopes": ["live", "read"], "expires": "2026-02-01T00:00:00+01:00"}
    answer = server.request("POST", "/v1/keys", admin.secret, json=asked)
    made = answer.json()

    assert (201, "no-store") == (answer.status_code, answer.headers["cache-control"])
    assert {
        "key": made["secret"][4:14],
        "name": "ci",
        "owner": "ci",
        "scopes": ["read", "live"],
        "state": "valid",
        "created": "2026-01-05T12:00:00Z",
        "expires": "2026-01-31T23:00:00Z",
        "revoked": None,
        "used": None,
    } == made["key"]
    assert 200 == server.get("/v1/symbols", made["secret"]).status_code
    public = made["key"]["key"]
    revoked = [
        server.request("DELETE", f"/v1/keys/{public}", admin.secret).json() for _ in range(2)
    ]
    assert [("revoked", "2026-01-05T12:00:00Z")] * 2 == [
        (each["state"], each["revoked"]) for each in revoked
    ]
    assert 401 == server.get("/v1/symbols", made["secret"]).status_code
    listed = server.get("/v1/keys", admin.secret)
    assert made["secret"] not in listed.text
    assert ["revoked", "valid"] == sorted(each["state"] for each in listed.json()["keys"])
    entries = server.get("/v1/audit", admin.secret).json()["entries"]
    assert [
        (admin.key.key, "127.0.0.1", "key revoked", public, ""),
        (admin.key.key, "127.0.0.1", "key created", public, "ci, of ci: read live"),
        (ACTOR.name, ACTOR.address, "key created", admin.key.key, "test, of test: admin"),
    ] == [tuple(each.values())[1:] for each in entries]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "", "scopes": ["read"]}, 422),
        ({"name": "a\nb", "scopes": ["read"]}, 400),
        ({"name": " ", "scopes": ["read"]}, 400),
        ({"name": "a", "scopes": []}, 422),
        ({"name": "a", "scopes": ["all"]}, 422),
        ({"name": "a", "scopes": ["read"], "expires": "2026-02-01T00:00:00"}, 422),
        ({"name": "a", "scopes": ["read"], "expires": "2026-01-05T12:00:00Z"}, 400),
        ({"name": "a", "scopes": ["read"], "expires": "9999-12-31T23:59:59-14:00"}, 400),
        ({"name": "\ud800", "scopes": ["read"]}, 422),
    ],
)
def test_what_is_no_key_is_not_created(
    server: Guarded, body: dict[str, object], status: int
) -> None:
    admin = server.key("admin").secret

    content = json.dumps(body)  # httpx's own refuses half a character
    headers = {"Content-Type": "application/json"}
    answer = server.request("POST", "/v1/keys", admin, content=content, headers=headers)
    assert status == answer.status_code
    assert 1 == len(server.get("/v1/keys", admin).json()["keys"])


def test_an_unknown_key_cannot_be_revoked(server: Guarded) -> None:
    admin = server.key("admin").secret
    paths = [f"/v1/keys/{key}" for key in ("nope", "0123456789", "%00", "%ff")]
    answers = [server.request("DELETE", path, admin) for path in paths]

    assert [404] * 4 == [each.status_code for each in answers]
    assert "'nope' is no key's public part." == answers[0].json()["detail"]


def test_a_key_that_another_process_made_works_at_once_and_is_refused_once_it_is_revoked(
    make_guarded: MakeGuarded,
) -> None:
    one, other = make_guarded(), make_guarded()
    assert 401 == one.get("/v1/symbols", FOREIGN).status_code
    made = other.key()

    assert 200 == one.get("/v1/symbols", made.secret).status_code
    other.request("DELETE", f"/v1/keys/{made.key.key}", made.secret)
    statuses = {200}
    while statuses == {200}:  # for two seconds at most
        statuses = {one.get("/v1/symbols", made.secret).status_code}
    assert {401} == statuses


@pytest.fixture
def transactions() -> Iterator[list[object]]:
    """Those that were begun, on any database."""
    begun: list[object] = []

    def note(connection: object) -> None:
        begun.append(connection)

    event.listen(Engine, "begin", note)
    yield begun
    event.remove(Engine, "begin", note)


@pytest.mark.parametrize(("key", "least_s"), [("", FRESH_S), (FOREIGN, MISS_S)])
def test_however_many_ask_or_guess_the_database_is_asked_now_and_then(
    server: Guarded, transactions: list[object], key: str, least_s: float
) -> None:
    key = key or server.key("read").secret
    server.get("/v1/intervals", key)
    transactions.clear()
    began = time.monotonic()
    for _ in range(4):
        server.ask(*[asked("GET", "/v1/intervals", key)] * 50)
    passed_s = time.monotonic() - began

    assert len(transactions) <= passed_s / least_s + 2


def test_a_use_is_noted_once_a_minute(server: Guarded) -> None:
    key = server.key("admin").secret
    server.get("/v1/keys", key)
    while (used := server.get("/v1/keys", key).json()["keys"][0]["used"]) is None:
        pass
    server.clock.instant += dt.timedelta(seconds=5)
    server.get("/v1/keys", key)

    assert "2026-01-05T12:00:00Z" == used
    assert used == server.get("/v1/keys", key).json()["keys"][0]["used"]


def test_who_holds_a_connection_asks_for_itself(server: Guarded) -> None:
    made = server.key("live", expires=dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
    found = asyncio.run(server.access.authenticate(made.secret, "10.0.0.1"))

    expected = Principal(made.key.key, "test", frozenset({"live"}), made.key.expires)
    assert expected == found


def test_settings_hide_what_is_secret() -> None:
    settings = Settings.model_validate(
        {"token_secret": SECRET, "database_url": "postgresql://u:word@host/db"}
    )

    assert [] == [each for each in (SECRET, "word@") if each in repr(settings)]


def of_alerts(app: Any) -> Iterator[tuple[str, str]]:
    """Yield the method and path of each route that asks for one thing that an owner keeps."""
    for method, path in routes(app):
        if path.startswith("/v1/alerts") and "{" in path:
            yield method, path


HOOK = {"url": "https://example.com/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
BODIES: dict[str, dict[str, Any]] = {
    "PUT /v1/alerts/{alert}": rule(),
    "POST /v1/alerts/{alert}/mute": {"until": None},
}
"""What routes are to be given that are of alerts."""
FIRST = {"GET": 0, "POST": 1, "PUT": 2, "DELETE": 3}


def test_nobody_reaches_what_another_owner_keeps_not_even_an_admin(server: Guarded) -> None:
    owner, other = Owner(server, "desk"), Owner(server, "floor")
    admin = server.key("alerts", "admin", owner="admin").secret
    owner.ask("PUT", "/destinations/pager", json=HOOK)
    alert = owner.created(deliver=["log"])["alert"]
    firing = fire(server.database, "desk", alert)
    there = {"alert": alert, "firing": firing, "destination": "pager"}
    none = {"alert": f"al_{'0' * 12}", "firing": f"al_{'0' * 12}.1.1", "destination": "none"}

    def answer(key: str, method: str, path: str, names: dict[str, str]) -> tuple[int, str]:
        body = BODIES.get(f"{method} {path}")
        told = server.request(method, path.format(**names), key, json=body)
        text = told.text
        # A trace is of a request, whatever it asks for.
        for name in (*names.values(), told.headers["x-request-id"]):
            text = text.replace(name, "NAME")
        return told.status_code, text

    # The owner's own come last, what deletes behind all: else nothing would be left to find.
    asked = sorted(of_alerts(server.app), key=lambda route: FIRST[route[0]])
    asked = [each for each in asked if each != ("PUT", "/v1/alerts/destinations/{destination}")]
    assert len(asked) >= 8
    strangers = {
        (key, method, path): (
            answer(key, method, path, there),
            answer(key, method, path, none),
        )
        for key in (other.made.secret, admin)
        for method, path in asked
    }
    assert {404} == {status for both in strangers.values() for status, _ in both}
    assert [] == [each for each, (found, missing) in strangers.items() if found != missing]
    mine = [answer(owner.made.secret, *route, there)[0] for route in asked]
    assert [] == [(r, s) for r, s in zip(asked, mine, strict=True) if not 200 <= s < 300]


def test_lists_of_alerts_hold_nothing_of_another_owner(server: Guarded) -> None:
    owner, other = Owner(server, "desk"), Owner(server, "floor")
    owner.ask("PUT", "/destinations/pager", json=HOOK)
    alert = owner.created(deliver=["pager"])["alert"]
    fire(server.database, "desk", alert)
    admin = server.key("alerts", "admin", owner="admin").secret
    lists = [
        path
        for method, path in routes(server.app)
        if method == "GET" and path.startswith("/v1/alerts") and "{" not in path
    ]

    assert {"/v1/alerts", "/v1/alerts/firings", "/v1/alerts/destinations"} <= set(lists)
    for key in (other.made.secret, admin):
        texts = [server.get(path, key).text for path in lists]
        assert [] == [text for text in texts if alert in text or "pager" in text]


def test_a_destination_that_two_owners_call_the_same_is_two(server: Guarded) -> None:
    owner, other = Owner(server, "desk"), Owner(server, "floor")
    owner.ask("PUT", "/destinations/pager", json=HOOK)
    other.ask("PUT", "/destinations/pager", json={**HOOK, "url": "https://floor.example.com/"})
    other.ask("DELETE", "/destinations/pager")
    (_, kept) = owner.ask("GET", "/destinations").json()["destinations"]

    assert "https://example.com/" == kept["url"]
