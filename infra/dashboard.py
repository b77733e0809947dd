"""CloudWatch's dashboard: the flow, the API, batch, the infrastructure, and what it costs.

Rows read from left to right as events pass. What Grafana shows of compose, `observability/grafana`,
has the same rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.alarms.alarm import Measured, Told
from infra.alarms.watched import told_by
from infra.watching import NAMESPACE, metric_of
from lake import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from constructs import Construct

    from infra.alarms.alarm import Resource, Statistic
    from infra.watching import Watched
    from lake.metrics import Metric

_MINUTE: Final = 60
_FIVE: Final = 300
_WIDTH: Final = 24
_HEIGHT: Final = 6
_ELB: Final = "AWS/ApplicationELB"
_RDS: Final = "AWS/RDS"
_REDIS: Final = "AWS/ElastiCache"
_KINESIS: Final = "AWS/Kinesis"
_FLINK: Final = "AWS/KinesisAnalytics"

_Lines = list[cloudwatch.IMetric]


class Dashboard:
    """Puts the dashboard into a stack.

    Args:
        scope: The stack.
        name: Of the dashboard.
        services: The names of those that run.
        resources: What AWS measures.
        alarms: All of them, shown above.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        services: frozenset[str],
        resources: Watched,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        self._services, self._resources = services, resources
        self.made = cloudwatch.Dashboard(
            scope,
            "Dashboard",
            dashboard_name=name,
            default_interval=Duration.hours(12),
        )
        self.made.add_widgets(
            cloudwatch.AlarmStatusWidget(alarms=alarms, width=_WIDTH, height=4, title="Alarms")
        )
        for title, graphs in (
            ("Flow", self._flow()),
            ("API", self._api()),
            ("Batch", self._batch()),
            ("Infrastructure", self._infrastructure()),
            ("Cost", self._cost()),
        ):
            self._row(title, {name: lines for name, lines in graphs if lines})

    def _row(self, title: str, graphs: dict[str, _Lines]) -> None:
        self.made.add_widgets(cloudwatch.TextWidget(markdown=f"# {title}", width=_WIDTH, height=1))
        self.made.add_widgets(
            *(
                cloudwatch.GraphWidget(title=name, left=lines, width=6, height=_HEIGHT)
                for name, lines in graphs.items()
            )
        )

    def _flow(self) -> Iterator[tuple[str, _Lines]]:
        yield (
            "Subscribed, and the market open",
            self._told(metrics.FEED_SUBSCRIBED, metrics.MARKET_OPEN, statistic="Minimum"),
        )
        yield "Feed lag, silence, s", self._told(metrics.FEED_LAG, metrics.FEED_SILENCE)
        yield "Events of the feed", self._each(metrics.FEED_EVENTS, "accepted", "refused", "shed")
        yield "Queue, unlanded files", self._told(metrics.FEED_QUEUE, metrics.FEED_UNLANDED)
        yield (
            "Events of the engine",
            self._each(metrics.ENGINE_EVENTS, "accepted", "stale", "late", "foreign", "poison"),
        )
        yield "Rows published", self._each(metrics.PUBLISHED, "bar", "price", "late", "poison")
        yield "Publisher lag, alerts lag, s", self._told(metrics.PUBLISH_LAG, metrics.ALERTS_LAG)
        yield (
            "Parts that are away",
            [
                line
                for part in ("stream", "view", "lake", "database")
                for line in self._each(metrics.AWAY, part, statistic="Maximum")
            ],
        )
        yield "Alerts fired", self._told(metrics.ALERTS_FIRED, statistic="Sum")
        yield "Deliveries", self._each(metrics.DELIVERIES, "delivered", "failed", "dead")
        yield "Deliveries due", self._told(metrics.DELIVERIES_DUE)

    def _api(self) -> Iterator[tuple[str, _Lines]]:
        yield "Requests", self._measured(_ELB, "RequestCount", "balancer", "Sum")
        yield (
            "Answers of 5xx",
            [
                *self._measured(_ELB, "HTTPCode_Target_5XX_Count", "balancer", "Sum"),
                *self._measured(_ELB, "HTTPCode_ELB_5XX_Count", "balancer", "Sum"),
            ],
        )
        yield (
            "Latency, s: median and p99",
            [
                *self._measured(_ELB, "TargetResponseTime", "balancer", "Average"),
                *self._measured(_ELB, "TargetResponseTime", "balancer", "p99"),
            ],
        )
        yield (
            "Tasks that are healthy",
            self._measured(_ELB, "HealthyHostCount", "targets", "Minimum"),
        )
        yield "Streams open", self._told(metrics.CONNECTIONS)
        yield "Updates told", self._told(metrics.TOLD, statistic="Sum")
        yield (
            "Look-ups in caches",
            [
                cloudwatch.MathExpression(
                    expression=f"SEARCH('{{{NAMESPACE},cache,outcome,service}} "
                    f"MetricName=\"{metrics.CACHE.name}\"', 'Sum', {_FIVE})",
                    using_metrics={},
                    label="",
                )
            ],
        )

    def _batch(self) -> Iterator[tuple[str, _Lines]]:
        yield (
            "Boundary's age, sessions",
            [
                line
                for boundary in ("daily", "minute")
                for line in self._each(metrics.BOUNDARY_AGE, boundary, statistic="Maximum")
            ],
        )
        yield (
            "Rows, and rejects",
            [
                cloudwatch.MathExpression(
                    expression=f"SEARCH('{{{NAMESPACE},kind,outcome,service}} "
                    f"MetricName=\"{metrics.ROWS.name}\"', 'Sum', 3600)",
                    using_metrics={},
                    label="",
                )
            ],
        )
        yield (
            "Differences found, partitions rebuilt",
            self._told(metrics.DIFFERENCES, metrics.REBUILT, period_s=3600),
        )
        yield "Backup's age, s", self._told(metrics.BACKUP_AGE, period_s=3600)
        yield (
            "Chain's executions",
            [
                *self._measured("AWS/States", "ExecutionsSucceeded", "chain", "Sum"),
                *self._measured("AWS/States", "ExecutionsFailed", "chain", "Sum"),
            ],
        )
        yield "Functions' errors", self._measured("AWS/Lambda", "Errors", "functions", "Sum")

    def _infrastructure(self) -> Iterator[tuple[str, _Lines]]:
        for title, namespace, name, resource, statistic in _INFRASTRUCTURE:
            yield title, self._measured(namespace, name, resource, statistic)

    def _cost(self) -> Iterator[tuple[str, _Lines]]:
        yield (
            "This month so far, USD",
            self._measured(
                "AWS/Billing", "EstimatedCharges", "account", "Maximum", period_s=21_600
            ),
        )

    def _told(
        self, *told: Metric, statistic: Statistic = "Maximum", period_s: int = _MINUTE
    ) -> _Lines:
        return [
            metric_of(Told(metric, service, statistic=statistic), None, period_s)
            for metric in told
            for service in self._tellers(metric)
        ]

    def _each(self, metric: Metric, *values: str, statistic: Statistic = "Sum") -> _Lines:
        (label,) = metric.labels
        return [
            metric_of(Told(metric, service, ((label, value),), statistic), None, _MINUTE)
            for value in values
            for service in self._tellers(metric)
        ]

    def _tellers(self, metric: Metric) -> Iterable[str]:
        """Return who tells a metric in this system: services that run, and jobs."""
        found = (told_by(each, self._services) for each in metric.services)
        there = (each for each in found if each in self._services or each in _JOBS)
        return dict.fromkeys(each for each in there if each in metric.services)

    def _measured(
        self,
        namespace: str,
        name: str,
        resource: Resource,
        statistic: Statistic,
        *,
        period_s: int = _FIVE,
    ) -> _Lines:
        signal = Measured(namespace, name, resource, statistic)
        return [metric_of(signal, seen, period_s) for seen in self._resources[resource]]


