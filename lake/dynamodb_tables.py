"""The tables in DynamoDB, told once: of the view of live bars, and of connections.

    PREFIXticks        symbol, time     latest and recent prices
                       index `latest`   the latest prices: no others have the attribute `latest`
    PREFIXbars         series, start    bars
                       index `by-interval`  interval, start: the keys alone, so that a change of a
                                        bar writes nothing to it, and a hot interval holds up no bar
    PREFIXconnections  holder, place    connections of clients, and the processes that have them

Each is paid by request, and its items expire by their attribute `ttl`. Both `fiblake view create`
and the infrastructure make them from what is told here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        CreateTableInputTypeDef,
        GlobalSecondaryIndexTypeDef,
        KeySchemaElementTypeDef,
    )

TTL: Final = "ttl"
"""The attribute by which items expire: seconds since 1970."""
LATEST: Final = "latest"
BY_INTERVAL: Final = "by-interval"

Kind = Literal["S", "N"]
Projection = Literal["ALL", "KEYS_ONLY"]


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute that is a part of a key: a text (`S`) or a number (`N`)."""

    name: str
    kind: Kind = "S"


@dataclass(frozen=True, slots=True)
class Index:
    """Another order of a table's items.

    Attributes:
        name: Of it.
        keys: One, or two, of which the second orders.
        projection: What of items is in it: all, or the keys.
    """

    name: str
    keys: tuple[Key, ...]
    projection: Projection


@dataclass(frozen=True, slots=True)
class TableKeys:
    """What makes a table what it is.

    Attributes:
        name: Of it, which follows the prefix of all.
        keys: The first tells where an item is kept, the second orders.
        indexes: Of it.
    """

    name: str
    keys: tuple[Key, Key]
    indexes: tuple[Index, ...] = ()

    def under(self, prefix: str) -> str:
        """Return the table's name."""
        return f"{prefix}{self.name}"


TICKS: Final = TableKeys(
    name="ticks",
    keys=(Key("symbol"), Key("time")),
    indexes=(Index(LATEST, (Key(LATEST),), "ALL"),),
)
BARS: Final = TableKeys(
    name="bars",
    keys=(Key("series"), Key("start", "N")),
    indexes=(Index(BY_INTERVAL, (Key("interval"), Key("start", "N")), "KEYS_ONLY"),),
)
CONNECTIONS: Final = TableKeys(name="connections", keys=(Key("holder"), Key("place")))
TABLES: Final = (TICKS, BARS, CONNECTIONS)


def definition(table: TableKeys, prefix: str) -> CreateTableInputTypeDef:
    """Return what creates a table."""
    kinds = {key.name: key.kind for keys in _all_keys(table) for key in keys}
    wanted: CreateTableInputTypeDef = {
        "TableName": table.under(prefix),
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()
        ],
        "KeySchema": _schema(table.keys),
    }
    if table.indexes:  # DynamoDB takes no empty list of them
        wanted["GlobalSecondaryIndexes"] = [_index(each) for each in table.indexes]
    return wanted


def _all_keys(table: TableKeys) -> list[tuple[Key, ...]]:
    return [table.keys, *(index.keys for index in table.indexes)]


def _index(index: Index) -> GlobalSecondaryIndexTypeDef:
    return {
        "IndexName": index.name,
        "KeySchema": _schema(index.keys),
        "Projection": {"ProjectionType": index.projection},
    }


def _schema(keys: tuple[Key, ...]) -> list[KeySchemaElementTypeDef]:
    first, *others = keys
    return [
        {"AttributeName": first.name, "KeyType": "HASH"},
        *[{"AttributeName": each.name, "KeyType": "RANGE"} for each in others],  # type: ignore[list-item]
    ]
