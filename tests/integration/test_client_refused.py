"""A client's stream that cannot be, or may not: of which error it ends."""

from __future__ import annotations

import logging

import pytest
from fastapi import FastAPI

from fiblake import Client, Lake
from fiblake.client import Status
from lake.errors import (
    AccessError,
    ForbiddenError,
    InvalidIntervalError,
    MisuseError,
    NoFeedError,
    ServerError,
    ServerUnavailableError,
)
from serving_layer.app import create_app
from speed_layer.views import MemoryView
from tests.access import FOREIGN, Guarded, serving
from tests.cutting import CuttingProxy
from tests.watching import Watching


@pytest.mark.parametrize(
    ("channels", "kind", "told"),
    [
        (["price:AAPL", "trades:AAPL"], MisuseError, "trades:AAPL"),
        (["bars:7m:AAPL"], InvalidIntervalError, "7m"),
        ([f"price:S{number}" for number in range(1_001)], MisuseError, "at most 1,000"),
    ],
)
def test_a_channel_that_is_none_ends_it(
    stream_lake: Lake, live_view: MemoryView, channels: list[str], kind: type, told: str
) -> None:
    with (
        serving(create_app(stream_lake.reader, live_view)) as at,
        Client(f"http://{at}") as client,
        client.watch(channels) as events,
        pytest.raises(kind, match=told),
    ):
        list(events)


def test_no_channel_is_said_at_once() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(MisuseError, match="No channel"):
        client.stream([])


def test_where_nothing_feeds_there_is_no_stream(stream_lake: Lake) -> None:
    with (
        serving(create_app(stream_lake.reader)) as at,
        Client(f"http://{at}") as client,
        client.watch("price:AAPL") as events,
        pytest.raises(NoFeedError),
    ):
        next(events)


def test_who_is_not_there_is_given_up_on() -> None:
    with (
        CuttingProxy() as proxy,
        Client(proxy.url, attempts=2) as client,
        client.watch("price:AAPL") as events,
        pytest.raises(ServerUnavailableError, match=f"{proxy.url} does not answer"),
    ):
        next(events)
    assert 2 == proxy.connections


def test_who_stays_away_is_given_up_on(stream_lake: Lake, live_view: MemoryView) -> None:
    with CuttingProxy() as proxy, Client(proxy.url) as client:
        with serving(create_app(stream_lake.reader, live_view)) as proxy.upstream:
            watching = Watching(client, "price:AAPL", reconnect_s=0.5)
            watching.__enter__()
            watching.until(lambda: watching.items)
        assert isinstance(watching.until_it_fails(), ServerUnavailableError)
        watching.__exit__()


def test_another_kind_of_server_has_no_stream() -> None:
    with (
        serving(FastAPI()) as at,
        Client(f"http://{at}", attempts=1) as client,
        client.watch("price:AAPL") as events,
        pytest.raises(ServerError, match="is that the URL of a fiblake server"),
    ):
        next(events)


def test_keys_are_looked_at_while_it_streams(
    guarded: Guarded, stream_lake: Lake, live_view: MemoryView
) -> None:
    guarded.app = create_app(stream_lake.reader, live_view, access=guarded.access)
    key, other = guarded.key("live"), guarded.key("read").secret
    with serving(guarded.app) as at:
        for shown, kind in ((None, AccessError), (FOREIGN, AccessError), (other, ForbiddenError)):
            with (
                Client(f"http://{at}", shown) as client,
                client.watch("price:AAPL") as events,
                pytest.raises(kind) as error,
            ):
                next(events)
            assert shown is None or shown not in str(error.value)
        with Client(f"http://{at}", key.secret) as client, Watching(client, "price:*") as watching:
            watching.until(lambda: watching.items)
            guarded.revoke(key.key.key)
            assert type(watching.until_it_fails()) is AccessError


def test_a_key_is_in_no_log_of_a_stream(
    guarded: Guarded,
    stream_lake: Lake,
    live_view: MemoryView,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("fiblake").setLevel(logging.DEBUG)
    guarded.app = create_app(stream_lake.reader, live_view, access=guarded.access)
    key = guarded.key("live").secret
    with (
        serving(guarded.app) as at,
        Client(f"http://{at}", key) as client,
        client.watch("price:AAPL") as events,
    ):
        assert isinstance(next(events), Status)

    client_side = [record for record in caplog.records if record.name.startswith("fiblake")]
    assert key not in "".join(record.getMessage() for record in client_side)
