"""What problems tell, never much, and what they leave to the log: where things are."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from structlog.testing import capture_logs

from fiblake import Lake
from lake.errors import FiblakeError, UnavailableError, ViewUnavailableError
from serving_layer.app import create_app
from tests.access import Guarded, MakeGuarded
from tests.parts import PostgresServer

PLACE = "10.1.2.3:6379"


def fail(server: Guarded, error: Exception) -> None:
    """Give an app a route that fails, at /fails."""

    async def fails(_: Request) -> NoReturn:
        raise error

    server.app.add_route("/fails", fails)


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (ViewUnavailableError(f"Redis at {PLACE} failed.", hint="ask."), "The realtime view"),
        (UnavailableError(f"Could not read x in s3://{PLACE}.", hint="ask."), "The store of the"),
    ],
)
def test_where_a_part_is_that_failed_is_for_the_log(
    guarded: Guarded, error: FiblakeError, part: str
) -> None:
    fail(guarded, error)
    with capture_logs() as log:
        told = guarded.get("/fails")

    assert (503, "ask.") == (told.status_code, told.json()["hint"])
    assert told.json()["detail"].startswith(part)
    assert PLACE not in told.text
    assert [str(error)] == [each["error"] for each in log]


def test_where_the_database_is_that_is_away_is_for_the_log(
    make_guarded: MakeGuarded, postgres_server: PostgresServer
) -> None:
    server = make_guarded(database_url=postgres_server.new_database(), keys_grace_seconds=0)
    key = server.key("admin").secret
    assert 200 == server.get("/v1/keys", key).status_code

    postgres_server.kill()
    try:
        with capture_logs() as log:
            asked = {"json": {"name": "a", "scopes": ["read"]}}
            told = server.request("POST", "/v1/keys", key, **asked)
    finally:
        postgres_server.start()

    assert 503 == told.status_code
    assert "The database of keys failed; the server's log says why." == told.json()["detail"]
    assert any(str(postgres_server.port) in str(each.get("error")) for each in log)


def test_where_an_empty_lake_is_is_nothing_that_all_are_told(
    lake: Lake, guarded: Guarded, tmp_path: Path
) -> None:
    guarded.app.state.reader = create_app(lake.reader).state.reader
    told = guarded.get("/health/ready")

    assert 503 == told.status_code
    assert "The lake has no bars yet." in told.json()["detail"]
    assert str(tmp_path) not in told.text


def test_a_defect_is_answered_with_all_headers_and_logged_once(guarded: Guarded) -> None:
    fail(guarded, ZeroDivisionError())
    with capture_logs() as log:
        told = guarded.get("/fails")

    assert (500, "The server failed; its log says why.") == (
        told.status_code,
        told.json()["detail"],
    )
    assert "application/problem+json" == told.headers["content-type"]
    assert ("nosniff", "DENY", "no-referrer") == tuple(
        told.headers.get(name)
        for name in ("x-content-type-options", "x-frame-options", "referrer-policy")
    )
    assert "frame-ancestors 'none'" in told.headers["content-security-policy"]
    assert ["request failed"] == [each["event"] for each in log]


def test_of_many_scopes_none_is_read_and_of_a_large_value_its_ends_are_told(
    guarded: Guarded,
) -> None:
    admin = guarded.key("admin").secret
    large = {"name": "n" * 200_000, "owner": {"a": list(range(10**4))}}
    # As ten thousand valid ones would be one key's, and as many wrong ones as many faults.
    for scopes in (["read"] * 5, ["read"] * 10_000, ["all"] * 10_000):
        body = {**large, "scopes": scopes}
        told = guarded.request("POST", "/v1/keys", admin, json=body)

        assert 422 == told.status_code
        assert "scopes=[" in told.json()["detail"]
        assert len(told.text) < 2_000


def test_of_many_faults_some_are_told(guarded: Guarded) -> None:
    faults = [{"loc": ("query", "x" * 500), "input": n, "msg": "is wrong"} for n in range(1234)]
    fail(guarded, RequestValidationError(faults))
    told = guarded.get("/fails")

    assert 422 == told.status_code
    assert told.json()["detail"].endswith("; and 1,214 more")
    assert len(told.text) < 10_000


def test_a_value_that_is_wrong_is_told_as_it_was_given(guarded: Guarded) -> None:
    key = guarded.key("read").secret

    said = "limit='many': Input should be a valid integer, unable to parse string as an integer"
    assert said == guarded.get("/v1/symbols?limit=many", key).json()["detail"]


@pytest.mark.parametrize("said", ["9" * 19, "9" * 5000, "0" * 30 + "9" * 19])
def test_a_body_that_says_to_be_larger_than_any_number_is_too_large(
    guarded: Guarded, said: str
) -> None:
    key = guarded.key("admin").secret

    headers = {"Content-Length": said}
    assert 413 == guarded.request("POST", "/v1/keys", key, headers=headers).status_code


def test_a_key_in_the_query_counts_as_what_was_asked(make_guarded: MakeGuarded) -> None:
    server = make_guarded(max_query_bytes=256)
    key = server.key("read").secret
    asked = [f"/v1/symbols?apiKey={key}", f"/v1/symbols?apiKey={'a' * 300}&apiKey={key}"]

    assert [200, 414] == [server.get(each).status_code for each in asked]
