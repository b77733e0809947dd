"""What vendors' dialects say besides data: who may listen, what makes no sense, who is too slow."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgpack
import polars as pl
import polygon
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polygon.exceptions import AuthError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fiblake import Lake
from lake.errors import DatabaseUnavailableError, TooManyRequestsError
from lake.event import Kind
from serving_layer.app import create_app
from serving_layer.dialects import socket as dialect_socket
from serving_layer.dialects.outbox import Outbox
from serving_layer.stream.connection import Counted
from tests.access import FOREIGN, Guarded, MakeGuarded, serving
from tests.days import SESSION
from tests.dialect_streams import (
    Client,
    Market,
    Serve,
    alpaca_stream,
    at_alpaca,
    at_massive,
    connected,
    listening,
    until,
)
from tests.events import trades
from tests.trading import trade

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ANY: Final = "any"
REFUSED: Final = 1008
LATER: Final = 1013
AUTHENTICATED: Final = {"T": "success", "msg": "authenticated"}


def run(serve: Any, work: Callable[[str], Any]) -> None:
    """Let clients talk to a server."""
    with serve as host:
        asyncio.run(work(host))


def status(name: str, message: str) -> dict[str, str]:
    return {"ev": "status", "status": name, "message": message}


def error(code: int, msg: str, detail: str = "") -> dict[str, Any]:
    return {"T": "error", "code": code, "msg": msg} | ({"detail": detail} if detail else {})


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


def test_subscriptions_add_up_and_are_told(market: Market, serve_dialects: Serve) -> None:
    async def work(host: str) -> None:
        async with at_alpaca(host, bars=["AAPL"]) as client:
            await client.say(action="subscribe", dailyBars=["MSFT"], quotes=["AAPL"])
            refused = "invalid subscribe action for this feed"
            assert error(410, refused, "quotes are not told here.") == await client.only()
            told = await client.only()
            assert (["AAPL"], ["MSFT"], []) == (told["bars"], told["dailyBars"], told["quotes"])
            await client.say(action="unsubscribe", bars=["AAPL", "NONE"])
            told = await client.only()
            assert ([], ["MSFT"]) == (told["bars"], told["dailyBars"])
            await client.say(action="subscribe", bars=[f"S{each}" for each in range(5_000)])
            assert error(405, "symbol limit exceeded", "at most 5000 at once.") == (
                await client.only()
            )
        async with at_massive(host, "AM.AAPL", "T.BRK.B") as client:
            await client.say(action="unsubscribe", params="AM.AAPL")
            assert status("success", "unsubscribed to: AM.AAPL") == await client.only()
            market.happen(
                trade(SESSION, "10:00:10", symbol="AAPL"),
                trade(SESSION, "10:01:10", symbol="BRK.B"),
            )
            told = await client.only()
            assert ("T", "BRK.B") == (told["ev"], told["sym"])

    run(serve_dialects(market.view, market.relay), work)


@pytest.mark.parametrize(
    ("has_view", "kind", "why"),
    [
        (False, None, "there is no live feed here."),
        (
            True,
            None,
            "trades are told by the server that has the feed, which this one has not.",
        ),
        (True, "second", "the feed of this server tells seconds, and no trades."),
    ],
)
def test_what_nobody_here_tells_is_refused_in_one_sentence(
    market: Market, serve_dialects: Serve, *, has_view: bool, kind: Kind | None, why: str
) -> None:
    market.relay.kind = kind

    async def work(host: str) -> None:
        async with at_massive(host) as client:
            await client.say(action="subscribe", params="T.AAPL,T.MSFT")
            assert status("error", f"not subscribed: {why}") == await client.only()
        async with at_alpaca(host) as client:
            await client.say(action="subscribe", trades=["AAPL", "*"])
            refused = "invalid subscribe action for this feed"
            assert error(410, refused, why) == await client.only()
            assert [] == (await client.only())["trades"]

    run(serve_dialects(market.view if has_view else None, market.relay), work)


def test_seconds_are_relayed_where_the_feed_tells_them(
    market: Market, serve_dialects: Serve
) -> None:
    market.relay.kind = "second"
    second = trade(SESSION, "10:00:10", kind="second", open=9.0, high=12.0, low=8.0)

    async def work(host: str) -> None:
        async with at_massive(host, "A.*") as client:
            await until(lambda: market.relay._ears)  # noqa: SLF001
            market.happen(second)
            told = await client.only()
            assert ("A", "AA", 10.0, 8.0) == tuple(told[each] for each in ("ev", "sym", "c", "l"))

    run(serve_dialects(market.view, market.relay), work)


def test_alpacas_feeds_are_one_and_others_are_none(market: Market, serve_dialects: Serve) -> None:
    async def work(host: str) -> None:
        for feed in ("sip", "iex", "delayed_sip"):
            async with connected(f"ws://{host}/v2/{feed}"):
                pass
        with pytest.raises(InvalidStatus):
            await connect(f"ws://{host}/v2/opra", proxy=None)

    run(serve_dialects(market.view, market.relay), work)


def test_who_takes_too_little_is_told_so_and_holds_up_nobody(
    market: Market, serve_dialects: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect_socket, "Outbox", partial(Outbox, most_trades=20_000))
    monkeypatch.setattr(dialect_socket, "_LAST_WORDS_S", 60.0)
    count = 60_000
    taken: list[int] = []

    async def take(client: Client) -> None:
        while len(taken) < count:
            taken.extend(each["q"] for each in await client.hear())

    async def work(host: str) -> None:
        name, port = host.split(":")
        stalled = socket.socket()
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect((name, int(port)))
        async with (
            connect(f"ws://{host}/stocks", sock=stalled, max_queue=1, compression=None) as slow,
            at_massive(host, "T.*") as quick,
        ):
            for _ in range(2):
                await slow.recv()
                await slow.send('{"action":"auth","params":"any"}')
            await slow.send('{"action":"subscribe","params":"T.*"}')
            await until(lambda: _is_subscribed(market, 1))
            taking = asyncio.create_task(take(quick))
            for first in range(0, count, 4_000):
                market.relay.publish(trades(["AAPL"] * 4_000, first=first))
                while len(taken) < first - 8_000:  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(0.01)
            await taking
            assert list(range(count)) == taken
            frames = [str(frame) async for frame in _until_closed(slow)]
            assert "slow_consumer" == json.loads(frames[-1])[0]["status"]
            assert REFUSED == slow.close_code

    run(serve_dialects(market.view, market.relay), work)


async def _until_closed(client: ClientConnection) -> AsyncIterator[str | bytes]:
    with suppress(ConnectionClosed):
        while True:
            yield await client.recv()


def _is_subscribed(market: Market, ears: int) -> bool:
    return len(market.relay._ears) == ears  # noqa: SLF001


def test_what_the_relay_lost_ends_the_connections_it_was_for(
    market: Market, serve_dialects: Serve
) -> None:
    too_many = pl.concat([trades(["AAPL"] * 1_000)] * 101)

    async def work(host: str) -> None:
        async with at_massive(host, "T.*") as client, at_massive(host, "AM.*") as other:
            await until(lambda: _is_subscribed(market, 1))
            market.relay.publish(too_many)
            message = "what is sent is not taken fast enough"
            assert status("slow_consumer", message) == await client.only()
            assert REFUSED == await client.ended()
            await other.say(action="unsubscribe", params="AM.*")
            assert "success" == (await other.only())["status"]

    run(serve_dialects(market.view, market.relay), work)


def test_too_many_frames_that_make_no_sense_are_the_end(
    market: Market, serve_dialects: Serve
) -> None:
    async def work(host: str) -> None:
        async with at_massive(host) as client:
            for _ in range(20):
                await client.socket.send("nonsense")
                assert status("error", "the frame makes no sense: not JSON.") == await client.only()
            await client.socket.send("nonsense")
            why = "too many frames made no sense."
            assert status("error", f"the frame makes no sense: {why}") == await client.only()
            assert REFUSED == await client.ended()
        async with at_alpaca(host) as client:
            await client.socket.send(" " * (64 * 1024 + 1))
            assert 1009 == await client.ended()

    run(serve_dialects(market.view, market.relay), work)


def test_a_server_that_goes_away_does_not_say_that_all_is_well(
    market: Market, serve_dialects: Serve
) -> None:
    codes: list[int] = []
    with serve_dialects(market.view, market.relay) as host:
        loop = asyncio.new_event_loop()
        client = loop.run_until_complete(connect(f"ws://{host}/stocks", proxy=None))
    # Of 1000 and 1001 the official client thinks that nothing more is to come.
    loop.run_until_complete(client.wait_closed())
    codes.append(client.close_code or 0)
    loop.close()

    assert [1012] == codes


ODD: Final = (
    st.binary(max_size=64)
    | st.text(max_size=64)
    | st.sampled_from(
        [
            '{"action":"subscribe","params":["AM.*"]}',
            '{"action":"subscribe","bars":{"a":1}}',
            '{"action":["subscribe"],"bars":["*"]}',
            '{"action":"auth","params":null,"secret":7}',
            "[" * 2_000,
            msgpack.packb({"action": "subscribe", "bars": [b"\xff", 1.5, None]}),
            msgpack.packb({"action": "auth", "secret": msgpack.Timestamp(1, 2)}),
        ]
    )
)


def test_whatever_a_client_sends_others_are_told_on(market: Market, serve_dialects: Serve) -> None:
    told: list[int] = []

    async def heckle(host: str, frames: list[str | bytes]) -> None:
        headers = {"Content-Type": "application/msgpack"}
        async with (
            connect(f"ws://{host}/stocks", proxy=None) as massive,
            connect(f"ws://{host}/v2/iex", proxy=None, additional_headers=headers) as alpaca,
        ):
            await massive.send('{"action":"auth","params":"any"}')
            await alpaca.send(msgpack.packb({"action": "auth", "key": "", "secret": "any"}))
            for each in (massive, alpaca):
                for frame in frames:
                    await each.send(frame)
                await asyncio.wait_for(each.ping(), 30)

    async def work(host: str) -> None:
        async with at_massive(host, "T.*") as client:
            await until(lambda: _is_subscribed(market, 1))

            @settings(max_examples=25, suppress_health_check=list(HealthCheck))
            @given(frames=st.lists(ODD, max_size=8))
            def heckled(frames: list[str | bytes]) -> None:
                asyncio.run(heckle(host, frames))

            await asyncio.to_thread(heckled)
            market.relay.publish(trades(["AAPL"] * 3))
            told.extend(each["q"] for each in await client.hear())

    run(serve_dialects(market.view, market.relay), work)
    assert [0, 1, 2] == told


def test_a_defect_ends_connections_and_later_ones_are_told(
    market: Market, serve_dialects: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(host: str) -> None:
        async with at_massive(host, "T.*") as client:
            await until(lambda: _is_subscribed(market, 1))
            with monkeypatch.context() as patch:
                patch.setattr("serving_layer.dialects.massive_messages.Massive.events", _failing)
                market.relay.publish(trades(["AAPL"]))
                assert status("error", "not now") == await client.only()
                assert LATER == await client.ended()
        async with at_massive(host, "T.*") as client:
            await until(lambda: _is_subscribed(market, 1))
            market.relay.publish(trades(["AAPL"]))
            assert "T" == (await client.only())["ev"]

    run(serve_dialects(market.view, market.relay), work)


def _failing(*_: object) -> None:
    fact = "a defect"
    raise RuntimeError(fact)
