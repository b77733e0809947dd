"""How long logs are kept."""

from __future__ import annotations

from typing import Final

from aws_cdk import aws_logs as logs

_KEPT: Final = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def kept_for(days: int) -> logs.RetentionDays:
    """Return the retention of so many days.

    Raises:
        ValueError: If CloudWatch offers none of so many.
    """
    if days not in _KEPT:
        msg = f"Logs are not kept for {days} days. Allowed: {', '.join(map(str, _KEPT))}."
        raise ValueError(msg)
    return _KEPT[days]
