"""Who may listen to vendors' dialects, and what those are told who may not."""

from __future__ import annotations

import logging
from typing import Any, Final

import polygon
import pytest
from polygon.exceptions import AuthError

from fiblake import Lake
from lake.errors import DatabaseUnavailableError, TooManyRequestsError
from serving_layer.app import create_app
from serving_layer.dialects import socket as dialect_socket
from serving_layer.stream.connection import Counted
from tests.access import FOREIGN, Guarded, MakeGuarded, serving
from tests.days import SESSION
from tests.dialect_streams import (
    AUTHENTICATED,
    LATER,
    REFUSED,
    Market,
    Serve,
    alpaca_stream,
    at_alpaca,
    at_massive,
    connected,
    error,
    listening,
    run,
    status,
    until,
)
from tests.trading import trade

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ANY: Final = "any"


def test_a_key_with_the_scope_may_listen_and_no_other(
    guarded: Guarded, market: Market, serve_dialects: Serve
) -> None:
    live, read = guarded.key("live").secret, guarded.key("read")
    lacks = f"The key {read.key.key} may not: it lacks the scope 'live'."
    unknown = "The key is not one of this server's."

    async def work(host: str) -> None:
        async with at_massive(host, "AM.*", key=live), at_alpaca(host, live, bars=["*"]):
            pass
        for key, why in ((FOREIGN, ": " + unknown), ("", ": No key was shown.")):
            async with connected(f"ws://{host}/stocks") as client:
                await client.say(action="auth", params=key)
                expected = status("auth_failed", f"authentication failed{why}")
                assert expected == await client.only()
                assert REFUSED == await client.ended()
        async with connected(f"ws://{host}/stocks") as client:
            await client.say(action="auth", params=read.secret)
            assert status("auth_failed", f"not authorized: {lacks}") == await client.only()
        for key, expected in (
            (FOREIGN, error(402, "auth failed", unknown)),
            (read.secret, error(409, "insufficient subscription", lacks)),
        ):
            async with connected(f"ws://{host}/v2/iex") as client:
                await client.say(action="auth", key="id", secret=key)
                assert expected == await client.only()
                assert REFUSED == await client.ended()

    run(serve_dialects(market.view, market.relay, guarded.access), work)


def test_alpacas_key_may_come_in_the_headers(
    guarded: Guarded, market: Market, serve_dialects: Serve
) -> None:
    async def work(host: str) -> None:
        headers = {"APCA-API-KEY-ID": "id", "APCA-API-SECRET-KEY": guarded.key("live").secret}
        async with connected(f"ws://{host}/v2/sip", additional_headers=headers) as client:
            assert AUTHENTICATED == await client.only()
        headers["APCA-API-SECRET-KEY"] = FOREIGN
        async with connected(f"ws://{host}/v2/sip", additional_headers=headers) as client:
            assert 402 == (await client.only())["code"]

    run(serve_dialects(market.view, market.relay, guarded.access), work)


