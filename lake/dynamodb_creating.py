"""Creating tables in DynamoDB, for whoever has no infrastructure that does.

What is there already is looked at, and left as it is; so it may be asked for again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from lake.dynamodb_tables import TTL
from lake.errors import ViewRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_dynamodb.type_defs import CreateTableInputTypeDef

    from lake.dynamodb import DynamoDBServer

_EVERY_S: Final = 2
_WAITS: Final = 150
"""So often it is asked whether a table is there: for five minutes."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        name: With its prefix.
        is_new: Whether it was created now, or was there.
    """

    name: str
    is_new: bool


def create_tables(server: DynamoDBServer, wanted: Sequence[CreateTableInputTypeDef]) -> list[Table]:
    """Create those of some tables that are not there, and return all once they can be used.

    Args:
        server: Where.
        wanted: The tables, each with an attribute `ttl` by which its items expire.

    Raises:
        ViewUnavailableError: If DynamoDB failed at every attempt.
        ViewRefusedError: If it does not let us, a table of that name has other keys, or one is not
            ready in five minutes.
    """
    made = [Table(each["TableName"], _is_new(server, each)) for each in wanted]
    for each in wanted:
        _await(server, each)
        _let_expire(server, each["TableName"])
    return made


def _is_new(server: DynamoDBServer, wanted: CreateTableInputTypeDef) -> bool:
    """Return whether a table is created, rather than there."""

    def create() -> bool:
        try:
            server.client.create_table(**wanted)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise
            return False
        return True

    return server.ask(create)


def _await(server: DynamoDBServer, wanted: CreateTableInputTypeDef) -> None:
    """Wait until a table can be used, and hold its keys to those that are wanted."""
    name = wanted["TableName"]
    pace: Any = {"Delay": _EVERY_S, "MaxAttempts": _WAITS}
    waiter = server.client.get_waiter("table_exists")
    server.ask(lambda: waiter.wait(TableName=name, WaiterConfig=pace))
    there = server.ask(lambda: server.client.describe_table(TableName=name))["Table"]
    found = _keys(there)
    if any(found.get(index) != keys for index, keys in _keys(wanted).items()):
        fact = f"DynamoDB has a table {name} of other keys."
        raise ViewRefusedError(fact, hint="set FIBLAKE_DYNAMODB_PREFIX, or delete that table.")


def _keys(table: Mapping[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """Return the keys of a table and its indexes, by the index's name: name, type and role."""
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    indexes = table.get("GlobalSecondaryIndexes", [])
    schemas = {"": table["KeySchema"]} | {each["IndexName"]: each["KeySchema"] for each in indexes}
    return {
        name: [(key["AttributeName"], types[key["AttributeName"]], key["KeyType"]) for key in keys]
        for name, keys in schemas.items()
    }


def _let_expire(server: DynamoDBServer, name: str) -> None:
    """Let a table delete what is past its time; to ask for that twice would be an error."""
    client = server.client
    told = server.ask(lambda: client.describe_time_to_live(TableName=name))
    now = told["TimeToLiveDescription"]
    if now["TimeToLiveStatus"] in {"ENABLED", "ENABLING"} and now.get("AttributeName") == TTL:
        return
    server.ask(
        lambda: client.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL}
        )
    )
