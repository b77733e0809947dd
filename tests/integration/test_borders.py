"""What stands in front of the app: sizes, headers, other sites' pages; streams and sockets pass."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import httpx
import pytest
from fastapi import WebSocket
from fastapi.responses import StreamingResponse
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fiblake import Lake
from serving_layer.app import create_app
from serving_layer.auth import Principal, require
from tests.access import FOREIGN, Guarded, MakeGuarded, serving

ORIGIN = "https://mine.com"


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b" " * size


@pytest.fixture
def server(make_guarded: MakeGuarded) -> Guarded:
    return make_guarded(
        max_body_kib=1, max_query_bytes=256, cors_origins=f"{ORIGIN}, https://b.com/"
    )


def test_a_body_that_is_too_large_is_a_problem(server: Guarded) -> None:
    key = server.key("admin").secret
    told = server.request("POST", "/v1/keys", key, content=b" " * 1025)

    assert (413, "application/problem+json") == (told.status_code, told.headers["content-type"])
    assert "The body is too large. Allowed: 1,024 bytes." == told.json()["detail"]
    assert 422 == server.request("POST", "/v1/keys", key, content=b" " * 1024).status_code


def test_a_body_that_does_not_say_how_large_it_is_is_read_no_further(server: Guarded) -> None:
    key = server.key("admin").secret
    told = server.request("POST", "/v1/keys", key, content=pieces(1000, 25, 10**6))

    assert (413, "application/problem+json") == (told.status_code, told.headers["content-type"])


def test_a_url_that_is_too_long_is_a_problem(server: Guarded) -> None:
    told = server.get(f"/v1/symbols?query={'A' * 300}", server.key("read").secret)

    assert 414 == told.status_code
    assert "The path and query have 317 bytes. Allowed: 256." == told.json()["detail"]


def test_each_answer_says_what_a_browser_must_not_do(server: Guarded) -> None:
    server.key()
    for path in ("/", "/v1/symbols", "/nowhere", "/web/chart.js", "/health/live"):
        headers = server.get(path).headers
        assert ("nosniff", "DENY", "no-referrer") == (
            headers["x-content-type-options"],
            headers["x-frame-options"],
            headers["referrer-policy"],
        )
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self';" in f"{policy};"


def test_answers_to_a_key_are_kept_by_no_shared_cache(server: Guarded) -> None:
    key = server.key("read").secret

    assert "private" == server.get("/v1/symbols", key).headers["cache-control"]
    assert "no-cache" == server.get("/web/chart.js").headers["cache-control"]


def test_only_pages_of_the_origins_that_are_set_may_ask(server: Guarded) -> None:
    key = server.key("read").secret
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-api-key"}
    answers = [
        server.request("OPTIONS", "/v1/symbols", headers={"Origin": origin, **asked})
        for origin in (ORIGIN, "https://b.com", "https://evil.com")
    ]

    assert [200, 200, 400] == [each.status_code for each in answers]
    assert [ORIGIN, "https://b.com", None] == [
        each.headers.get("access-control-allow-origin") for each in answers
    ]
    read = server.get("/v1/symbols", key, headers={"Origin": ORIGIN})
    assert (200, ORIGIN) == (read.status_code, read.headers["access-control-allow-origin"])
    assert "RateLimit-Remaining" in read.headers["access-control-expose-headers"]


def test_without_a_setting_no_other_page_may_ask(guarded: Guarded) -> None:
    key = guarded.key("read").secret
    answer = guarded.get("/v1/symbols", key, headers={"Origin": ORIGIN})

    assert "access-control-allow-origin" not in answer.headers


def test_a_stream_is_passed_on_piece_by_piece(server: Guarded) -> None:
    go_on = threading.Event()

    def told() -> Iterator[bytes]:
        yield b"one"
        assert go_on.wait(30)  # the second piece is made once the first has come
        yield b"two"

    server.app.add_api_route("/told", lambda: StreamingResponse(told()))

    with serving(server.app) as host, httpx.stream("GET", f"http://{host}/told") as answer:
        came = answer.iter_raw()
        assert b"one" == next(came)
        go_on.set()
        assert [b"two"] == list(came)


def test_a_socket_is_asked_for_its_key_as_routes_are(server: Guarded) -> None:
    async def talk(socket: WebSocket, principal: Annotated[Principal, require("live")]) -> None:
        await socket.accept()
        await socket.send_text(principal.owner)
        await socket.send_text(await socket.receive_text())

    server.app.add_api_websocket_route("/talk", talk)
    key, other = server.key("live").secret, server.key("read").secret
    statuses = []
    with serving(server.app) as host:
        with connect(f"ws://{host}/talk?apiKey={key}") as socket:
            socket.send("x" * 5000)
            assert ["test", "x" * 5000] == [socket.recv(), socket.recv()]
        for wrong in ("", f"?apiKey={FOREIGN}", f"?apiKey={other}"):
            with pytest.raises(InvalidStatus) as refused:
                connect(f"ws://{host}/talk{wrong}")
            statuses.append(refused.value.response.status_code)

    assert [401, 401, 403] == statuses


def test_the_app_without_access_has_the_same_borders(sample_lake: Lake) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(sample_lake.reader))
        async with httpx.AsyncClient(transport=transport, base_url="http://fiblake") as client:
            return await client.get(f"/v1/symbols?query={'A' * 17_000}")

    assert 414 == asyncio.run(ask()).status_code
