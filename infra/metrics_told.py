"""How many metrics of the catalogue CloudWatch is told, each value of a label being one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lake.metrics import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lake.metrics import Metric

_JOBS: Final = ("batch", "fetch")
_JOB_SHARE: Final = 2 / 24
"""A metric is paid for by the hours in which it is told; jobs run in two of a day."""
_VALUES: Final[Mapping[str, int]] = {
    "outcome": 3,
    "part": 3,
    "row": 4,
    "status": 6,
    "kind": 3,
    "cache": 2,
    "boundary": 2,
    "job": 3,
}
"""How many values a label has; a route is no dimension there."""


def metrics_told(services: Collection[str]) -> float:
    """Return how many metrics services tell all month, and jobs in their hours.

    Args:
        services: The names of those that run apart; jobs and functions always do.
    """
    return sum(
        _series(metric) * (_JOB_SHARE if teller in _JOBS else 1)
        for metric in CATALOGUE
        for teller in metric.services
        if teller in _JOBS or teller in services
    )


def _series(metric: Metric) -> int:
    found = 1
    for label in metric.labels:
        found *= _VALUES.get(label, 1)
    return found
