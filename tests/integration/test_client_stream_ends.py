"""How a stream ends, or goes on, by what a server says: one that says just what a test lets it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from fiblake import Client
from fiblake.client import Gap, Price, Status
from lake.errors import (
    AccessError,
    FiblakeError,
    ForbiddenError,
    MisuseError,
    NoFeedError,
    ServerError,
    TooManyRequestsError,
)
from tests.unit.test_client_channels import PRICE, snapshot

WELCOME = {"type": "welcome", "stream": "one", "authenticated": True, "heartbeat_seconds": 15}
SUBSCRIBED = {"type": "subscribed", "channels": ["price:AAPL"], "id": 0}
AT_7 = snapshot(7, PRICE, channel="price:AAPL")
SILENT = WELCOME | {"heartbeat_seconds": -4.9}
"""Whoever is told so waits 10 - 2 * 4.9 s, and no longer."""
Script = list[dict[str, Any] | tuple[int, str] | str | None]


@contextmanager
def saying(*scripts: Script) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve connections one after the other; yield the URL, and what was asked.

    A script has frames to say, text as it is, a code and a reason to close with, or None: nothing
    more is said until the client goes.
    """
    asked: list[dict[str, Any]] = []
    left = iter(scripts)

    def serve_one(socket: ServerConnection) -> None:
        for told in next(left):
            if told == SUBSCRIBED:
                asked.append(orjson.loads(socket.recv()))
            if told is None:
                list(socket)
            elif isinstance(told, tuple):
                socket.close(*told)
            else:
                socket.send(told if isinstance(told, str) else orjson.dumps(told).decode())

    with serve(serve_one, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}", asked
        server.shutdown()
        thread.join()


def refusal(code: str) -> dict[str, Any]:
    return {"type": "error", "code": code, "message": "So it is.", "hint": "do else.", "id": 0}


@pytest.mark.parametrize(
    ("script", "kind", "told"),
    [
        ([(4001, "The key was revoked.")], AccessError, "The key was revoked"),
        ([WELCOME, SUBSCRIBED, (4001, "It has expired.")], AccessError, "It has expired"),
        ([(4003, "It lacks the scope 'live'.")], ForbiddenError, "lacks the scope"),
        ([(4009, "Too many connections.")], TooManyRequestsError, "Too many connections"),
        ([WELCOME, (4010, "Too many bad frames.")], MisuseError, "Too many bad frames"),
        ([WELCOME, SUBSCRIBED, refusal("no_feed")], NoFeedError, "So it is. Hint: do else"),
        ([WELCOME, refusal("not_authenticated")], AccessError, "So it is"),
        ([WELCOME, refusal("too_many_channels")], MisuseError, "So it is"),
        ([WELCOME, refusal("of tomorrow")], ServerError, "So it is"),
        (["<html>"], ServerError, "streams what cannot be read"),
        (["[1]"], ServerError, "streams what cannot be read"),
        ([WELCOME, {"type": "snapshot"}], ServerError, "streams what cannot be read"),
        ([{"type": "welcome"}], ServerError, "streams what cannot be read"),
        ([WELCOME | {"heartbeat_seconds": None}], ServerError, "streams what cannot be read"),
        ([{"type": "hello"}], ServerError, "'hello', not welcome"),
    ],
)
def test_what_cannot_be_mended_by_trying_again_is_an_error(
    script: Script, kind: type[FiblakeError], told: str
) -> None:
    with (
        saying([*script, None]) as (url, _),
        Client(url) as client,
        client.watch("price:AAPL") as events,
        pytest.raises(kind, match=told) as error,
    ):
        list(events)
    assert kind is error.type


