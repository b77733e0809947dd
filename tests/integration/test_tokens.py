"""Tokens do what their keys may until they expire, and others' are refused."""

from __future__ import annotations

import datetime as dt

import jwt
import pytest

from lake.settings import Settings
from tests.access import SECRET, Guarded, MakeGuarded


def test_a_token_does_what_its_key_may_until_it_expires(key_server: Guarded) -> None:
    key = key_server.key("read").secret
    token = key_server.request("POST", "/v1/token", key)
    text = token.json()["token"]

    assert (200, "no-store") == (token.status_code, token.headers["cache-control"])
    assert ("2026-01-05T12:15:00Z", ["read"]) == (token.json()["expires"], token.json()["scopes"])
    assert 200 == key_server.get("/v1/symbols", text).status_code
    assert 403 == key_server.get("/v1/live/AAPL", text).status_code
    assert 403 == key_server.request("POST", "/v1/token", text).status_code
    key_server.clock.instant += dt.timedelta(minutes=15)
    expired = key_server.get("/v1/symbols", text)
    assert (401, "The token expired at 2026-01-05T12:15:00Z.") == (
        expired.status_code,
        expired.json()["detail"],
    )


def test_a_token_ends_with_its_key(key_server: Guarded) -> None:
    admin, made = key_server.key("admin").secret, key_server.key("read")
    token = key_server.request("POST", "/v1/token", made.secret).json()["token"]
    brief = key_server.key("read", expires=dt.datetime(2026, 1, 5, 12, 1, tzinfo=dt.UTC)).secret

    assert (
        "2026-01-05T12:01:00Z" == key_server.request("POST", "/v1/token", brief).json()["expires"]
    )
    key_server.request("DELETE", f"/v1/keys/{made.key.key}", admin)
    assert 401 == key_server.get("/v1/symbols", token).status_code


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
    key_server: Guarded, secret: str, algorithm: str, changed: dict[str, object]
) -> None:
    claims = {**CLAIMS, "sub": key_server.key("admin").key.key, **changed}
    token = jwt.encode(
        {name: value for name, value in claims.items() if value is not None},
        secret,
        algorithm=algorithm,
    )

    assert 401 == key_server.get("/v1/keys", token).status_code


def test_a_token_never_has_more_than_its_key(key_server: Guarded) -> None:
    made = key_server.key("read")
    token = jwt.encode({**CLAIMS, "sub": made.key.key, "scope": "admin read"}, SECRET)

    assert [403, 200] == [
        key_server.get(path, token).status_code for path in ("/v1/keys", "/v1/symbols")
    ]


def test_without_a_setting_processes_of_one_database_share_the_secret(
    make_guarded: MakeGuarded,
) -> None:
    one, other = make_guarded(), make_guarded()
    token = one.request("POST", "/v1/token", one.key("read").secret).json()["token"]

    assert 200 == other.get("/v1/symbols", token).status_code


def test_settings_hide_what_is_secret() -> None:
    settings = Settings.model_validate(
        {"token_secret": SECRET, "database_url": "postgresql://u:word@host/db"}
    )

    assert [] == [each for each in (SECRET, "word@") if each in repr(settings)]
