"""Alarms of the flow: from the stream to the view and to whoever is told."""

from __future__ import annotations

from typing import Final

from infra.alarms.alarm import MINUTE, PROD, Alarm, Measured, Told
from lake import metrics

FLOW: Final = (
    Alarm(
        slug="stream-behind",
        says="Who reads a stream is a minute behind its end.",
        signals=(
            Measured("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "streams", "Maximum"),
        ),
        threshold=60_000,
        period_s=MINUTE,
        periods=5,
        missing="ignore",
        severity="page",
        sizes=PROD,
    ),
    Alarm(
        slug="stream-throttled",
        says="More is written to a stream than its shards take.",
        signals=(Measured("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "streams", "Sum"),),
        periods=3,
        severity="notice",
        sizes=PROD,
    ),
    Alarm(
        slug="engine-away",
        says="The stream engine does not run.",
        signals=(Measured("AWS/KinesisAnalytics", "cpuUtilization", "engine", "SampleCount"),),
        comparison="<",
        threshold=1,
        period_s=MINUTE,
        periods=5,
        missing="breaching",
        severity="page",
        sizes=PROD,
        promql="min(fiblake_engine_running) < 1 or absent(fiblake_engine_running)",
    ),
    Alarm(
        slug="engine-checkpoints",
        says="The stream engine fails to keep its checkpoints.",
        signals=(
            Measured(
                "AWS/KinesisAnalytics", "numberOfFailedCheckpoints", "engine", "Maximum", "failed"
            ),
        ),
        expression="DIFF(failed)",
        periods=2,
        severity="page",
        sizes=PROD,
        promql='sum(increase(fiblake_engine_checkpoints_total{outcome="failed"}[10m])) > 1',
    ),
    Alarm(
        slug="engine-poison",
        says="Events that cannot be read came to the stream engine.",
        signals=(Told(metrics.ENGINE_EVENTS, "engine", (("outcome", "poison"),), "Sum"),),
        severity="notice",
        sizes=("dev",),
    ),
    Alarm(
        slug="publisher-behind",
        says="Bars and prices come into the view half a minute late, or not at all.",
        signals=(Told(metrics.PUBLISH_LAG, "publisher"),),
        threshold=30,
        period_s=MINUTE,
        periods=5,
        missing="breaching",
        severity="page",
        sizes=PROD,
    ),
    Alarm(
        slug="stream-gaps",
        says="Bars were lost in the stream before they were read.",
        signals=tuple(
            Told(metrics.STREAM_GAPS, service, statistic="Sum")
            for service in ("publisher", "alerts")
        ),
        severity="page",
        sizes=PROD,
    ),
    Alarm(
        slug="publisher-poison",
        says="Rows that cannot be read came to the publisher, and are set aside.",
        signals=(Told(metrics.PUBLISHED, "publisher", (("row", "poison"),), "Sum"),),
        severity="notice",
        sizes=PROD,
    ),
    Alarm(
        slug="alerts-behind",
        says="Alerts are evaluated a minute late, or not at all.",
        signals=(Told(metrics.ALERTS_LAG, "alerts"),),
        threshold=60,
        period_s=MINUTE,
        periods=5,
        missing="breaching",
        severity="page",
    ),
    Alarm(
        slug="deliveries-waiting",
        says="Notifications that are due have waited for ten minutes.",
        signals=(Told(metrics.DELIVERIES_DUE, "alerts", statistic="Minimum"),),
        threshold=100,
        period_s=MINUTE,
        periods=10,
        severity="page",
    ),
    Alarm(
        slug="deliveries-dead",
        says="Notifications were given up on.",
        signals=tuple(
            Told(metrics.DELIVERIES, service, (("outcome", "dead"),), "Sum")
            for service in ("alerts", "api")
        ),
        severity="notice",
    ),
)
"""From the stream to the view and to whoever is told."""
