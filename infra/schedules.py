"""What EventBridge Scheduler starts, and when: in the exchange's time, whatever the clocks do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import Duration, TimeZone
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_batch as batch
    from aws_cdk import aws_sqs as sqs
    from aws_cdk import aws_stepfunctions as sfn

    from infra.size import Size

ZONE: Final = TimeZone.AMERICA_NEW_YORK
_EVENING: Final = {"minute": "30", "hour": "20", "week_day": "MON-FRI"}
"""Extended hours end at 20:00, and what was recorded of them lands within a minute."""
_MORNING: Final = {"minute": "30", "hour": "11", "week_day": "TUE-SAT"}
"""Flat files of a session are there by 11:00 of the next day."""
_WEEKLY: Final = {"minute": "0", "hour": "8", "week_day": "SUN"}
_NIGHTLY: Final = {"minute": "0", "hour": "2"}


class Schedules(Construct):
    """The schedules. What cannot be started in an hour is told to the queue of dead letters.

    evening   after extended hours   daily bars, and what was recorded
    morning   the next one           minutes of flat files; where they are bought
    weekly    on Sundays             reference data
    backup    each night             a backup
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        size: Size,
        chain: sfn.StateMachine,
        fetches_minutes: bool,
        dead_letters: sqs.Queue,
    ) -> None:
        super().__init__(scope, name)
        self._size, self._dead_letters = size, dead_letters
        started: tuple[tuple[str, dict[str, str], dict[str, Any], bool], ...] = (
            ("evening", _EVENING, {}, True),
            ("morning", _MORNING, {"minutes": {}}, fetches_minutes),
            ("weekly", _WEEKLY, {"reference": {}}, True),
        )
        for title, when, asked, is_on in started:
            target = targets.StepFunctionsStartExecution(
                chain, input=scheduler.ScheduleTargetInput.from_object(asked), **self._care()
            )
            self._schedule(title, when, target, is_on=is_on)

    def back_up(self, queue: batch.JobQueue, definition: batch.EcsJobDefinition) -> None:
        """Let a job make a backup each night."""
        order = {
            "JobName": "fiblake-backup",
            "JobQueue": queue.job_queue_arn,
            "JobDefinition": definition.job_definition_arn,
            "ContainerOverrides": {"Command": ["backup"]},
        }
        target = targets.Universal(
            service="batch",
            action="submitJob",
            input=scheduler.ScheduleTargetInput.from_object(order),
            policy_statements=[
                iam.PolicyStatement(
                    actions=["batch:SubmitJob"],
                    resources=[queue.job_queue_arn, definition.job_definition_arn],
                )
            ],
            **self._care(),
        )
        self._schedule("backup", _NIGHTLY, target, is_on=True)

    def _care(self) -> dict[str, Any]:
        return {
            "dead_letter_queue": self._dead_letters,
            "max_event_age": Duration.hours(1),
            "retry_attempts": 20,
        }

    def _schedule(
        self,
        title: str,
        when: dict[str, str],
        target: scheduler.IScheduleTarget,
        *,
        is_on: bool,
    ) -> None:
        scheduler.Schedule(
            self,
            title.title(),
            schedule_name=f"fiblake-{self._size.name}-{title}",
            schedule=scheduler.ScheduleExpression.cron(time_zone=ZONE, **when),
            target=target,
            enabled=is_on,
        )
