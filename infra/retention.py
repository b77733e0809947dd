"""How long logs are kept, and whether what holds data outlives its stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from constructs import Construct

    from infra.size import Size

_KEPT: Final = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def removal(size: Size) -> RemovalPolicy:
    """Return what becomes of what holds data when its stack is deleted."""
    return RemovalPolicy.RETAIN if size.keeps_data else RemovalPolicy.DESTROY


def log_group(scope: Construct, name: str, *, called: str, days: int) -> logs.LogGroup:
    """Return a group of logs, which goes with its stack.

    Args:
        scope: Where it is.
        name: Of the construct.
        called: Its name in CloudWatch.
        days: How long it keeps a line.

    Raises:
        ValueError: If CloudWatch offers none of so many days.
    """
    return logs.LogGroup(
        scope,
        name,
        log_group_name=called,
        retention=kept_for(days),
        removal_policy=RemovalPolicy.DESTROY,
    )


def kept_for(days: int) -> logs.RetentionDays:
    """Return the retention of so many days.

    Raises:
        ValueError: If CloudWatch offers none of so many.
    """
    if days not in _KEPT:
        msg = f"Logs are not kept for {days} days. Allowed: {', '.join(map(str, _KEPT))}."
        raise ValueError(msg)
    return _KEPT[days]
