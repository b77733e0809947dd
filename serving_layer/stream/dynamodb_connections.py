"""The registry of connections in DynamoDB, which all processes of the API share."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from lake.clock import SystemClock
from lake.dynamodb import DynamoDBServer, part
from lake.dynamodb_creating import create_tables
from lake.errors import TooManyConnectionsError, ViewError
from serving_layer.stream import connections_table as table
from serving_layer.stream.registry import (
    LASTS_S,
    MemoryConnections,
    allowed_by,
    holder_of,
    holder_of_key,
    in_order,
    too_many,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lake.clock import Clock
    from lake.dynamodb_creating import Table
    from lake.settings import Settings
    from serving_layer.stream.connections_table import Item
    from serving_layer.stream.registry import Registered

_log = structlog.get_logger(__name__)
_WORKERS: Final = 4
_ATTEMPTS: Final = 2
_TIMEOUT_S: Final = 1.0
"""Whoever connects waits for it."""
_LASTS: Final = dt.timedelta(seconds=LASTS_S)
_MOST: Final = 100
"""So many connections are told of by one touch; the others by those after it."""

Answer = TypeVar("Answer")


def create_table(settings: Settings) -> Sequence[Table]:
    """Create the table if it is not there, and return it once it can be used.

    Raises:
        ViewError: If that cannot be.
    """
    return create_tables(DynamoDBServer(settings), [table.definition(settings.dynamodb_prefix)])


class DynamoDBConnections:
    """Connections of all processes.

    While DynamoDB is away, connections are let in as this process alone counts them, and entered
    once it is back, as far as their key has places.

    Args:
        settings: How tables' names begin, and how many connections there may be.
        process: The name of this process, unlike any other's.
        clock: Tells which processes are past their time.

    Raises:
        ViewRefusedError: If AWS's own settings make no sense.
    """

    def __init__(self, settings: Settings, process: str, clock: Clock | None = None) -> None:
        soon = {"dynamodb_attempts": _ATTEMPTS, "dynamodb_timeout_seconds": _TIMEOUT_S}
        self._server = DynamoDBServer(settings.model_copy(update=soon))
        self._table = table.connections_table(settings.dynamodb_prefix)
        self.process = process
        self._clock = clock or SystemClock()
        self._allowed = allowed_by(settings)
        self._here = MemoryConnections(self._allowed, process)
        self._entered: dict[str, Item] = {}
        self._waiting: set[str] = set()
        self._lives_until = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._turn = threading.Lock()
        self._is_away = False
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="connections")

    async def open(self, connection: Registered) -> None:
        """Let a connection in, if no process has taken the last of its key's places."""
        await self._here.open(connection)
        try:
            await self._in_thread(lambda: self._open(connection))
        except TooManyConnectionsError:
            await self._here.close(connection.id)
            raise

    async def touch(self, channels: Mapping[str, int]) -> None:
        """Tell that this process lives, and of its connections what is new."""
        await self._here.touch(channels)
        mine = await self._here.list()
        await self._in_thread(lambda: self._unless_away(lambda: self._touch(mine)))

    async def close(self, connection_id: str) -> None:
        """Let a connection go, and its place."""
        await self._here.close(connection_id)
        self._waiting.discard(connection_id)
        if not self._is_away:
            await self._in_thread(lambda: self._unless_away(lambda: self._leave(connection_id)))

    async def list(self, key: str | None = None) -> list[Registered]:
        """Return the connections of processes that live."""
        return in_order(await self._in_thread(lambda: self._found(key)))

    def shut(self) -> None:
        """Let go of threads, and of what is entered still."""
        self._workers.shutdown(cancel_futures=True)
        # If that fails, its time passes.
        if self._lives_until > self._clock.now() and not self._is_away:
            self._unless_away(self._die)
        self._server.client.close()

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    def _open(self, connection: Registered) -> None:
        # While it is away, a touch tries; whoever connects does not wait for it.
        if self._is_away or not self._unless_away(lambda: self._enter(connection)):
            self._waiting.add(connection.id)

    def _unless_away(self, work: Callable[[], object]) -> bool:
        """Return whether some work could be done; where it could not, that is logged once."""
        try:
            work()
        except ViewError as error:
            if not self._is_away:
                _log.warning("connections are counted by each process", error=str(error))
            self._is_away = True
            return False
        if self._is_away:
            _log.warning("connections are counted in DynamoDB again")
        self._is_away = False
        return True

    def _touch(self, mine: Sequence[Registered]) -> None:
        self._live()
        for gone in [each for each in list(self._entered) if self._here.get(each) is None]:
            self._leave(gone)
        for each in [each for each in mine if each.id in self._waiting][:_MOST]:
            self._enter_late(each)
        for connection in self._changed(mine)[:_MOST]:
            self._tell(connection)

    def _enter_late(self, connection: Registered) -> None:
        """Enter a connection that was let in before it could be."""
        try:
            self._enter(connection)
        except TooManyConnectionsError as error:
            # It was let in, and stays; so nobody may take it for one that was refused.
            _log.warning("a connection is open beyond those allowed", error=error.fact)
        self._waiting.discard(connection.id)

    def _enter(self, connection: Registered) -> None:
        """Take one of the places of a connection's key.

        Raises:
            TooManyConnectionsError: If all are taken.
        """
        self._live()
        holder, most = holder_of(connection), self._allowed.of(connection)
        # Each time another was faster, one place fewer is free.
        for _ in range(most + 1):
            taken = {table.text(each, "place"): each for each in self._items(holder)}
            item = self._mine(taken, connection) or self._taken(taken, connection, most)
            if item is not None:
                self._entered[connection.id] = item
                if self._here.get(connection.id) is None:
                    self._leave(connection.id)  # it went meanwhile
                return
        raise too_many(connection, most)

    def _mine(self, taken: Mapping[str, Item], connection: Registered) -> Item | None:
        """Return the item of a connection that is entered already, its answer lost."""
        found = (each for each in taken.values() if table.text(each, "id") == connection.id)
        return next(found, None)

    def _taken(self, taken: Mapping[str, Item], connection: Registered, most: int) -> Item | None:
        """Return the item on a free place that was taken; None if another was faster."""
        living = self._living()
        places = map(table.place_of, range(most))
        free = [
            each
            for each in places
            if each not in taken or table.text(taken[each], "process") not in living
        ]
        if not free:
            raise too_many(connection, most)
        place = random.choice(free)  # noqa: S311 - so that who comes at once does not collide
        item = table.item_of(connection, place, self._clock.now())
        before = taken.get(place)
        given: Any = {"ConditionExpression": "attribute_not_exists(id)"}
        if before is not None:
            values = {":id": before["id"]}
            given = {"ConditionExpression": "id = :id", "ExpressionAttributeValues": values}
        client = self._server.client
        was_free = self._server.ask_unless_held(
            lambda: client.put_item(TableName=self._table, Item=item, **given)
        )
        return item if was_free else None

    def _changed(self, mine: Sequence[Registered]) -> Sequence[Registered]:
        """Return the connections whose items are not as they should be, or grow old."""
        soon = self._clock.now() + table.KEPT / 2
        return [
            each
            for each in mine
            if (item := self._entered.get(each.id)) is not None
            and (item["channels"]["N"] != str(each.channels) or table.is_past(item, soon))
        ]

    def _tell(self, connection: Registered) -> None:
        """Renew the item of a connection."""
        place = table.text(self._entered[connection.id], "place")
        item = table.item_of(connection, place, self._clock.now())
        client = self._server.client
        is_there = self._server.ask_unless_held(
            lambda: client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="id = :id",
                ExpressionAttributeValues={":id": item["id"]},
            )
        )
        if is_there:
            self._entered[connection.id] = item
        else:
            self._waiting.add(connection.id)

    def _leave(self, connection_id: str) -> None:
        self._waiting.discard(connection_id)
        item = self._entered.get(connection_id)
        if item is None:
            return
        client = self._server.client
        key = table.key_of(table.text(item, "holder"), table.text(item, "place"))
        self._server.ask_unless_held(
            lambda: client.delete_item(
                TableName=self._table,
                Key=key,
                ConditionExpression="id = :id",
                ExpressionAttributeValues={":id": item["id"]},
            )
        )
        self._entered.pop(connection_id, None)

    def _live(self) -> None:
        """Tell that this process lives, unless that was told a moment ago."""
        with self._turn:
            now = self._clock.now()
            if now + _LASTS * 2 / 3 < self._lives_until:
                return
            if self._lives_until <= now:
                # Others took this process for dead: its places may be theirs.
                self._waiting |= self._entered.keys()
                self._entered.clear()
            ends = now + _LASTS
            item = table.process_item(self.process, ends)
            self._server.ask(lambda: self._server.client.put_item(TableName=self._table, Item=item))
            self._lives_until = ends

    def _die(self) -> None:
        """Let all places of this process be free."""
        key = table.key_of(table.PROCESSES, self.process)
        client = self._server.client
        self._server.ask(lambda: client.delete_item(TableName=self._table, Key=key))

    def _living(self) -> frozenset[str]:
        """Return the processes that live."""
        now = self._clock.now()
        found = (each for each in self._items(table.PROCESSES) if not table.is_past(each, now))
        return frozenset(table.text(each, "place") for each in found)

    def _found(self, key: str | None) -> Sequence[Registered]:
        living = self._living()
        items = self._all() if key is None else self._items(holder_of_key(key))
        connections = [table.connection_of(each) for each in items if "id" in each]
        return [each for each in connections if each.process in living]

    def _items(self, holder: str) -> Iterator[Item]:
        """Yield all items of a holder, as they are now."""
        values: Any = {":holder": {"S": holder}}
        given = {"KeyConditionExpression": "holder = :holder", "ExpressionAttributeValues": values}
        return self._pages(partial(self._server.client.query, **given))

    def _all(self) -> Iterator[Item]:
        return self._pages(self._server.client.scan)

    def _pages(self, read: Callable[..., Any]) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            work = partial(read, TableName=self._table, ConsistentRead=True, **start)
            items, start = self._server.ask(lambda work=work: _page(work()))  # type: ignore[misc]
            yield from items
            if not start:
                return


def _page(answer: Mapping[str, Any]) -> tuple[Sequence[Item], dict[str, Any]]:
    """Return the items of a page, and where the next one starts."""
    last = answer.get("LastEvaluatedKey")
    return part(answer, "Items"), {"ExclusiveStartKey": last} if last else {}
