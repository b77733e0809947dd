"""The registry of connections: one contract in memory and in DynamoDB, and what is DynamoDB's."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from structlog.testing import capture_logs

from lake.clock import SetClock
from lake.errors import TooManyConnectionsError, ViewError
from lake.settings import Settings
from serving_layer.stream.dynamodb_connections import DynamoDBConnections
from serving_layer.stream.registry import (
    LASTS_S,
    Connections,
    MemoryConnections,
    Registered,
    allowed_by,
    open_connections,
)
from tests.deployed import deploy_tables
from tests.fault_proxy import Cut, FaultProxy, JsonAnswer
from tests.parts import MotoServer, free_port

OPENED = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
DEAD = dt.timedelta(seconds=LASTS_S + 1)
BROKEN = JsonAnswer.error(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerError")
MOST = 3
OpenRegistry = Callable[..., Connections]


def connection(name: str = "a", key: str = "k1", **others: Any) -> Registered:
    told = {"owner": "desk", "address": "10.0.0.1", "opened": OPENED, "process": "p1"}
    return Registered(id=name, key=key, **{**told, **others})


@pytest.fixture
def prefix(
    dynamodb_environment: None,  # noqa: ARG001 - where the table is
    moto_server: MotoServer,
) -> str:
    """The prefix of tables that are deployed."""
    prefix = f"test-{uuid.uuid4().hex}-"
    deploy_tables(moto_server, prefix)
    return prefix


@pytest.fixture
def open_shared(prefix: str, clock: SetClock) -> OpenRegistry:
    """Open the registry of a process, always of the same table."""

    def open_(process: str = "p1", **others: Any) -> DynamoDBConnections:
        given = {"connections_per_key": MOST, "connections_per_address": 2, "dynamodb_retry_ms": 1}
        settings = Settings(dynamodb_prefix=prefix, **{**given, **others})
        return DynamoDBConnections(settings, process, clock)

    return open_


@pytest.fixture(params=["memory", "dynamodb"])
def open_registry(request: pytest.FixtureRequest) -> OpenRegistry:
    if request.param == "dynamodb":
        shared: OpenRegistry = request.getfixturevalue("open_shared")
        return shared
    settings = Settings(connections_per_key=MOST, connections_per_address=2)
    return lambda: MemoryConnections(allowed_by(settings), "p1")


@asynccontextmanager
async def opened(*registries: Connections) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for each in registries:
            each.shut()


async def ids(registry: Connections, key: str | None = None) -> list[str]:
    return [each.id for each in await registry.list(key)]


def test_what_is_open_is_listed_in_order_of_opening(open_registry: OpenRegistry) -> None:
    first = connection("b")
    second = connection("a", "k2", opened=OPENED + dt.timedelta(microseconds=1))
    third = connection("c", "", owner="anyone", opened=OPENED + dt.timedelta(seconds=1))

    async def run() -> None:
        registry = open_registry()
        async with opened(registry):
            for each in (third, first, second):
                await registry.open(each)

            assert [first, second, third] == await registry.list()
            assert [second] == await registry.list("k2")
            assert [] == await registry.list("k3")

    asyncio.run(run())


def test_a_key_has_as_many_as_it_may_and_one_that_is_closed_frees_its_place(
    open_registry: OpenRegistry,
) -> None:
    async def run() -> None:
        registry = open_registry()
        async with opened(registry):
            for name in ("a", "b", "c"):
                await registry.open(connection(name))
            with pytest.raises(TooManyConnectionsError, match=r"k1 has as many .* it may have: 3"):
                await registry.open(connection("d"))
            await registry.open(connection("e", "k2"))
            await registry.close("b")
            await registry.close("d")
            await registry.close("b")
            await registry.open(connection("f"))

            assert ["a", "c", "f"] == await ids(registry, "k1")

    asyncio.run(run())


def test_where_no_key_is_asked_for_addresses_are_counted(open_registry: OpenRegistry) -> None:
    async def run() -> None:
        registry = open_registry()
        async with opened(registry):
            await registry.open(connection("a", ""))
            await registry.open(connection("b", ""))
            with pytest.raises(TooManyConnectionsError, match=r"address 10.0.0.1 .* have: 2"):
                await registry.open(connection("c", ""))
            await registry.open(connection("d", "", address="10.0.0.2"))

            assert ["a", "b", "d"] == await ids(registry)

    asyncio.run(run())


def test_a_touch_tells_how_many_channels_there_are(open_registry: OpenRegistry) -> None:
    async def run() -> None:
        registry = open_registry()
        async with opened(registry):
            await registry.open(connection("a"))
            await registry.open(connection("b"))
            await registry.touch({"a": 7, "unknown": 9})

            assert [7, 0] == [each.channels for each in await registry.list()]

    asyncio.run(run())


def test_of_many_that_come_at_once_no_more_are_let_in_than_may_be(
    open_shared: OpenRegistry,
) -> None:
    async def run() -> None:
        registries = [open_shared(f"p{number}") for number in range(3)]
        async with opened(*registries):
            results = await asyncio.gather(
                *(
                    registries[number % 3].open(connection(f"c{number}", process=f"p{number % 3}"))
                    for number in range(9)
                ),
                return_exceptions=True,
            )
            refused = [each for each in results if each is not None]

            assert 6 == len(refused)
            assert all(isinstance(each, TooManyConnectionsError) for each in refused)
            assert MOST == len(await registries[0].list("k1"))
            assert await registries[1].list() == await registries[2].list()

    asyncio.run(run())


def test_what_a_dead_process_leaves_behind_counts_no_more(
    open_shared: OpenRegistry, clock: SetClock
) -> None:
    async def run() -> None:
        dead, living = open_shared("p1"), open_shared("p2")
        async with opened(dead, living):
            for name in ("a", "b", "c"):
                await dead.open(connection(name))
            with pytest.raises(TooManyConnectionsError):
                await living.open(connection("d", process="p2"))
            clock.instant += DEAD
            await living.open(connection("d", process="p2"))

            assert ["d"] == await ids(living)

    asyncio.run(run())


def test_a_process_that_goes_on_keeps_its_places(
    open_shared: OpenRegistry, clock: SetClock
) -> None:
    async def run() -> None:
        first, second = open_shared("p1"), open_shared("p2")
        async with opened(first, second):
            for name in ("a", "b", "c"):
                await first.open(connection(name))
            for _ in range(5):
                clock.instant += dt.timedelta(seconds=LASTS_S / 2)
                await first.touch({})
            with pytest.raises(TooManyConnectionsError):
                await second.open(connection("d", process="p2"))

            assert ["a", "b", "c"] == await ids(second)

    asyncio.run(run())


def test_a_process_that_was_taken_for_dead_takes_the_places_that_are_left(
    open_shared: OpenRegistry, clock: SetClock
) -> None:
    async def run() -> None:
        slow, other = open_shared("p1"), open_shared("p2")
        async with opened(slow, other):
            for name in ("a", "b", "c"):
                await slow.open(connection(name))
            clock.instant += DEAD
            await other.open(connection("d", process="p2", opened=OPENED + DEAD))
            with capture_logs() as logs:
                await slow.touch({"a": 1, "b": 1, "c": 1})
            found = await slow.list()
            # What has no place counts nowhere, and takes nothing along when it goes.
            for name in ("a", "b", "c"):
                await slow.close(name)

            assert ["d"] == await ids(slow)
            assert 3 == len(found)
            assert "d" == found[-1].id
            assert ["a connection is open beyond those allowed"] == [each["event"] for each in logs]

    asyncio.run(run())


def test_a_process_that_ends_frees_its_places_at_once(open_shared: OpenRegistry) -> None:
    async def run() -> None:
        ending, other = open_shared("p1"), open_shared("p2")
        await ending.open(connection("a"))
        ending.shut()
        async with opened(other):
            assert [] == await other.list()

    asyncio.run(run())


def test_an_item_lasts_for_as_long_as_its_connection(
    open_shared: OpenRegistry, clock: SetClock, prefix: str
) -> None:
    async def run() -> None:
        registry = open_shared()
        async with opened(registry):
            await registry.open(connection("a"))
            before = ttl_of("a", registry)
            clock.instant += dt.timedelta(hours=11)
            await registry.touch({})
            unchanged = ttl_of("a", registry)
            clock.instant += dt.timedelta(hours=2)
            await registry.touch({})

            assert before == unchanged
            assert before + 13 * 3600 == ttl_of("a", registry)

    def ttl_of(name: str, registry: Any) -> int:
        items = registry._server.client.scan(TableName=f"{prefix}connections")["Items"]  # noqa: SLF001
        return next(int(each["ttl"]["N"]) for each in items if each.get("id") == {"S": name})

    asyncio.run(run())


def test_an_answer_that_was_lost_takes_no_second_place(
    open_shared: OpenRegistry, fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", fault_proxy.url)

    async def run() -> None:
        registry = open_shared()
        async with opened(registry):
            await registry.open(connection("a"))
            fault_proxy.fail(Cut(-1), when=lambda request: request.operation == "PutItem")
            await registry.open(connection("b"))

            assert 0 == fault_proxy.pending
            assert ["a", "b"] == await ids(registry)

    asyncio.run(run())


def test_while_dynamodb_is_away_connections_are_let_in_and_entered_later(
    open_shared: OpenRegistry, fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", fault_proxy.url)

    async def run() -> None:
        registry = open_shared()
        async with opened(registry):
            await registry.open(connection("a"))
            await registry.open(connection("b"))
            fault_proxy.fail(BROKEN, times=1000)
            with capture_logs() as logs:
                await registry.open(connection("c"))
                await registry.close("a")
                await registry.open(connection("d"))
                await registry.close("d")
                await registry.open(connection("d"))
                await registry.open(connection("late", key="another"))
                await registry.close("late")
                assert isinstance(registry, DynamoDBConnections)
                assert {"c", "d"} == registry._waiting  # noqa: SLF001 - none takes room for good
                await registry.touch({})
                # This process still knows how many it has itself.
                with pytest.raises(TooManyConnectionsError):
                    await registry.open(connection("e"))
                with pytest.raises(ViewError):
                    await registry.list()
            fault_proxy.heal()
            with capture_logs() as later:
                await registry.touch({"c": 2})

            assert ["b", "c", "d"] == await ids(registry)
            assert ["connections are counted by each process"] == [each["event"] for each in logs]
            assert ["connections are counted in DynamoDB again"] == [
                each["event"] for each in later
            ]

    asyncio.run(run())


def test_nobody_waits_long_for_a_dynamodb_that_nobody_answers_for(
    open_shared: OpenRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")

    async def run() -> None:
        registry = open_shared()
        async with opened(registry), asyncio.timeout(30):
            await asyncio.gather(*(registry.open(connection(name)) for name in ("a", "b", "c")))
            with pytest.raises(TooManyConnectionsError):
                await registry.open(connection("d"))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("chosen", "kind"),
    [
        ({}, MemoryConnections),
        ({"view": "redis"}, MemoryConnections),
        ({"view": "redis", "view_fallback": "dynamodb"}, DynamoDBConnections),
        ({"view": "dynamodb"}, DynamoDBConnections),
        ({"view": "dynamodb", "connections_store": "memory"}, MemoryConnections),
        ({"connections_store": "DynamoDB"}, DynamoDBConnections),
    ],
)
@pytest.mark.usefixtures("dynamodb_environment")
def test_settings_choose(chosen: dict[str, str], kind: type) -> None:
    registry = open_connections(Settings.model_validate(chosen))
    registry.shut()

    assert kind is type(registry)
