"""How many streams a key or an address may have open, and who may see which are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from fiblake import Lake
from lake.settings import Settings
from serving_layer.app import create_app
from serving_layer.auth.managing import Created
from serving_layer.stream.counting import Counter
from serving_layer.stream.registry import Connections, MemoryConnections, Registered, allowed_by
from serving_layer.stream.routes import Streams
from speed_layer.views import MemoryView
from tests.access import Guarded, MakeGuarded, serving
from tests.live import NO_BARS, price, prices_of

MOST = 20
PATIENCE_S = 30


@pytest.fixture
def registry() -> Connections:
    return MemoryConnections(allowed_by(Settings(connections_per_address=3)), "p1")


@pytest.fixture
def serve(lake: Lake, registry: Connections) -> Iterator[Callable[[Guarded], Any]]:
    """Serve streams of a view with a price, to who has keys of an app that asks for them."""
    with closing(MemoryView()) as view:
        view.put(NO_BARS, prices_of(price("AAPL")))

        def serve(guarded: Guarded) -> Any:
            app = create_app(lake.reader, view, access=guarded.access, connections=registry)
            return serving(app)

        yield serve


def headers_of(key: str) -> dict[str, str]:
    return {"X-API-Key": key} if key else {}


async def until(registry: Connections, is_so: Callable[[list[Registered]], bool]) -> None:
    while not is_so(await registry.list()):  # noqa: ASYNC110 - nobody tells it
        await asyncio.sleep(0.01)


def count_of(connections: list[Registered], key: Created) -> int:
    return sum(each.key == key.key.key for each in connections)


@asynccontextmanager
async def welcomed(host: str, key: str) -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://{host}/v1/stream", additional_headers=headers_of(key)) as socket:
        assert "welcome" == json.loads(await socket.recv())["type"]
        yield socket


async def refused(host: str, key: str) -> tuple[int, str]:
    """Return the code and the reason by which a connection is closed at once."""
    socket = await connect(f"ws://{host}/v1/stream", additional_headers=headers_of(key))
    with pytest.raises(ConnectionClosed) as caught:
        await socket.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def run(work: Any) -> None:
    async def patiently() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await work()

    asyncio.run(patiently())


def test_the_21st_stream_of_a_key_is_refused_and_one_that_is_closed_frees_its_place(
    serve: Callable[[Guarded], Any], guarded: Guarded, registry: Connections
) -> None:
    key, other = guarded.key("live"), guarded.key("live")

    async def work() -> None:
        async with AsyncExitStack() as stack:
            for _ in range(MOST - 1):
                await stack.enter_async_context(welcomed(host, key.secret))
            async with welcomed(host, key.secret):
                code, reason = await refused(host, key.secret)
                await stack.enter_async_context(welcomed(host, other.secret))
            await until(registry, lambda each: count_of(each, key) < MOST)
            await stack.enter_async_context(welcomed(host, key.secret))

            assert (4009, MOST) == (code, len(await registry.list(key.key.key)))
            assert reason.startswith(f"The key {key.key.key} has as many connections open")
        await until(registry, lambda each: not each)

    with serve(guarded) as host:
        run(work)


def test_who_shows_a_key_in_the_first_frame_is_counted_with_those_who_did_before(
    serve: Callable[[Guarded], Any], guarded: Guarded
) -> None:
    key = guarded.key("live")

    async def work() -> None:
        async with AsyncExitStack() as stack:
            for _ in range(MOST):
                await stack.enter_async_context(welcomed(host, key.secret))
            socket = await stack.enter_async_context(welcomed(host, ""))
            await socket.send(json.dumps({"action": "auth", "key": key.secret}))
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()

            assert caught.value.rcvd is not None
            assert 4009 == caught.value.rcvd.code

    with serve(guarded) as host:
        run(work)


def test_where_no_key_is_asked_for_an_address_has_so_many(
    serve: Callable[[Guarded], Any], make_guarded: MakeGuarded
) -> None:
    async def work() -> None:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(welcomed(host, ""))
            code, reason = await refused(host, "")

            assert 4009 == code
            assert reason.startswith("The address 127.0.0.1 has as many connections open")

    with serve(make_guarded(is_open_before_keys=True)) as host:
        run(work)


def test_admins_see_which_streams_are_open(
    serve: Callable[[Guarded], Any], guarded: Guarded, registry: Connections
) -> None:
    key, admin = guarded.key("live"), guarded.key("admin")

    def listed(path: str = "/v1/connections", shown: str = admin.secret) -> httpx.Response:
        return httpx.get(f"http://{host}{path}", headers={"X-API-Key": shown})

    async def work() -> None:
        async with welcomed(host, key.secret):
            (told,) = (await asyncio.to_thread(listed)).json()["connections"]
            others = await asyncio.to_thread(listed, "/v1/connections?key=another")
            denied = await asyncio.to_thread(listed, shown=key.secret)
            (held,) = await registry.list()

            assert (held.id, key.key.key, "127.0.0.1", "p1", 0) == tuple(
                told[name] for name in ("id", "key", "address", "process", "channels")
            )
            assert {"connections": []} == others.json()
            assert 403 == denied.status_code

    with serve(guarded) as host:
        run(work)


def test_the_registry_is_told_how_many_channels_there_are(
    lake: Lake, registry: Connections
) -> None:
    async def work() -> None:
        async with welcomed(host, "") as socket:
            await socket.send(json.dumps({"action": "subscribe", "channels": ["price:A", "*"]}))
            await until(registry, lambda each: [2] == [one.channels for one in each])

    with closing(MemoryView()) as view:
        app = create_app(lake.reader, view, connections=registry)
        reader = app.state.reader
        counter = Counter(registry, reader.now, touch_s=0.01)
        app.state.streams = Streams(view, reader, counting=counter)
        with serving(app) as host:
            run(work)
