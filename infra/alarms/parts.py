"""Alarms of what services stand on: streams, views, the lake, the database."""

from __future__ import annotations

from typing import Final

from infra.alarms.alarm import BOTH, MINUTE, PROD, Alarm, Measured, SizeName, Told
from lake import metrics

_GIB: Final = 1024.0**3


def _away(part: str, services: tuple[str, ...], sizes: tuple[SizeName, ...]) -> Alarm:
    return Alarm(
        slug=f"{part}-away",
        says=f"A service has had no answer from the {part} for five minutes.",
        signals=tuple(Told(metrics.AWAY, service, (("part", part),)) for service in services),
        period_s=MINUTE,
        periods=5,
        severity="page",
        sizes=sizes,
        promql=f'max by (service) (fiblake_away{{part="{part}"}}) > 0',
    )


PARTS: Final = (
    _away("stream", ("feed", "publisher", "alerts"), PROD),
    _away("view", ("publisher", "api"), PROD),
    _away("lake", ("publisher", "alerts", "api"), BOTH),
    _away("database", ("alerts", "api"), BOTH),
    Alarm(
        slug="database-full",
        says="Less than 2 GiB are free on the database's disk.",
        signals=(Measured("AWS/RDS", "FreeStorageSpace", "database", "Minimum"),),
        comparison="<",
        threshold=2 * _GIB,
        periods=3,
        missing="ignore",
        severity="page",
    ),
    Alarm(
        slug="database-connections",
        says="More than 60 connections to the database are open.",
        signals=(Measured("AWS/RDS", "DatabaseConnections", "database", "Maximum"),),
        threshold=60,
        periods=3,
        missing="ignore",
        severity="notice",
    ),
    Alarm(
        slug="database-busy",
        says="The database has used 80 % of its processor for a quarter of an hour.",
        signals=(Measured("AWS/RDS", "CPUUtilization", "database", "Average"),),
        threshold=80,
        periods=3,
        missing="ignore",
        severity="notice",
    ),
    Alarm(
        slug="redis-memory",
        says="Redis has used 80 % of its memory; full, it takes no more bars.",
        signals=(Measured("AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "nodes", "Maximum"),),
        threshold=80,
        periods=2,
        missing="ignore",
        severity="page",
        sizes=PROD,
    ),
    Alarm(
        slug="table-throttled",
        says="DynamoDB refuses reads or writes of a table because there are too many.",
        signals=(
            Measured("AWS/DynamoDB", "ReadThrottleEvents", "tables", "Sum", "reads"),
            Measured("AWS/DynamoDB", "WriteThrottleEvents", "tables", "Sum", "writes"),
        ),
        expression="FILL(reads, 0) + FILL(writes, 0)",
        periods=2,
        severity="notice",
        sizes=PROD,
    ),
)
"""What services stand on."""
