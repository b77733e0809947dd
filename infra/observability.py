"""What watches the system: alarms, whom they tell, the dashboard, and the budget.

All alarms come from `infra.alarms`. Those that one outage sets off together ring through one
composite alarm. The budget is the account's: AWS can tell it by tags only once somebody has
switched that on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from infra.alarms import ALARMS, TOGETHER, Measured, Told
from infra.alarms.watched import watched
from infra.cost import bill
from infra.dashboard import Dashboard
from infra.watching import metric_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from infra.alarms import Alarm
    from infra.size import Deployment, Size
    from infra.watching import Seen, Watched

_COMPARISONS: Final = {
    ">": cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    ">=": cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    "<": cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
}
_MISSING: Final = {
    "breaching": cloudwatch.TreatMissingData.BREACHING,
    "notBreaching": cloudwatch.TreatMissingData.NOT_BREACHING,
    "ignore": cloudwatch.TreatMissingData.IGNORE,
}
_NOTICES: Final = (("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""Of the budget, in percent."""
_TOLD_BY: Final = ("cloudwatch.amazonaws.com", "budgets.amazonaws.com")
_SPARE: Final = 1.5


def budget_of(deployment: Deployment) -> float:
    """Return a month's budget in USD: what was said, or half as much again as the bill says."""
    return deployment.budget_usd or float(round(_SPARE * bill(deployment.size.name).usd))


class ObservabilityStack(Stack):
    """What watches the system.

    Attributes:
        topic: Where alarms are told.
        alarms: By slug.
        together: Those that ring for many, by slug.
        dashboard: All that is watched, and more, at a glance.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        size: Size,
        deployment: Deployment,
        services: frozenset[str],
        resources: Watched,
        key: kms.Key,
        **props: Any,  # noqa: ANN401 - the CDK's
    ) -> None:
        super().__init__(scope, name, **props)
        self._size, self._deployment = size, deployment
        self._services, self._resources = services, resources
        self.topic = self._topic(key)
        self.alarms = {
            alarm.slug: list(self._alarms(alarm)) for alarm in ALARMS if size.name in alarm.sizes
        }
        self.together = dict(self._together())
        self._tell()
        self._budget()
        self.dashboard = Dashboard(
            self,
            deployment.prefix,
            services=services,
            resources=resources,
            alarms=[
                *self.together.values(),
                *(each for all_ in self.alarms.values() for each in all_),
            ],
        ).made
        CfnOutput(self, "AlarmTopic", value=self.topic.topic_arn, description="Where alarms go")

    def _topic(self, key: kms.Key) -> sns.Topic:
        topic = sns.Topic(
            self,
            "Alarms",
            topic_name=f"{self._deployment.prefix}-alarms",
            master_key=key,
            enforce_ssl=True,
        )
        here = {"StringEquals": {"aws:SourceAccount": self.account}}
        for teller in map(iam.ServicePrincipal, _TOLD_BY):
            topic.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["sns:Publish"],
                    principals=[teller],
                    resources=[topic.topic_arn],
                    conditions=here,
                )
            )
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    principals=[teller],
                    resources=["*"],  # of a key's policy: this key
                    conditions={"StringEquals": {"aws:SourceAccount": self._deployment.account}},
                )
            )
        if self._deployment.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(self._deployment.alarm_email))
        return topic

    def _alarms(self, alarm: Alarm) -> Iterator[cloudwatch.Alarm]:
        """Yield an alarm of each thing that a row of the table watches."""
        signals = watched(alarm, self._services)
        if alarm.expression:
            first = next(each for each in signals)
            for seen in self._seen(first):
                using = {each.name: metric_of(each, seen, alarm.period_s) for each in signals}
                made = cloudwatch.MathExpression(
                    expression=alarm.expression,
                    using_metrics=dict(using),
                    label=alarm.slug,
                    period=Duration.seconds(alarm.period_s),
                )
                yield self._alarm(alarm, made, seen.name if seen else "")
            return
        for signal in signals:
            for seen in self._seen(signal):
                metric = metric_of(signal, seen, alarm.period_s)
                yield self._alarm(alarm, metric, _whose(signal, seen, signals))

    def _seen(self, signal: Told | Measured) -> Sequence[Seen | None]:
        return self._resources[signal.resource] if isinstance(signal, Measured) else [None]

    def _alarm(self, alarm: Alarm, metric: cloudwatch.IMetric, whose: str) -> cloudwatch.Alarm:
        name = "-".join(filter(None, (alarm.slug, whose)))
        threshold = budget_of(self._deployment) if alarm.slug == "spend" else alarm.threshold
        return cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._deployment.prefix}-{name}",
            alarm_description=f"[{alarm.severity}] {alarm.says} What to do: {alarm.runbook}",
            metric=metric,
            threshold=threshold,
            comparison_operator=_COMPARISONS[alarm.comparison],
            evaluation_periods=alarm.periods,
            treat_missing_data=_MISSING[alarm.missing],
        )

    def _together(self) -> Iterator[tuple[str, cloudwatch.CompositeAlarm]]:
        for each in TOGETHER:
            within = [alarm for slug in each.of for alarm in self.alarms.get(slug, ())]
            yield (
                each.slug,
                cloudwatch.CompositeAlarm(
                    self,
                    each.slug,
                    composite_alarm_name=f"{self._deployment.prefix}-{each.slug}",
                    alarm_description=f"[page] {each.says} What to do: {each.runbook}",
                    alarm_rule=cloudwatch.AlarmRule.any_of(
                        *(
                            cloudwatch.AlarmRule.from_alarm(alarm, cloudwatch.AlarmState.ALARM)
                            for alarm in within
                        )
                    ),
                ),
            )

    def _tell(self) -> None:
        """Let alarms tell when they begin and end to ring, but those that ring through another."""
        quiet = {slug for each in TOGETHER for slug in each.of}
        told: Iterable[cloudwatch.AlarmBase] = (
            *self.together.values(),
            *(alarm for slug, all_ in self.alarms.items() if slug not in quiet for alarm in all_),
        )
        action = actions.SnsAction(self.topic)
        for alarm in told:
            alarm.add_alarm_action(action)
            alarm.add_ok_action(action)

    def _budget(self) -> None:
        make = budgets.CfnBudget
        subscriber = make.SubscriberProperty(address=self.topic.topic_arn, subscription_type="SNS")
        budget = make(
            self,
            "Budget",
            budget=make.BudgetDataProperty(
                budget_name=self._deployment.prefix,
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=make.SpendProperty(amount=budget_of(self._deployment), unit="USD"),
            ),
            notifications_with_subscribers=[
                make.NotificationWithSubscribersProperty(
                    notification=make.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for kind, percent in _NOTICES
            ],
        )
        budget.node.add_dependency(self.topic)
        budget.apply_removal_policy(RemovalPolicy.DESTROY)


def _whose(signal: Told | Measured, seen: Seen | None, signals: Sequence[Told | Measured]) -> str:
    """Return what tells one alarm of a row from the others; empty where there is one alone."""
    if seen is not None:
        return seen.name
    return signal.service if isinstance(signal, Told) and len(signals) > 1 else ""
