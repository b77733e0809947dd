"""Topics of SNS for alerts and for news, each with a queue of SQS that gets all of it.

What is there already stays as it is, so they may be asked for again and again.

Source: https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lake.errors import MisuseError, TopicError
from speed_layer.delivery.aws import ERRORS, hint_of, sns_of, sqs_of, told

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

    from lake.settings import Settings

_ATTEMPTS: Final = 5
_KEPT_S: Final = 14 * 86_400
"""How long a message waits in a queue for its reader: as long as SQS allows."""
_SID: Final = "FromFiblakeTopic"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and its queue, as they are now.

    Attributes:
        kind: `alerts` or `news`.
        topic: The topic's ARN.
        queue: The queue's URL; each of its messages is an envelope.
    """

    kind: str
    topic: str
    queue: str


def create_topics(settings: Settings, prefix: str) -> list[Topic]:
    """Create the topics and queues that are not there, and subscribe each queue to its topic.

    Args:
        settings: Where SNS and SQS are; a topic that they name keeps its name.
        prefix: Of the names of others: `alerts` and `news` follow.

    Raises:
        MisuseError: If a topic that the settings name is of another account or region.
        TopicError: If SNS or SQS refused, or cannot be reached.
    """
    named = {"alerts": settings.sns_alerts, "news": settings.sns_news}
    try:
        with (
            closing(sns_of(settings, attempts=_ATTEMPTS)) as sns,
            closing(sqs_of(settings, attempts=_ATTEMPTS)) as sqs,
        ):
            return [_created(sns, sqs, kind, arn, prefix) for kind, arn in named.items()]
    except ERRORS as error:
        fact = f"The topics could not be created: {told(error)}."
        hint = hint_of(error)
        raise TopicError(fact, hint=f"{hint}." if hint else "") from None


def _created(sns: SNSClient, sqs: SQSClient, kind: str, arn: str | None, prefix: str) -> Topic:
    name = arn.split(":")[-1] if arn else f"{prefix}{kind}"
    topic = sns.create_topic(Name=name)["TopicArn"]
    if arn is not None and topic != arn:
        fact = f"FIBLAKE_SNS_{kind.upper()} is {arn}, and here that topic would be {topic}."
        raise MisuseError(fact, hint="check the region and the credentials, or unset it.")
    queue = _queue(sqs, name)
    address = _let_in(sqs, queue, topic)
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=address, Attributes=raw)
    return Topic(kind, topic, queue)


def _queue(sqs: SQSClient, name: str) -> str:
    try:
        return sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        # Only a new one: to create one that is there with other attributes would fail.
        kept = {"MessageRetentionPeriod": str(_KEPT_S)}
        return sqs.create_queue(QueueName=name, Attributes=kept)["QueueUrl"]  # type: ignore[arg-type]


def _let_in(sqs: SQSClient, queue: str, topic: str) -> str:
    """Let a topic send to a queue, and whoever else may already; return the queue's ARN."""
    asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn", "Policy"])
    found = asked["Attributes"]
    policy: dict[str, Any] = json.loads(found.get("Policy") or '{"Version": "2012-10-17"}')
    mine = {
        "Sid": _SID,
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": found["QueueArn"],
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    others = [each for each in policy.get("Statement", []) if each.get("Sid") != _SID]
    wanted = json.dumps({**policy, "Statement": [*others, mine]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": wanted})
    return found["QueueArn"]
