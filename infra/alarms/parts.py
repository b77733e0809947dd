"""Alarms of what services stand on: streams, views, the lake, the database."""

from __future__ import annotations

from typing import Final

from infra.alarms.alarm import Alarm, Measured, SizeName, Told
from lake import metrics

_PROD: Final[tuple[SizeName, ...]] = ("prod",)
_MINUTE: Final = 60
_FIVE: Final = 300
_GIB: Final = 1024.0**3


def _away(part: str, services: tuple[str, ...], sizes: tuple[SizeName, ...]) -> Alarm:
    return Alarm(
        slug=f"{part}-away",
        says=f"A service has had no answer from the {part} for five minutes.",
        signals=tuple(Told(metrics.AWAY, service, (("part", part),)) for service in services),
        comparison=">",
        threshold=0,
        period_s=_MINUTE,
        periods=5,
        missing="notBreaching",
        severity="page",
        sizes=sizes,
        promql=f'max by (service) (fiblake_away{{part="{part}"}}) > 0',
    )


PARTS: Final = (
    _away("stream", ("feed", "publisher", "alerts"), _PROD),
    _away("view", ("publisher", "api"), _PROD),
    _away("lake", ("publisher", "alerts", "api"), ("dev", "prod")),
    _away("database", ("alerts", "api"), ("dev", "prod")),
    Alarm(
        slug="database-full",
        says="Less than 2 GiB are free on the database's disk.",
        signals=(Measured("AWS/RDS", "FreeStorageSpace", "database", "Minimum"),),
        comparison="<",
        threshold=2 * _GIB,
        period_s=_FIVE,
        periods=3,
        missing="ignore",
        severity="page",
    ),
    Alarm(
        slug="database-connections",
        says="More than 60 connections to the database are open.",
        signals=(Measured("AWS/RDS", "DatabaseConnections", "database", "Maximum"),),
        comparison=">",
        threshold=60,
        period_s=_FIVE,
        periods=3,
        missing="ignore",
        severity="notice",
    ),
    Alarm(
        slug="database-busy",
        says="The database has used 80 % of its processor for a quarter of an hour.",
        signals=(Measured("AWS/RDS", "CPUUtilization", "database", "Average"),),
        comparison=">",
        threshold=80,
        period_s=_FIVE,
        periods=3,
        missing="ignore",
        severity="notice",
    ),
    Alarm(
        slug="redis-memory",
        says="Redis has used 80 % of its memory; full, it takes no more bars.",
        signals=(Measured("AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "nodes", "Maximum"),),
        comparison=">",
        threshold=80,
        period_s=_FIVE,
        periods=2,
        missing="ignore",
        severity="page",
        sizes=_PROD,
    ),
    Alarm(
        slug="table-throttled",
        says="DynamoDB refuses reads or writes of a table because there are too many.",
        signals=(
            Measured("AWS/DynamoDB", "ReadThrottleEvents", "tables", "Sum", "reads"),
            Measured("AWS/DynamoDB", "WriteThrottleEvents", "tables", "Sum", "writes"),
        ),
        expression="FILL(reads, 0) + FILL(writes, 0)",
        comparison=">",
        threshold=0,
        period_s=_FIVE,
        periods=2,
        missing="notBreaching",
        severity="notice",
        sizes=_PROD,
    ),
)
"""What services stand on."""
