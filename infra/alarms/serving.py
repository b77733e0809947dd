"""Alarms of the API, and of services as such."""

from __future__ import annotations

from typing import Final

from infra.alarms.alarm import MINUTE, Alarm, Measured, Together
from lake import services

_BALANCER: Final = "AWS/ApplicationELB"
_BEHIND: Final = [each.name for each in services.SERVICES if each is not services.API]
"""Services that nobody outside asks."""

SERVING: Final = (
    Alarm(
        slug="api-away",
        says="No API process is ready to answer.",
        signals=(Measured(_BALANCER, "HealthyHostCount", "targets", "Minimum"),),
        comparison="<",
        threshold=1,
        period_s=MINUTE,
        periods=3,
        missing="breaching",
        severity="page",
        promql='sum(up{service="api"}) < 1 or absent(up{service="api"})',
    ),
    Alarm(
        slug="api-errors",
        says="More than 1 % of requests have failed with 5xx for ten minutes.",
        signals=(
            Measured(_BALANCER, "RequestCount", "balancer", "Sum", "requests"),
            Measured(_BALANCER, "HTTPCode_Target_5XX_Count", "balancer", "Sum", "ours"),
            Measured(_BALANCER, "HTTPCode_ELB_5XX_Count", "balancer", "Sum", "its"),
        ),
        # Of fewer than 20 requests in five minutes one that failed would be 5 %.
        expression="IF(requests > 20, 100 * (FILL(ours, 0) + FILL(its, 0)) / requests, 0)",
        threshold=1,
        periods=2,
        severity="page",
        promql='100 * sum(rate(fiblake_requests_total{status=~"5.."}[5m]))'
        " / sum(rate(fiblake_requests_total[5m])) > 1"
        " and sum(increase(fiblake_requests_total[5m])) > 20",
    ),
    Alarm(
        slug="api-slow",
        says="One answer in a hundred has taken more than a second for a quarter of an hour.",
        signals=(Measured(_BALANCER, "TargetResponseTime", "balancer", "p99"),),
        threshold=1,
        periods=3,
        severity="notice",
        promql="histogram_quantile(0.99, sum by (le) "
        "(rate(fiblake_request_seconds_bucket[5m]))) > 1",
    ),
)
"""As users see it."""

SERVICES: Final = (
    Alarm(
        slug="service-away",
        says="A service has no task that runs.",
        signals=(Measured("AWS/ECS", "CPUUtilization", "services", "SampleCount"),),
        comparison="<",
        threshold=1,
        period_s=MINUTE,
        periods=5,
        missing="breaching",
        severity="page",
        # A service all of whose containers are gone has no address, and so no `up` either.
        promql=" or ".join(
            ('up{service!="api"} < 1', *(f'absent(up{{service="{name}"}})' for name in _BEHIND))
        ),
    ),
    Alarm(
        slug="service-busy",
        says="A service has used 85 % of its processor for a quarter of an hour.",
        signals=(Measured("AWS/ECS", "CPUUtilization", "services", "Average"),),
        threshold=85,
        periods=3,
        missing="ignore",
        severity="notice",
        promql="max by (service) (rate(process_cpu_seconds_total[5m])) > 0.85",
    ),
    Alarm(
        slug="service-memory",
        says="A service has used 90 % of its memory for ten minutes; beyond it, it is killed.",
        signals=(Measured("AWS/ECS", "MemoryUtilization", "services", "Maximum"),),
        threshold=90,
        periods=2,
        missing="ignore",
        severity="page",
        promql="",  # a container's limit is not among what a process tells
    ),
)
"""The processes themselves."""

TOGETHER: Final = (
    Together(
        slug="flow",
        says="Live bars, prices or alerts are late or missing.",
        of=(
            "feed-away",
            "feed-silent",
            "feed-behind",
            "stream-behind",
            "engine-away",
            "publisher-behind",
            "alerts-behind",
        ),
    ),
    Together(
        slug="serving",
        says="The API does not answer, or fails.",
        of=("api-away", "api-errors"),
    ),
)
"""One outage rings once: a feed that is away leaves all behind it silent."""
