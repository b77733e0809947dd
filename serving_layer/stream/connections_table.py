"""The table of connections in DynamoDB, whose keys `lake.dynamodb_tables` tells: what is in it.

    holder, place
    key#KEY, 00017           a connection of a key, on one of the places it has
    address#ADDRESS, 00017   likewise where no key is asked for
    processes, PROCESS       a process of the API that lives until `ttl`

A key has as many places as it may have connections: who takes one by a conditional write cannot be
one too many, and no count has to be kept right. A place is free where there is no item, or one of a
process that does not live: so what a process leaves behind that dies is free once its `ttl` is
past. Items have a `ttl`, in seconds since 1970: DynamoDB deletes them some time after it, so who
reads passes over them.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from lake import dynamodb_tables
from lake.dynamodb_tables import CONNECTIONS, TTL
from serving_layer.stream.registry import Registered, holder_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, CreateTableInputTypeDef

Item = dict[str, "AttributeValueTypeDef"]

PROCESSES: Final = "processes"
KEPT: Final = dt.timedelta(days=1)
"""For which an item of a connection stays, if nobody renews it: long after its process died."""


def connections_table(prefix: str) -> str:
    """Return the name of the table."""
    return CONNECTIONS.under(prefix)


def definition(prefix: str) -> CreateTableInputTypeDef:
    """Return what creates the table."""
    return dynamodb_tables.definition(CONNECTIONS, prefix)


def place_of(number: int) -> str:
    """Return the second key of a holder's place, from 0."""
    return f"{number:05}"


def key_of(holder: str, place: str) -> Item:
    """Return the key of an item."""
    return {"holder": {"S": holder}, "place": {"S": place}}


def process_item(process: str, ends: dt.datetime) -> Item:
    """Return the item of a process that lives until some instant."""
    return {**key_of(PROCESSES, process), TTL: ttl(ends)}


def is_past(item: Item, now: dt.datetime) -> bool:
    """Return whether an item is past its time."""
    return int(item[TTL]["N"]) <= now.timestamp()


def item_of(connection: Registered, place: str, now: dt.datetime) -> Item:
    """Return the item of a connection on a place."""
    told = {
        "id": connection.id,
        "key": connection.key,
        "owner": connection.owner,
        "address": connection.address,
        "opened": connection.opened.isoformat(),
        "process": connection.process,
    }
    return {
        **key_of(holder_of(connection), place),
        **{name: {"S": text} for name, text in told.items()},
        "channels": {"N": str(connection.channels)},
        TTL: ttl(now + KEPT),
    }


def connection_of(item: Item) -> Registered:
    """Return the connection of an item."""
    return Registered(
        id=text(item, "id"),
        key=text(item, "key"),
        owner=text(item, "owner"),
        address=text(item, "address"),
        opened=dt.datetime.fromisoformat(text(item, "opened")),
        process=text(item, "process"),
        channels=int(item["channels"]["N"]),
    )


def text(item: Mapping[str, AttributeValueTypeDef], name: str) -> str:
    """Return a text of an item."""
    return item[name]["S"]


def ttl(instant: dt.datetime) -> AttributeValueTypeDef:
    """Return an instant as an item's end."""
    return {"N": str(int(instant.timestamp()))}
