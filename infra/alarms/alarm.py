"""What an alarm is: a number that is watched, and when it is wrong.

Units:  thresholds are in the metric's own unit; periods in seconds.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from lake.metrics import Metric

SizeName = Literal["dev", "prod"]
Severity = Literal["page", "notice"]
Missing = Literal["breaching", "notBreaching", "ignore"]
Comparison = Literal[">", ">=", "<"]
Statistic = Literal["Maximum", "Minimum", "Average", "Sum", "SampleCount", "p99"]
Resource = Literal[
    "account",
    "balancer",
    "chain",
    "database",
    "engine",
    "functions",
    "nodes",
    "queues",
    "services",
    "streams",
    "tables",
    "targets",
]
"""What AWS measures: all of the stacks' resources of a kind, each of which is watched apart."""

BOTH: Final[tuple[SizeName, ...]] = ("dev", "prod")
PROD: Final[tuple[SizeName, ...]] = ("prod",)
MINUTE: Final = 60
_FIVE_MINUTES: Final = 300
RUNBOOK: Final = "docs/runbook"


@dataclass(frozen=True, slots=True)
class Told:
    """A metric of the catalogue, as one service tells it.

    Attributes:
        metric: Of `lake.metrics`.
        service: Who tells it.
        labels: Of its labels the values that count, as (label, value).
        statistic: Over a period.
        name: In an expression.
    """

    metric: Metric
    service: str
    labels: tuple[tuple[str, str], ...] = ()
    statistic: Statistic = "Maximum"
    name: str = "told"


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric that AWS measures of one of the stacks' resources.

    Attributes:
        namespace: Of CloudWatch.
        metric: Its name there.
        resource: Of what; where there are many, each is watched apart.
        statistic: Over a period.
        name: In an expression.
    """

    namespace: str
    metric: str
    resource: Resource
    statistic: Statistic
    name: str = "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A row of the table of alarms.

    A row that says no more than it must counts what should never be: it rings after five minutes
    in which there was any of it, and no data is no alarm.

    Attributes:
        slug: Its name, and that of its page in the runbook.
        says: What is wrong when it rings, in one sentence.
        signals: What is watched: each apart, or as one number that `expression` makes of them.
        severity: `page`: someone looks now. `notice`: on the next working day.
        comparison: With the threshold, of a number that is wrong.
        threshold: In the metric's unit. Of `spend` alone it is the budget's, and left at nought.
        period_s: Over which a number is taken.
        periods: For how many of them in turn it must be wrong.
        missing: What no number at all says. `breaching`: that whoever tells it is dead.
        expression: CloudWatch's metric math over the signals' names.
        sizes: Of systems that have it.
        promql: What Prometheus evaluates, where it is not made of the signals; None: it is made.
    """

    slug: str
    says: str
    signals: tuple[Told | Measured, ...]
    severity: Severity
    comparison: Comparison = ">"
    threshold: float = 0
    period_s: int = _FIVE_MINUTES
    periods: int = 1
    missing: Missing = "notBreaching"
    expression: str = ""
    sizes: tuple[SizeName, ...] = BOTH
    promql: str | None = None

    @property
    def runbook(self) -> str:
        """The page that tells what to do, from the repository's root."""
        return f"{RUNBOOK}/{self.slug}.md"

    @property
    def when(self) -> str:
        """What must be so for it to ring, in short."""
        lasting = f"{self.periods} x " if self.periods > 1 else ""
        limit = "the budget" if self.slug == "spend" else f"{self.threshold:,.10g}"
        return f"{self._number} {self.comparison} {limit} for {lasting}{self.period_s:,} s"

    @property
    def _number(self) -> str:
        if self.expression:
            return self.expression
        first = self.signals[0]
        if isinstance(first, Measured):
            return f"{first.statistic} of {first.namespace} {first.metric}"
        labels = ", ".join(f"{label}={value}" for label, value in first.labels)
        selected = f"{first.metric.name}{{{labels}}}" if labels else first.metric.name
        return f"{first.statistic} of {selected}"

    @property
    def lasting_s(self) -> int:
        """How long it must be wrong, in seconds."""
        return self.period_s * self.periods


@dataclass(frozen=True, slots=True)
class Together:
    """Alarms that ring as one: what one outage breaks is told once.

    Attributes:
        slug: Its name, and that of its page in the runbook.
        says: What is wrong when it rings, in one sentence.
        of: The slugs of those that ring through it alone.
    """

    slug: str
    says: str
    of: tuple[str, ...]

    @property
    def runbook(self) -> str:
        """The page that tells what to do, from the repository's root."""
        return f"{RUNBOOK}/{self.slug}.md"
