"""Alarms of batch: fetching, silver, reconciliation, backups, and what it all costs."""

from __future__ import annotations

from typing import Final

from infra.alarms.alarm import Alarm, Measured, Told
from lake import metrics

_QUARTER_DAY: Final = 21_600
_HOUR: Final = 3_600
_DAY: Final = 86_400

BATCH: Final = (
    Alarm(
        slug="boundary-late",
        says="A settled session has not been committed for 20 hours.",
        signals=(Told(metrics.BOUNDARY_AGE, "api", (("boundary", "daily"),), "Minimum"),),
        comparison=">=",
        threshold=1,
        period_s=_HOUR,
        periods=20,
        missing="ignore",
        severity="page",
    ),
    Alarm(
        slug="chain-failed",
        says="The daily chain (fetch, resample, reconcile) failed.",
        signals=(
            Measured("AWS/States", "ExecutionsFailed", "chain", "Sum", "failed"),
            Measured("AWS/States", "ExecutionsTimedOut", "chain", "Sum", "late"),
            Measured("AWS/States", "ExecutionsAborted", "chain", "Sum", "aborted"),
        ),
        expression="FILL(failed, 0) + FILL(late, 0) + FILL(aborted, 0)",
        severity="page",
    ),
    Alarm(
        slug="dead-letters",
        says="A queue holds what could not be delivered or run.",
        signals=(Measured("AWS/SQS", "ApproximateNumberOfMessagesVisible", "queues", "Maximum"),),
        severity="page",
    ),
    Alarm(
        slug="fetch-errors",
        says="A function that fetches from the vendor failed.",
        signals=(Measured("AWS/Lambda", "Errors", "functions", "Sum"),),
        severity="notice",
    ),
    Alarm(
        slug="rows-rejected",
        says="More than 0.1 % of the rows that a vendor sent for a day were rejected.",
        signals=(
            Told(
                metrics.ROWS, "fetch", (("kind", "daily"), ("outcome", "accepted")), "Sum", "good"
            ),
            Told(metrics.ROWS, "fetch", (("kind", "daily"), ("outcome", "rejected")), "Sum", "bad"),
        ),
        expression="IF(good + bad > 0, 100 * bad / (good + bad), 0)",
        threshold=0.1,
        period_s=_HOUR,
        severity="notice",
    ),
    Alarm(
        slug="differences",
        says="Batch made bars of a session that live bars had told otherwise.",
        signals=(Told(metrics.DIFFERENCES, "batch"),),
        period_s=_HOUR,
        severity="notice",
    ),
    Alarm(
        slug="backup-old",
        says="No whole backup was made for a day and a half.",
        signals=(Told(metrics.BACKUP_AGE, "batch"),),
        threshold=1.5 * _DAY,
        period_s=_DAY // 2,
        periods=3,
        missing="breaching",
        severity="page",
    ),
    Alarm(
        slug="spend",
        says="This month's bill has reached the budget.",
        signals=(Measured("AWS/Billing", "EstimatedCharges", "account", "Maximum"),),
        period_s=_QUARTER_DAY,
        missing="ignore",
        severity="notice",
    ),
)
"""What runs by the day, and the month's bill."""
