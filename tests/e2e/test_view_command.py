"""`fiblake view create`: the tables of the view in DynamoDB, once, and as they are wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import boto3
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner
from types_boto3_dynamodb import DynamoDBClient

from fiblake.cli import app
from lake.errors import MisuseError, ViewRefusedError
from lake.interval import MINUTE
from lake.settings import Settings
from speed_layer.views import open_view
from tests.live import bar, bars_of, price, prices_of

PREFIX = "made-"
NAMES = (f"{PREFIX}ticks", f"{PREFIX}bars", f"{PREFIX}connections")


@pytest.fixture
def client(
    dynamodb_environment: None,  # noqa: ARG001 - where it is found
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DynamoDBClient]:
    """A client of a DynamoDB in which none of the tables is."""
    monkeypatch.setenv("FIBLAKE_VIEW", "dynamodb")
    monkeypatch.setenv("FIBLAKE_DYNAMODB_PREFIX", PREFIX)
    with closing(boto3.client("dynamodb")) as client:
        yield client
        for name in set(NAMES).intersection(client.list_tables()["TableNames"]):
            client.delete_table(TableName=name)


def created(*options: str) -> str:
    ran = CliRunner().invoke(app, ["view", "create", *options], catch_exceptions=False)
    assert 0 == ran.exit_code
    return ran.stdout


def test_it_creates_what_the_view_needs(client: DynamoDBClient) -> None:
    said = created()
    with closing(open_view(Settings(view="dynamodb", dynamodb_prefix=PREFIX))) as view:
        view.put(bars_of(bar()), prices_of(price()))
        found = view.bars("AAPL", MINUTE)
    expire = [client.describe_time_to_live(TableName=name) for name in NAMES]

    assert "made-ticks: created\nmade-bars: created\nmade-connections: created\n" == said
    assert_frame_equal(bars_of(bar()), found)
    assert [{"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}] * 3 == [
        each["TimeToLiveDescription"] for each in expire
    ]


def test_what_is_there_stays_and_what_is_not_is_created(client: DynamoDBClient) -> None:
    created()
    with closing(open_view(Settings(view="dynamodb", dynamodb_prefix=PREFIX))) as view:
        view.put(bars_of(bar()), prices_of(price()))
        client.delete_table(TableName=NAMES[0])
        tables = json.loads(created("--json"))["tables"]
        found = view.bars("AAPL", MINUTE)

    assert [(NAMES[0], True), (NAMES[1], False), (NAMES[2], False)] == [
        (each["name"], each["is_new"]) for each in tables
    ]
    assert_frame_equal(bars_of(bar()), found)


def test_a_table_of_that_name_and_other_keys_is_refused(client: DynamoDBClient) -> None:
    client.create_table(
        TableName=NAMES[1],
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "series", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "series", "KeyType": "HASH"}],
    )

    with pytest.raises(ViewRefusedError, match="has a table made-bars of other keys"):
        created()


@pytest.mark.usefixtures("client")
def test_a_view_without_tables_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBLAKE_VIEW", "memory")

    with pytest.raises(MisuseError, match="FIBLAKE_VIEW=memory needs no tables"):
        created()


def test_a_registry_of_connections_alone_has_its_table(
    client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_VIEW", "memory")
    monkeypatch.setenv("FIBLAKE_CONNECTIONS_STORE", "dynamodb")

    assert "made-connections: created\n" == created()
    assert "ACTIVE" == client.describe_table(TableName=NAMES[2])["Table"]["TableStatus"]
