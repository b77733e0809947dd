"""Which connections are open, and how many a key or an address may have.

Every process of the API registers its own, and tells of them every `TOUCH_S` seconds; of a process
that does not for `LASTS_S` they count no more.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - FastAPI reads a connection's annotations at run time
import os
import socket
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from lake.errors import MisuseError, TooManyConnectionsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType

    from lake.dynamodb_creating import Table
    from lake.settings import Settings

TOUCH_S: Final = 10
LASTS_S: Final = 30


@dataclass(frozen=True, slots=True)
class Registered:
    """A connection that is open.

    Attributes:
        id: Its own.
        key: The public part of the key shown; empty where none is asked for.
        owner: Whose key it is.
        address: Whence it comes.
        opened: When.
        process: The process of the API that has it.
        channels: How many it has subscribed to, as its process told last.
    """

    id: str
    key: str
    owner: str
    address: str
    opened: dt.datetime
    process: str
    channels: int = 0


class Connections(Protocol):
    """All connections that are open: many processes may share one registry.

    It belongs to one process, and to one event loop.
    """

    @property
    def process(self) -> str:
        """The name of this process, unlike any other's."""
        ...

    async def open(self, connection: Registered) -> None:
        """Let a connection in.

        Raises:
            TooManyConnectionsError: If its key, or where none is asked for its address, has as many
                as it may have.
        """
        ...

    async def touch(self, channels: Mapping[str, int]) -> None:
        """Tell that this process goes on: to be done every `TOUCH_S` seconds.

        Args:
            channels: How many each of its connections has subscribed to, by id.
        """
        ...

    async def close(self, connection_id: str) -> None:
        """Let a connection go; one that was not let in, or is gone already, is no error."""
        ...

    async def list(self, key: str | None = None) -> list[Registered]:
        """Return the connections of all processes, in order of opening: of one key, or of all.

        Raises:
            ViewError: If a shared registry does not answer.
        """
        ...

    def shut(self) -> None:
        """Let go of the registry's own connections and threads."""
        ...


@dataclass(frozen=True, slots=True)
class Allowed:
    """How many connections there may be.

    Attributes:
        per_key: Of a key.
        per_address: Of an address, where no key is asked for.
    """

    per_key: int
    per_address: int

    def of(self, connection: Registered) -> int:
        """Return how many its holder may have."""
        return self.per_key if connection.key else self.per_address


def holder_of(connection: Registered) -> str:
    """Return by whom a connection is counted: its key, or where there is none its address."""
    return holder_of_key(connection.key) if connection.key else f"address#{connection.address}"


def holder_of_key(key: str) -> str:
    """Return by whom the connections of a key are counted."""
    return f"key#{key}"


def too_many(connection: Registered, most: int) -> TooManyConnectionsError:
    """Return the error of one connection more than there may be."""
    who = f"The key {connection.key}" if connection.key else f"The address {connection.address}"
    fact = f"{who} has as many connections open as it may have: {most}."
    return TooManyConnectionsError(fact, hint="close one, or share one: it takes many channels.")


class MemoryConnections:
    """The connections of one process, in its memory.

    Args:
        allowed: How many there may be.
        process: The name of this process.
    """

    def __init__(self, allowed: Allowed, process: str) -> None:
        self.process = process
        self._allowed = allowed
        self._open: dict[str, Registered] = {}

    async def open(self, connection: Registered) -> None:
        """Let a connection in, if there may be one more."""
        holder, most = holder_of(connection), self._allowed.of(connection)
        if sum(holder_of(each) == holder for each in self._open.values()) >= most:
            raise too_many(connection, most)
        self._open[connection.id] = connection

    async def touch(self, channels: Mapping[str, int]) -> None:
        """Note how many channels each has."""
        for each, count in channels.items():
            held = self._open.get(each)
            if held is not None and held.channels != count:
                self._open[each] = replace(held, channels=count)

    async def close(self, connection_id: str) -> None:
        """Let a connection go."""
        self._open.pop(connection_id, None)

    async def list(self, key: str | None = None) -> list[Registered]:
        """Return them, in order of opening."""
        return in_order(each for each in self._open.values() if key in {None, each.key})

    def get(self, connection_id: str) -> Registered | None:
        """Return a connection; None if it is not open. Threads may ask."""
        return self._open.get(connection_id)

    def shut(self) -> None:
        """Do nothing: there is nothing to let go of."""


def in_order(connections: Iterable[Registered]) -> list[Registered]:
    """Return connections in order of opening."""
    return sorted(connections, key=lambda each: (each.opened, each.id))


def open_connections(settings: Settings) -> Connections:
    """Return the registry that settings choose, for this process.

    Raises:
        MisuseError: If DynamoDB's client is not installed.
        ViewRefusedError: If AWS's own settings make no sense.
    """
    # By which one finds it.
    process = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    if not is_shared(settings):
        return MemoryConnections(allowed_by(settings), process)
    shared: Connections = _dynamodb().DynamoDBConnections(settings, process)
    return shared


def create_table(settings: Settings) -> Sequence[Table]:
    """Create the table of the registry that settings choose, if it has one that is not there.

    Raises:
        MisuseError: If DynamoDB's client is not installed.
        ViewError: If that cannot be.
    """
    if not is_shared(settings):
        return []
    tables: Sequence[Table] = _dynamodb().create_table(settings)
    return tables


def is_shared(settings: Settings) -> bool:
    """Return whether connections are registered in DynamoDB."""
    by_view = "dynamodb" if "dynamodb" in {settings.view, settings.view_fallback} else "memory"
    return (settings.connections_store or by_view) == "dynamodb"


def allowed_by(settings: Settings) -> Allowed:
    """Return how many connections settings allow."""
    return Allowed(settings.connections_per_key, settings.connections_per_address)


def _dynamodb() -> ModuleType:
    """Return the module that is imported only by who chooses it: its client is an extra."""
    try:
        from serving_layer.stream import dynamodb_connections  # noqa: PLC0415
    except ImportError:
        fact = "A registry of connections in DynamoDB needs a client that is not installed."
        raise MisuseError(fact, hint="pip install 'fiblake[dynamodb]'.") from None
    return dynamodb_connections