def test_vendors_clients_learn_that_their_key_is_wrong(
    guarded: Guarded,
    market: Market,
    serve_dialects: Serve,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(host: str) -> None:
        client = polygon.WebSocketClient(FOREIGN, feed=host, secure=False, subscriptions=["T.*"])
        with pytest.raises(AuthError, match="authentication failed: The key is not one"):
            await client.connect(_never)
        stream = alpaca_stream(host, FOREIGN)
        stream.subscribe_bars(_never, "*")
        with caplog.at_level(logging.ERROR):
            async with listening(stream):
                await until(lambda: "auth failed" in caplog.text)

    run(serve_dialects(market.view, market.relay, guarded.access), work)


async def _never(_: Any) -> None:
    raise AssertionError


def test_attempts_are_counted(
    make_guarded: MakeGuarded, market: Market, serve_dialects: Serve
) -> None:
    guarded = make_guarded(rate_address_burst=2, rate_address_per_second=0.001)

    async def work(host: str) -> None:
        said = []
        for _ in range(3):
            async with connected(f"ws://{host}/stocks") as client:
                await client.say(action="auth", params=FOREIGN)
                said.append((await client.only())["status"])
                code = await client.ended()
        assert ["auth_failed", "auth_failed", "error"] == said
        assert LATER == code

    run(serve_dialects(market.view, market.relay, guarded.access), work)


def test_where_the_database_is_is_not_told(
    guarded: Guarded, market: Market, serve_dialects: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object) -> None:
        fact = "keys@10.1.2.3:5432 does not answer."
        raise DatabaseUnavailableError(fact)

    monkeypatch.setattr(guarded.access, "authenticate", failing)

    async def work(host: str) -> None:
        async with connected(f"ws://{host}/stocks") as client:
            await client.say(action="auth", params=FOREIGN)
            told = await client.only()
            assert "error" == told["status"]
            assert "The database of keys failed" in told["message"]
            assert "10.1.2.3" not in told["message"]
            assert LATER == await client.ended()

    run(serve_dialects(market.view, market.relay, guarded.access), work)


def test_another_servers_sockets_tell_the_end_as_well(lake: Lake, market: Market) -> None:
    async def work(host: str) -> None:
        async with connected(f"ws://{host}/stocks") as client:
            for _ in range(21):
                await client.socket.send("nonsense")
            assert REFUSED == await client.ended()

    app = create_app(lake.reader, market.view, relay=market.relay)
    run(serving(app, ws="websockets-sansio"), work)


class Full:
    """A registry in which there is no room."""

    def __init__(self) -> None:
        self.closed_: list[str] = []

    async def opened(self, connection: Counted) -> None:
        fact = f"{connection.principal} has 20 connections open."
        raise TooManyRequestsError(fact)

    async def closed(self, connection: Counted) -> None:
        self.closed_.append(connection.id)


def test_one_connection_too_many_is_refused(lake: Lake, market: Market) -> None:
    full = Full()

    async def work(host: str) -> None:
        async with connected(f"ws://{host}/stocks") as client:
            await client.say(action="auth", params="any")
            assert "max_connections" == (await client.only())["status"]
            assert REFUSED == await client.ended()
        async with connected(f"ws://{host}/v2/iex") as client:
            await client.say(action="auth", key="id", secret=ANY)
            assert 406 == (await client.only())["code"]

    app = create_app(lake.reader, market.view)
    app.state.streams.counting = full
    run(serving(app), work)
    assert 2 == len(set(full.closed_))


def test_a_revoked_key_ends_its_connections(
    guarded: Guarded, market: Market, serve_dialects: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect_socket, "_WATCH_S", 0.05)
    key, other = guarded.key("live"), guarded.key("live")

    async def work(host: str) -> None:
        async with (
            at_massive(host, "AM.*", key=key.secret) as massive,
            at_alpaca(host, key.secret, bars=["*"]) as alpaca,
            at_massive(host, "AM.*", key=other.secret) as stays,
        ):
            guarded.revoke(key.key.key)
            assert "auth_failed" == (await massive.only())["status"]
            assert 402 == (await alpaca.only())["code"]
            assert [REFUSED, REFUSED] == [await massive.ended(), await alpaca.ended()]
            market.happen(trade(SESSION, "10:00:10"), trade(SESSION, "10:01:10"))
            assert "AM" == (await stays.only())["ev"]

    run(serve_dialects(market.view, market.relay, guarded.access), work)


def test_until_there_is_a_key_anyone_of_this_machine_may_listen_and_no_strangers_page(
    make_guarded: MakeGuarded, market: Market, serve_dialects: Serve
) -> None:
    guarded = make_guarded(is_open_before_keys=True)

    async def work(host: str) -> None:
        async with at_massive(host, "AM.*"), at_alpaca(host, bars=["*"]):
            pass
        for path in ("stocks", "v2/iex"):
            url = f"ws://{host}/{path}"
            async with connected(url, origin="https://evil.example") as client:
                await client.say(action="auth", params="", key="", secret="")
                said = await client.only()
                assert {"auth_failed", 409} & {said.get("status"), said.get("code")}
                assert REFUSED == await client.ended()

    run(serve_dialects(market.view, market.relay, guarded.access), work)


def test_who_shows_no_key_in_time_is_told_so(
    market: Market, serve_dialects: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect_socket, "_AUTH_S", 0.1)

    async def work(host: str) -> None:
        async with connected(f"ws://{host}/stocks") as client:
            assert status("auth_timeout", "no authentication in time") == await client.only()
            assert REFUSED == await client.ended()
        async with connected(f"ws://{host}/v2/iex") as client:
            assert error(404, "auth timeout") == await client.only()

    run(serve_dialects(market.view, market.relay), work)


def test_first_comes_the_key_and_it_comes_once(market: Market, serve_dialects: Serve) -> None:
    async def work(host: str) -> None:
        async with connected(f"ws://{host}/stocks") as client:
            await client.say(action="subscribe", params="AM.*")
            assert status("error", "not authenticated") == await client.only()
            await client.say(action="auth", params="any")
            assert status("auth_success", "authenticated") == await client.only()
            await client.say(action="auth", params="other")
            assert status("auth_success", "already authenticated") == await client.only()
        async with connected(f"ws://{host}/v2/iex") as client:
            await client.say(action="unsubscribe", bars=["*"])
            assert error(401, "not authenticated") == await client.only()
            await client.say(action="auth", key="id", secret=ANY)
            assert AUTHENTICATED == await client.only()
            await client.say(action="auth", key="id", secret=ANY)
            assert error(403, "already authenticated") == await client.only()

    run(serve_dialects(market.view, market.relay), work)
