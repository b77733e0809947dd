"""Several servers on one view that they share in Redis."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from fiblake import Lake
from lake.settings import Settings
from speed_layer.views import open_view
from tests.live import MINUTE, NO_BARS, OPEN, OpenView, bar, bars_of, price, prices_of
from tests.parts import RedisServer
from tests.streaming import Client, streaming

CHANNELS = ("price:*", "price:AAPL", "bars:1m:AAPL", "bars:5m:*")


def knows(price: float, client: Client) -> bool:
    return client.price("AAPL") == price and client.price("AAPL", "price:*") == price


def put(view: Any, version: int) -> None:
    start = OPEN + version % 7 * MINUTE
    bars = [
        bar(version=2 * version, start=start),
        bar("MSFT", interval="5m", version=2 * version),
    ]
    view.put(bars_of(*bars), prices_of(price(version=version)))


@pytest.fixture
def two(lake: Lake, open_redis: OpenView) -> Iterator[tuple[str, str]]:
    with ExitStack() as stack:
        opened = [stack.enter_context(streaming(lake, open_redis())) for _ in range(2)]
        yield opened[0], opened[1]


def test_all_servers_tell_the_same(two: tuple[str, str], open_redis: OpenView) -> None:
    view = open_redis()
    put(view, 1)
    with Client(two[0]) as one, Client(two[1]) as other:
        for client in (one, other):
            client.subscribe(*CHANNELS)
        for version in range(2, 40):
            put(view, version)
        for client in (one, other):
            client.until_known(partial(knows, 39.0))
            client.until_known(
                lambda it: all(each["version"] == 78 for each in it.items["bars:5m:*"].values())
            )
            client.until_known(lambda it: len(it.items["bars:1m:AAPL"]) == 7)
            client.until_known(
                lambda it: 78 in {each["version"] for each in it.items["bars:1m:AAPL"].values()}
            )

    assert one.items == other.items
    assert {"AAPL"} == {symbol for symbol, _ in one.items["price:*"]}


def test_who_comes_to_another_server_has_a_gap_and_then_all_that_is(
    two: tuple[str, str], open_redis: OpenView
) -> None:
    view = open_redis()
    put(view, 1)
    with Client(two[0]) as before:
        before.subscribe(*CHANNELS)
    put(view, 2)
    resume = {"stream": before.frames[0]["stream"], **before.seqs}
    with Client(two[1]) as after:
        after.subscribe(*CHANNELS, resume_from=resume)
        after.until_known(partial(knows, 2.0))

    gaps = {each["channel"]: each for each in after.frames if each["type"] == "gap"}
    assert set(CHANNELS) == gaps.keys()
    assert {"restarted"} == {each["why"] for each in gaps.values()}
    assert before.seqs == {name: each["from"] for name, each in gaps.items()}


def test_a_view_that_goes_away_and_comes_back_is_told_as_such(lake: Lake) -> None:
    server = RedisServer()
    server.start()
    settings = Settings.model_validate(
        {
            "view": "redis",
            "redis_url": server.url,
            "redis_prefix": uuid.uuid4().hex,
            "redis_attempts": 2,
            "redis_retry_ms": 1,
        }
    )
    view: Any = open_view(settings)
    try:
        put(view, 1)
        with streaming(lake, view) as host, Client(host) as client:
            client.subscribe(*CHANNELS)
            client.until_known(partial(knows, 1.0))
            server.stop()
            assert "away" == client.until("status")["live"]
            # Who comes now is told so, and is told the rest once there is some.
            with Client(host) as late:
                late.send("subscribe", "price:AAPL", "price:NEW")
                assert "away" == late.until("status")["live"]
                server.start()  # and has forgotten all
                assert "merged" == client.until("status")["live"]
                gap = client.until("gap", lambda each: each["channel"] == "price:AAPL")
                assert "view" == gap["why"]
                put(view, 2)
                view.put(NO_BARS, prices_of(price("NEW", 5)))
                client.until_known(partial(knows, 2.0))
                late.until("snapshot")
                late.until_known(lambda it: it.price("NEW") == 5.0)
                late.until_known(lambda it: it.price("AAPL") == 2.0)
    finally:
        view.close()
        server.stop()