_JOBS: Final = frozenset({"batch", "fetch"})
_INFRASTRUCTURE: Final[tuple[tuple[str, str, str, Resource, Statistic], ...]] = (
    ("Processor of services, %", "AWS/ECS", "CPUUtilization", "services", "Average"),
    ("Memory of services, %", "AWS/ECS", "MemoryUtilization", "services", "Maximum"),
    (
        "Age of what is read of streams, ms",
        _KINESIS,
        "GetRecords.IteratorAgeMilliseconds",
        "streams",
        "Maximum",
    ),
    ("Writes refused", _KINESIS, "WriteProvisionedThroughputExceeded", "streams", "Sum"),
    ("Engine's processor, %", _FLINK, "cpuUtilization", "engine", "Average"),
    ("Checkpoints failed", _FLINK, "numberOfFailedCheckpoints", "engine", "Maximum"),
    ("Redis' memory, %", _REDIS, "DatabaseMemoryUsagePercentage", "nodes", "Maximum"),
    ("Redis' processor, %", _REDIS, "EngineCPUUtilization", "nodes", "Average"),
    ("Database's processor, %", _RDS, "CPUUtilization", "database", "Average"),
    ("Database's connections", _RDS, "DatabaseConnections", "database", "Maximum"),
    ("Database's free disk, B", _RDS, "FreeStorageSpace", "database", "Minimum"),
    ("Writes that DynamoDB refused", "AWS/DynamoDB", "WriteThrottleEvents", "tables", "Sum"),
    (
        "Dead letters",
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        "queues",
        "Maximum",
    ),
)
