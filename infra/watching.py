"""What CloudWatch knows things by: dimensions of what AWS measures, and of what services tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.alarms.alarm import Measured, Resource, Told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.batch import BatchStack
    from infra.database import DatabaseStack
    from infra.messaging import MessagingStack
    from infra.serving import ServingStack
    from infra.speed import SpeedStack
    from infra.storage import StorageStack

NAMESPACE: Final = "fiblake"
"""Of what services tell; see `lake.emf`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that AWS measures: its name for people, and its dimensions in CloudWatch."""

    name: str
    dimensions: Mapping[str, str]


Watched = dict[Resource, list[Seen]]
"""All things of each kind."""


def metric_of(signal: Told | Measured, seen: Seen | None, period_s: int) -> cloudwatch.Metric:
    """Return CloudWatch's metric of a signal; of one thing where AWS measures it."""
    if isinstance(signal, Told):
        namespace, name = NAMESPACE, signal.metric.name
        dimensions = {"service": signal.service, **dict(signal.labels)}
    else:
        namespace, name = signal.namespace, signal.metric
        dimensions = dict(seen.dimensions) if seen else {}
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dimensions,
        statistic=signal.statistic,
        period=Duration.seconds(period_s),
    )


def watched_of(
    *,
    storage: StorageStack,
    database: DatabaseStack,
    messaging: MessagingStack,
    batch: BatchStack,
    speed: SpeedStack,
    serving: ServingStack,
    nodes: int,
) -> Watched:
    """Return what AWS measures of a system, of Redis as many nodes as there are."""
    balancer = {"LoadBalancer": serving.balancer.load_balancer_full_name}
    target = {**balancer, "TargetGroup": serving.target.target_group_full_name}
    dead = {"batch": batch.dead_letters, **messaging.dead_letters}
    streams = {"events": storage.events, "bars": storage.bars}
    services = {**speed.services, "api": serving.service}
    return {
        "account": [Seen("", {"Currency": "USD"})],
        "balancer": [Seen("", balancer)],
        "targets": [Seen("", target)],
        "chain": [Seen("", {"StateMachineArn": batch.chain.state_machine_arn})],
        "database": [Seen("", {"DBInstanceIdentifier": database.instance.instance_identifier})],
        "engine": [Seen("", {"Application": speed.flink.name})] if speed.flink else [],
        "functions": [
            Seen(name, {"FunctionName": each.function_name})
            for name, each in batch.functions.items()
        ],
        "nodes": [
            Seen(f"{number}", {"CacheClusterId": f"{speed.redis.group.ref}-{number:03}"})
            for number in range(1, nodes + 1)
            if speed.redis
        ],
        "queues": [Seen(name, {"QueueName": each.queue_name}) for name, each in dead.items()],
        "services": [
            Seen(
                name,
                {"ClusterName": speed.cluster.cluster_name, "ServiceName": each.service_name},
            )
            for name, each in services.items()
        ],
        "streams": [
            Seen(name, {"StreamName": each.stream_name}) for name, each in streams.items() if each
        ],
        "tables": [
            Seen(name, {"TableName": each.table_name}) for name, each in storage.tables.items()
        ],
    }
