"""Keys over HTTP: created, listed, revoked, noted, and known to all processes."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event

from serving_layer.auth.known import FRESH_S, MISS_S
from tests.access import ACTOR, FOREIGN, Guarded, MakeGuarded, asked


def test_a_misspelt_expiry_makes_no_key_that_never_ends(key_server: Guarded) -> None:
    admin = key_server.key("admin").secret
    asked = {"name": "ci", "scopes": ["read"], "expire": "2026-02-01T00:00:00Z"}
    answer = key_server.request("POST", "/v1/keys", admin, json=asked)

    assert (422, True) == (answer.status_code, "expire" in answer.json()["detail"])
    assert ["ci"] != [each["name"] for each in key_server.get("/v1/keys", admin).json()["keys"]][
        -1:
    ]


def test_keys_are_created_listed_revoked_and_noted(key_server: Guarded) -> None:
    admin = key_server.key("admin")
    asked = {"name": "ci", "scopes": ["live", "read"], "expires": "2026-02-01T00:00:00+01:00"}
    answer = key_server.request("POST", "/v1/keys", admin.secret, json=asked)
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
    assert 200 == key_server.get("/v1/symbols", made["secret"]).status_code
    public = made["key"]["key"]
    revoked = [
        key_server.request("DELETE", f"/v1/keys/{public}", admin.secret).json() for _ in range(2)
    ]
    assert [("revoked", "2026-01-05T12:00:00Z")] * 2 == [
        (each["state"], each["revoked"]) for each in revoked
    ]
    assert 401 == key_server.get("/v1/symbols", made["secret"]).status_code
    listed = key_server.get("/v1/keys", admin.secret)
    assert made["secret"] not in listed.text
    assert ["revoked", "valid"] == sorted(each["state"] for each in listed.json()["keys"])
    entries = key_server.get("/v1/audit", admin.secret).json()["entries"]
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
    key_server: Guarded, body: dict[str, object], status: int
) -> None:
    admin = key_server.key("admin").secret

    content = json.dumps(body)  # httpx's own refuses half a character
    headers = {"Content-Type": "application/json"}
    answer = key_server.request("POST", "/v1/keys", admin, content=content, headers=headers)
    assert status == answer.status_code
    assert 1 == len(key_server.get("/v1/keys", admin).json()["keys"])


def test_an_unknown_key_cannot_be_revoked(key_server: Guarded) -> None:
    admin = key_server.key("admin").secret
    paths = [f"/v1/keys/{key}" for key in ("nope", "0123456789", "%00", "%ff")]
    answers = [key_server.request("DELETE", path, admin) for path in paths]

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
    key_server: Guarded, transactions: list[object], key: str, least_s: float
) -> None:
    key = key or key_server.key("read").secret
    key_server.get("/v1/intervals", key)
    transactions.clear()
    began = time.monotonic()
    for _ in range(4):
        key_server.ask(*[asked("GET", "/v1/intervals", key)] * 50)
    passed_s = time.monotonic() - began

    assert len(transactions) <= passed_s / least_s + 2


def test_a_use_is_noted_once_a_minute(key_server: Guarded) -> None:
    key = key_server.key("admin").secret
    key_server.get("/v1/keys", key)
    while (used := key_server.get("/v1/keys", key).json()["keys"][0]["used"]) is None:
        pass
    key_server.clock.instant += dt.timedelta(seconds=5)
    key_server.get("/v1/keys", key)

    assert "2026-01-05T12:00:00Z" == used
    assert used == key_server.get("/v1/keys", key).json()["keys"][0]["used"]
