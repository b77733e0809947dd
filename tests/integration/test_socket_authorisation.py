"""Which key may open which socket: every WebSocket route of the app, by itself.

A key is shown in the handshake, or in a first frame in which each protocol finds its own words.
Refused is who gets no handshake, or whom the server sends away: where no key was shown that the
protocol knows of, after some seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping

import pytest
from fastapi import APIRouter, WebSocket
from fastapi.routing import iter_route_contexts
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from serving_layer.auth import SCOPES, Scope, require
from tests.access import SECRET, Guarded, MakeGuarded, bad_keys, serving

SCOPE: Scope = "live"
PLACED = {"feed": "sip"}
"""What stands for a part of a path that takes but a few values."""
REFUSALS = {1008, 4001, 4003}
"""Close codes: of vendors' protocols, and of ours where a key does not hold, or lacks the scope."""
PATIENCE_S = 20
GLANCE_S = 3
Told = dict[tuple[str, str], set[str]]


def sockets(server: Guarded) -> list[str]:
    """Return the path of each WebSocket route."""
    return [
        str(route.path)
        for route in iter_route_contexts(server.app.routes)
        if isinstance(route.original_route, WebSocketRoute)
    ]


async def outcome(url: str, headers: Mapping[str, str], frame: str, at_most_s: float) -> str:
    """Return what becomes of a socket: `open`, `refused`, or how else it ends."""
    try:
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            await socket.send(frame)
            async with asyncio.timeout(at_most_s):
                while True:
                    await socket.recv()
    except InvalidStatus as refused:
        status = refused.response.status_code
        return "refused" if status in {401, 403} else f"HTTP {status}"
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else 1006
        return "refused" if code in REFUSALS else f"closed with {code}"
    except TimeoutError:
        return "open"


async def outcomes(
    host: str, paths: Iterable[str], keys: Mapping[str, str], at_most_s: float
) -> Told:
    """Return what becomes of each path for each key by its kind, in whichever way it is shown."""
    asked = []
    for path in paths:
        url = f"ws://{host}" + re.sub(r"{(\w+)[^}]*}", lambda it: PLACED.get(it[1], it[1]), path)
        for kind, key in keys.items():
            words = {"action": "auth", "key": key, "secret": key, "params": key}
            ways: list[tuple[dict[str, str], str]] = [({}, json.dumps(words))]
            if key.isascii():
                ways.append(({"X-API-Key": key} if key else {}, "{}"))
            asked += [(path, kind, outcome(url, *way, at_most_s)) for way in ways]
    found = await asyncio.gather(*(each for *_, each in asked))
    told: Told = {}
    for (path, kind, _), each in zip(asked, found, strict=True):
        told.setdefault((path, kind), set()).add(each)
    return told


def let_in(
    server: Guarded,
    paths: Iterable[str],
    keys: Mapping[str, str],
    at_most_s: float = PATIENCE_S,
) -> Told:
    """Return for whom sockets are not always refused, though they should be."""
    with serving(server.app) as host:
        told = asyncio.run(outcomes(host, paths, keys, at_most_s))
    return {each: ends for each, ends in told.items() if ends != {"refused"}}


def kept_out(server: Guarded, paths: Iterable[str]) -> Told:
    """Return which sockets do not open for who has the scope, in neither way."""
    key: dict[str, str] = {SCOPE: server.key(SCOPE).secret}
    with serving(server.app) as host:
        told = asyncio.run(outcomes(host, paths, key, GLANCE_S))
    return {each: ends for each, ends in told.items() if "open" not in ends}


@pytest.fixture
def server(make_guarded: MakeGuarded) -> Guarded:
    return make_guarded(token_secret=SECRET)


def test_each_socket_is_for_one_scope_and_no_other_key_may(server: Guarded) -> None:
    others: dict[str, str] = {each: server.key(each).secret for each in SCOPES if each != SCOPE}

    assert {} == kept_out(server, sockets(server))
    assert {} == let_in(server, sockets(server), others)


def test_on_no_socket_does_a_key_get_in_that_does_not_hold(server: Guarded) -> None:
    assert {} == let_in(server, sockets(server), bad_keys(server))


def test_a_socket_that_asks_for_no_key_is_seen_and_so_is_one_that_nobody_may_open(
    server: Guarded,
) -> None:
    async def loose(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            await socket.receive_text()

    async def barred(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close(4003)

    paths = ["/new/loose/{name:path}", "/new/guarded/{feed}", "/new/barred"]
    router = APIRouter()
    router.add_api_websocket_route(paths[0], loose)
    router.add_api_websocket_route(paths[1], loose, dependencies=[require(SCOPE)])
    router.add_api_websocket_route(paths[2], barred)
    server.app.include_router(router)

    assert set(paths) <= set(sockets(server))
    assert {(paths[2], SCOPE): {"refused"}} == kept_out(server, paths)
    assert {(paths[0], "none"): {"open"}} == let_in(server, paths, {"none": ""}, GLANCE_S)