@pytest.mark.parametrize(
    "end",
    [
        (1001, "The server goes away: connect again."),
        (4008, "Too slow: nothing was taken for 30 s."),
        (1011, "The stream failed."),
        refusal("rate_limited"),
        None,
    ],
)
def test_what_may_pass_is_tried_again_from_where_it_was(end: Any) -> None:
    first: Script = [SILENT if end is None else WELCOME, SUBSCRIBED, AT_7, end, None]
    resumed = {"type": "resumed", "channel": "price:AAPL", "seq": 9}
    change = {"channel": "price:AAPL", "seq": 9, "price": PRICE | {"version": 5}}
    second: Script = [WELCOME, SUBSCRIBED, resumed, {"type": "changes", "events": [change]}, None]
    with (
        saying(first, second) as (url, asked),
        Client(url) as client,
        client.watch("price:aapl") as events,
    ):
        told = [next(events) for _ in range(5)]

    assert [Status, Price, Status, Status, Price] == [type(each) for each in told]
    assert [3, 5] == [each.version for each in told if isinstance(each, Price)]
    assert [None, {"stream": "one", "price:AAPL": 7}] == [each.get("resume_from") for each in asked]
    assert [["price:aapl"], ["price:AAPL"]] == [each["channels"] for each in asked]


def test_a_snapshot_that_nobody_announced_is_a_gap() -> None:
    again = snapshot(2, PRICE, channel="price:AAPL")
    with (
        saying([WELCOME, SUBSCRIBED, AT_7, again, None]) as (url, _),
        Client(url) as client,
        client.watch("price:AAPL") as events,
    ):
        told = [next(events) for _ in range(4)]

    gap = told[2]
    assert isinstance(gap, Gap)
    assert ("price:AAPL", 7, 2, "replaced") == (gap.channel, gap.from_seq, gap.until_seq, gap.why)


def test_how_the_server_is_is_told() -> None:
    away = {"type": "status", "live": "away", "boundary": "2013-02-28"}
    beat = {"type": "heartbeat", "time": "2026-01-05T14:30:00Z"}
    with (
        saying([WELCOME, SUBSCRIBED, beat, away, None]) as (url, _),
        Client(url) as client,
        client.watch("price:AAPL") as events,
    ):
        told = [next(events), next(events)]

    assert isinstance(told[1], Status)
    assert (True, "away", "2013-02-28") == (told[1].connected, told[1].live, str(told[1].boundary))


def test_a_key_that_a_proxy_drops_is_shown_in_a_frame() -> None:
    unknown = WELCOME | {"authenticated": False}
    with (
        saying([unknown, SUBSCRIBED, None]) as (url, asked),
        Client(url, "a-key") as client,
        client.watch("price:AAPL") as events,
    ):
        next(events)

    assert {"action": "auth", "key": "a-key"} == asked[0]


def test_a_key_goes_to_no_server_that_it_is_sent_on_to() -> None:
    unknown = WELCOME | {"authenticated": False}
    with saying([unknown, SUBSCRIBED, None]) as (other, asked):

        def send_on(_: ServerConnection, __: Request) -> Response:
            there = other.replace("http", "ws").replace("127.0.0.1", "localhost")
            return Response(307, "Temporary Redirect", Headers(Location=f"{there}/v1/stream"))

        with serve(lambda _: None, "127.0.0.1", 0, process_request=send_on) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
            with (
                Client(url, "a-key") as client,
                client.watch("price:AAPL") as events,
                pytest.raises(ServerError, match="307"),
            ):
                next(events)
            server.shutdown()
            thread.join()
    assert [] == asked


def test_a_limit_that_lasts_is_told_at_once() -> None:
    def refuse(_: ServerConnection, __: Request) -> Response:
        told = Headers({"Retry-After": "3600", "Content-Type": "application/problem+json"})
        body = b'{"status": 429, "detail": "Too often.", "code": "too_many_requests"}'
        return Response(429, "Too Many Requests", told, body)

    with serve(lambda _: None, "127.0.0.1", 0, process_request=refuse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        with (
            Client(url) as client,
            client.watch("price:AAPL") as events,
            pytest.raises(TooManyRequestsError, match="Too often"),
        ):
            next(events)
        server.shutdown()
        thread.join()
