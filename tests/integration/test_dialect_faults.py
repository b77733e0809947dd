"""Vendors' dialects where clients are slow or make no sense, and where the server fails."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Final

import msgpack
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from serving_layer.dialects import socket as dialect_socket
from serving_layer.dialects.outbox import Outbox
from tests.dialect_streams import (
    LATER,
    REFUSED,
    Client,
    Market,
    Serve,
    at_alpaca,
    at_massive,
    run,
    status,
    until,
)
from tests.events import trades

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


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
