"""Topics of alerts and of news, and behind each a queue that gets all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

if TYPE_CHECKING:
    from constructs import Construct

    from infra.size import Size

_KEPT: Final = Duration.days(14)
_RECEIVES: Final = 5


class MessagingStack(Stack):
    """Topics and queues.

    Attributes:
        key: That messages in topics are encrypted with; who publishes needs it too.
        alerts: The topic of alerts, for `FIBLAKE_SNS_ALERTS`.
        news: The topic of news, for `FIBLAKE_SNS_NEWS`.
        queues: Behind each topic, by `alerts` and `news`; a message is an envelope, as it is.
        dead_letters: Behind each queue, by the same: what a reader took five times and never
            deleted, and what SNS could not bring into the queue.
    """

    def __init__(self, scope: Construct, name: str, *, size: Size, **props: Any) -> None:  # noqa: ANN401 - the CDK's
        super().__init__(scope, name, **props)
        self._prefix = f"fiblake-{size.name}"
        self.key = kms.Key(
            self,
            "Key",
            description=f"Messages of fiblake {size.name}",
            enable_key_rotation=True,
            # A topic keeps nothing: what was encrypted with it is gone within hours.
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.queues: dict[str, sqs.Queue] = {}
        self.dead_letters: dict[str, sqs.Queue] = {}
        self.alerts = self._topic("alerts")
        self.news = self._topic("news")

    def _topic(self, kind: str) -> sns.Topic:
        topic = sns.Topic(
            self,
            f"Topic-{kind}",
            topic_name=f"{self._prefix}-{kind}",
            master_key=self.key,
            enforce_ssl=True,
        )
        dead = self._queue(f"{kind}-dead")
        queue = self._queue(
            kind,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=_RECEIVES),
        )
        topic.add_subscription(
            subscriptions.SqsSubscription(queue, raw_message_delivery=True, dead_letter_queue=dead)
        )
        self.queues[kind], self.dead_letters[kind] = queue, dead
        variable = f"FIBLAKE_SNS_{kind.upper()}"
        CfnOutput(self, f"Topic{kind.title()}", value=topic.topic_arn, description=variable)
        CfnOutput(
            self, f"Queue{kind.title()}", value=queue.queue_url, description=f"Where {kind} arrive"
        )
        return topic

    def _queue(self, name: str, **others: Any) -> sqs.Queue:  # noqa: ANN401 - the CDK's
        return sqs.Queue(
            self,
            f"Queue-{name}",
            queue_name=f"{self._prefix}-{name}",
            # With SQS's own key: the topics' would have to name them, and they name it.
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=_KEPT,
            removal_policy=RemovalPolicy.DESTROY,
            **others,
        )
