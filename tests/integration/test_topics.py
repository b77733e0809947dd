"""Alerts and news published to real topics, and read from the queues behind them."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from pydantic import SecretStr

from database import Database
from database.outbox import Claimed
from lake.clock import SystemClock
from lake.envelope import decode_envelope
from lake.errors import MisuseError, TopicError
from lake.settings import Settings
from speed_layer.delivery.aws import sns_of, sqs_of
from speed_layer.delivery.delivering import delivering
from speed_layer.delivery.outcome import Outcome
from speed_layer.delivery.sns import SnsSender
from speed_layer.delivery.topics import Topic, create_topics
from tests.delivering import now, quick, wait_until
from tests.deployed import deploy_topics
from tests.moto_serially import REGION
from tests.outbox import ME, NOW, deliveries, notify, states
from tests.parts import MotoServer, free_port

BODY = (
    '{"id":"al_1.1.1","kind":"alert","time":"2026-01-05T12:00:00Z","symbols":[],'
    '"title":"","text":"","data":{}}'
)


@pytest.fixture
def aws(moto_server: MotoServer) -> Settings:
    """Settings of an SNS without topics."""
    return Settings(
        sns_endpoint=moto_server.url,
        sns_region=REGION,
        sns_access_key_id="key",
        sns_secret_access_key=SecretStr("hidden"),
    )


@pytest.fixture
def topics(aws: Settings, moto_server: MotoServer) -> Iterator[list[Topic]]:
    """Topics as they are deployed."""
    deployed = deploy_topics(moto_server, f"{uuid.uuid4().hex}-")
    made = [Topic(kind, each.topic, each.queue) for kind, each in sorted(deployed.items())]
    yield made
    remove(aws, made)


@pytest.fixture
def created(aws: Settings) -> Iterator[list[Topic]]:
    """Topics as the command makes them."""
    made = create_topics(aws, f"{uuid.uuid4().hex}-")
    yield made
    remove(aws, made)


@pytest.fixture
def told_to(aws: Settings, topics: list[Topic]) -> Settings:
    """Settings that name the topics."""
    alerts, news = topics
    return quick(aws, sns_alerts=alerts.topic, sns_news=news.topic)


def remove(aws: Settings, topics: list[Topic]) -> None:
    with closing(sns_of(aws)) as sns, closing(sqs_of(aws)) as sqs:
        for each in topics:
            sns.delete_topic(TopicArn=each.topic)
            sqs.delete_queue(QueueUrl=each.queue)


def read(aws: Settings, topic: Topic, count: int) -> list[dict[str, Any]]:
    """Return messages of a queue, and all of their attributes."""
    found: list[Any] = []
    with closing(sqs_of(aws)) as sqs:

        def all_came() -> bool:
            asked = sqs.receive_message(
                QueueUrl=topic.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            found.extend(asked.get("Messages", []))
            return len(found) >= count

        wait_until(all_came)
        left = sqs.receive_message(QueueUrl=topic.queue)
    assert "Messages" not in left
    return found


def test_alerts_and_news_reach_the_queues_of_their_topics(
    any_database: Database, told_to: Settings, topics: list[Topic]
) -> None:
    notify(any_database, "al_1.1.1", to=("sns",), made=now(), symbols=("AAPL", "BRK.B"))
    notify(any_database, "al_1.test.ab", to=("sns",), made=now(), kind="test")
    notify(any_database, "news_1", to=("sns",), made=now(), kind="news", owner="", symbols=())
    ids = ("al_1.1.1", "al_1.test.ab", "news_1")
    with delivering(told_to, any_database, SystemClock()):
        wait_until(lambda: {"delivered"} == set(states(any_database, *ids)))
    alerts = {each["Body"]: each for each in read(told_to, topics[0], 2)}
    (news,) = read(told_to, topics[1], 1)
    found = {decode_envelope(body).id: told for body, told in alerts.items()}

    assert {"al_1.1.1", "al_1.test.ab"} == set(found)
    assert {
        "kind": {"StringValue": "alert", "DataType": "String"},
        "owner": {"StringValue": ME, "DataType": "String"},
        "symbols": {"StringValue": '["AAPL", "BRK.B"]', "DataType": "String.Array"},
    } == found["al_1.1.1"]["MessageAttributes"]
    assert "test" == found["al_1.test.ab"]["MessageAttributes"]["kind"]["StringValue"]
    envelope = decode_envelope(news["Body"])
    assert ("news_1", "news", ()) == (envelope.id, envelope.kind, envelope.symbols)
    assert {"kind": {"StringValue": "news", "DataType": "String"}} == news["MessageAttributes"]


def test_topics_and_queues_are_created_once(aws: Settings, created: list[Topic]) -> None:
    alerts, news = created
    named = aws.model_copy(update={"sns_alerts": alerts.topic, "sns_news": news.topic})

    assert created == create_topics(named, "other-")
    with closing(sns_of(aws)) as sns, closing(sqs_of(aws)) as sqs:
        subscriptions = sns.list_subscriptions_by_topic(TopicArn=alerts.topic)["Subscriptions"]
        wanted = ["Policy", "QueueArn", "MessageRetentionPeriod"]
        queue = sqs.get_queue_attributes(QueueUrl=alerts.queue, AttributeNames=wanted)  # type: ignore[arg-type]
    found = queue["Attributes"]
    (statement,) = json.loads(found["Policy"])["Statement"]

    assert [found["QueueArn"]] == [each["Endpoint"] for each in subscriptions]
    assert "1209600" == found["MessageRetentionPeriod"]
    assert ("Allow", "sqs:SendMessage", {"Service": "sns.amazonaws.com"}) == (
        *(statement["Effect"], statement["Action"], statement["Principal"]),
    )
    assert found["QueueArn"] == statement["Resource"]
    assert {"ArnEquals": {"aws:SourceArn": alerts.topic}} == statement["Condition"]


def test_what_else_a_queue_s_policy_says_stays(aws: Settings, created: list[Topic]) -> None:
    mine = {"Sid": "Mine", "Effect": "Allow", "Principal": "*", "Action": "sqs:ReceiveMessage"}
    name = created[0].topic.split(":")[-1].removesuffix("alerts")
    with closing(sqs_of(aws)) as sqs:
        asked = sqs.get_queue_attributes(QueueUrl=created[0].queue, AttributeNames=["Policy"])
        policy = json.loads(asked["Attributes"]["Policy"])
        policy["Statement"].append(mine)
        said = {"Policy": json.dumps(policy)}
        sqs.set_queue_attributes(QueueUrl=created[0].queue, Attributes=said)  # type: ignore[arg-type]
        create_topics(aws, name)
        asked = sqs.get_queue_attributes(QueueUrl=created[0].queue, AttributeNames=["Policy"])
    statements = json.loads(asked["Attributes"]["Policy"])["Statement"]

    assert 2 == len(statements)
    assert mine in statements


def test_the_command_leaves_deployed_topics_as_they_are(aws: Settings, topics: list[Topic]) -> None:
    alerts, news = topics
    named = aws.model_copy(update={"sns_alerts": alerts.topic, "sns_news": news.topic})

    assert topics == create_topics(named, "other-")


def test_a_topic_of_another_account_is_not_created_here(aws: Settings) -> None:
    arn = "arn:aws:sns:us-east-1:999999999999:fiblake-alerts"
    named = aws.model_copy(update={"sns_alerts": arn})

    with pytest.raises(MisuseError, match=f"FIBLAKE_SNS_ALERTS is {arn}, and here") as refused:
        create_topics(named, "x-")
    here = str(refused.value).split("would be ")[1].split(". Hint")[0]
    with closing(sns_of(aws)) as sns:
        sns.delete_topic(TopicArn=here)


def test_a_topic_that_is_not_there_is_told_and_tried_again(
    own_database: Database, told_to: Settings
) -> None:
    arn = f"{told_to.sns_alerts}-gone"
    gone = told_to.model_copy(update={"sns_alerts": arn, "delivery_attempts": 2})
    notify(own_database, "al_1.1.1", to=("sns",), made=now())
    with delivering(gone, own_database, SystemClock()):
        wait_until(lambda: ["dead"] == states(own_database, "al_1.1.1"))
    found = deliveries(own_database, "al_1.1.1")["sns"]

    assert 2 == found.attempts
    assert found.error.startswith("SNS: NotFound: ")
    assert found.error.endswith("; create the topic, as fiblake topics create does")


def published(settings: Settings, kind: str = "alert") -> Outcome:
    async def run() -> Outcome:
        sender = SnsSender(settings)
        claimed = Claimed("al_1.1.1", "sns", 0, "", NOW, ME, kind, BODY, None, None)
        try:
            return await sender.send(claimed)
        finally:
            await sender.close()

    return asyncio.run(run())


def test_a_kind_without_a_topic_says_so(told_to: Settings) -> None:
    alone = told_to.model_copy(update={"sns_news": None})

    assert Outcome() == published(alone)
    assert Outcome("FIBLAKE_SNS_NEWS names no topic") == published(alone, "news")


def test_a_server_that_hangs_costs_no_more_than_an_attempt_s_time(
    told_to: Settings, moto_server: MotoServer
) -> None:
    moto_server.pause()
    try:
        outcome = published(told_to.model_copy(update={"delivery_timeout_seconds": 0.5}))
    finally:
        moto_server.resume()

    assert "no answer from SNS within 0.5 s" in outcome.error or "timeout" in outcome.error


def test_nobody_there_and_no_credentials_are_told(
    told_to: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = told_to.model_copy(update={"sns_endpoint": f"http://127.0.0.1:{free_port()}"})
    without = told_to.model_copy(update={"sns_access_key_id": None, "sns_secret_access_key": None})
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    assert "SNS: Could not connect to the endpoint URL" in published(nobody).error
    assert (
        "SNS: Unable to locate credentials; check FIBLAKE_SNS_REGION and the credentials,"
        " or AWS_PROFILE or the role" == published(without).error
    )
    with pytest.raises(TopicError, match="could not be created: Unable to locate credentials"):
        create_topics(without, "x-")


def test_the_region_is_that_of_the_topic_where_none_is_set(told_to: Settings) -> None:
    arn = "arn:aws:sns:eu-west-3:123456789012:alerts"
    elsewhere = told_to.model_copy(update={"sns_region": None, "sns_alerts": arn})

    with closing(sns_of(elsewhere)) as sns, closing(sqs_of(elsewhere)) as sqs:
        assert ("eu-west-3", "eu-west-3") == (sns.meta.region_name, sqs.meta.region_name)


def test_no_region_at_all_is_told(aws: Settings) -> None:
    nowhere = aws.model_copy(update={"sns_region": None})

    with pytest.raises(TopicError, match=r"You must specify a region\. Hint: check FIBLAKE_SNS_R"):
        create_topics(nowhere, "x-")


def test_the_secret_is_in_no_error(told_to: Settings) -> None:
    nobody = told_to.model_copy(update={"sns_endpoint": "http://127.0.0.1:1"})

    assert "hidden" not in published(nobody).error
    assert "hidden" not in repr(told_to)
