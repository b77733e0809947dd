"""What is deployed is what fiblake's own commands make, and what its code can use."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import closing
from typing import Any

import boto3
import pytest

from lake.dynamodb import DynamoDBServer
from lake.dynamodb_creating import create_tables
from lake.dynamodb_tables import TABLES, definition
from lake.settings import Settings
from tests.deployed import deploy_tables, deploy_topics
from tests.moto_serially import REGION
from tests.parts import MotoServer

TOLD = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingModeSummary")


def described(client: Any, table: str) -> dict[str, Any]:
    """Return what of a table does not depend on its name or on when it was made."""
    found = client.describe_table(TableName=table)["Table"]
    told = {name: found.get(name) or [] for name in TOLD}
    told["AttributeDefinitions"].sort(key=lambda each: str(each["AttributeName"]))
    ttl = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    return {**told, "ttl": (ttl["TimeToLiveStatus"], ttl.get("AttributeName"))}


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex}-"


def test_deployed_tables_are_those_that_view_create_makes(
    moto_server: MotoServer,
    dynamodb_environment: None,  # noqa: ARG001 - where the tables are
    prefix: str,
) -> None:
    deploy_tables(moto_server, f"{prefix}a-")
    server = DynamoDBServer(Settings())
    create_tables(server, [definition(each, f"{prefix}b-") for each in TABLES])

    for each in TABLES:
        made = described(server.client, each.under(f"{prefix}b-"))
        assert made == described(server.client, each.under(f"{prefix}a-"))
        assert ("ENABLED", "ttl") == made["ttl"]
    # And the command finds nothing to object to in them.
    again = create_tables(server, [definition(each, f"{prefix}a-") for each in TABLES])
    assert {False} == {table.is_new for table in again}


def test_a_message_to_a_topic_is_in_its_queue_as_it_was(
    moto_server: MotoServer, prefix: str
) -> None:
    topics = deploy_topics(moto_server, prefix)
    given: Any = {
        "endpoint_url": moto_server.url,
        "region_name": REGION,
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
    }
    with closing(boto3.client("sns", **given)) as sns, closing(boto3.client("sqs", **given)) as sqs:
        sns.publish(TopicArn=topics["news"].topic, Message="as it is")
        message = received(sqs, topics["news"].queue)
        elsewhere = sqs.receive_message(QueueUrl=topics["alerts"].queue)
        policy = sqs.get_queue_attributes(
            QueueUrl=topics["news"].queue, AttributeNames=["Policy", "RedrivePolicy"]
        )["Attributes"]

    assert {"alerts", "news"} == set(topics)
    assert "as it is" == message["Body"]
    assert "Messages" not in elsewhere
    assert topics["news"].topic in policy["Policy"]
    assert "news-dead" in json.loads(policy["RedrivePolicy"])["deadLetterTargetArn"]


def received(sqs: Any, queue: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = sqs.receive_message(QueueUrl=queue).get("Messages", [])
        if found:
            message: dict[str, Any] = found[0]
            return message
    pytest.fail("nothing came into the queue within 30 s", pytrace=False)
