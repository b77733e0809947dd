"""What becomes of a job: how many of its children are in which state, and why some failed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from batch_layer.jobs.service import Service, asking
from lake.errors import JobError, UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from types_boto3_batch.type_defs import JobDetailTypeDef

STATES: Final = (
    *("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"),
    *("SUCCEEDED", "FAILED"),
)
SHOWN: Final = 5
_ENDED: Final = ("SUCCEEDED", "FAILED")
_LOG_GROUP: Final = "/aws/batch/job"
_LOG_LINES: Final = 20


@dataclass(frozen=True, slots=True)
class Failure:
    """A child that failed, with the end of its last attempt's log.

    Attributes:
        job: Its id; of a job without children, the job's.
        attempts: How often it was tried.
        exit_code: None where no container ran to its end.
        reason: In the words of AWS.
        log: The last lines, oldest first.
        log_error: Why there are none.
    """

    job: str
    attempts: int
    exit_code: int | None
    reason: str
    log: tuple[str, ...]
    log_error: str | None = None


@dataclass(frozen=True, slots=True)
class JobState:
    """A job at one moment.

    Attributes:
        job: Its id.
        status: Its own; that of an array is PENDING as long as a child is not done.
        reason: Of that status, in the words of AWS; empty where it gives none.
        children: How many of them are in each state; a job that is no array counts as its one.
        failures: Of the children that failed, the first few.
    """

    job: str
    name: str
    status: str
    reason: str
    children: Mapping[str, int]
    failures: tuple[Failure, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in _ENDED

    @property
    def has_failed(self) -> bool:
        """Whether the job failed, or a child of it already did."""
        return self.status == "FAILED" or self.children["FAILED"] > 0


def read_state(service: Service, job: str) -> JobState:
    """Return a job's state, in one request; with several more where a child failed.

    Raises:
        UnknownJobError: If there is no such job.
        JobError: If AWS Batch refuses or cannot be reached.
    """
    return _explained(service, _details(service, [job])[0])


def watch(
    service: Service,
    job: str,
    *,
    every_s: float,
    on_change: Callable[[JobState], None] = lambda _state: None,
    sleep: Callable[[float], None] = time.sleep,
) -> JobState:
    """Return a job's state once it has ended.

    Args:
        service: AWS Batch, asked once each time.
        job: The job's id.
        every_s: Seconds between two looks.
        on_change: Called with each state that differs from the one before.
        sleep: Waits for so many seconds.

    Raises:
        UnknownJobError: If there is no such job.
        JobError: If AWS Batch refuses or cannot be reached.
    """
    seen = None
    while True:
        detail = _details(service, [job])[0]
        state = _state(detail)
        if state != seen:
            on_change(state)
        if state.has_ended:
            return _explained(service, detail)
        seen = state
        sleep(every_s)


def _details(service: Service, jobs: Sequence[str]) -> list[JobDetailTypeDef]:
    with asking("look at the job"):
        found = service.batch.describe_jobs(jobs=list(jobs))["jobs"]
    if not found:
        fact = f"AWS Batch in {service.region} knows no job {jobs[0]!r}."
        hint = "check the id and the region; a job is forgotten some days after its end."
        raise UnknownJobError(fact, hint=hint)
    return found


def _explained(service: Service, detail: JobDetailTypeDef) -> JobState:
    state = _state(detail)
    return replace(state, failures=_failures(service, detail)) if state.has_failed else state


def _state(detail: JobDetailTypeDef) -> JobState:
    # An array has no summary before its children are made.
    array = detail.get("arrayProperties", {})
    counts: Any = array.get("statusSummary") or {detail["status"]: array.get("size", 1)}
    return JobState(
        job=detail["jobId"],
        name=detail["jobName"],
        status=detail["status"],
        reason=detail.get("statusReason", ""),
        children={state: counts.get(state, 0) for state in STATES},
    )


def _failures(service: Service, detail: JobDetailTypeDef) -> tuple[Failure, ...]:
    if "size" not in detail.get("arrayProperties", {}):
        return (_failure(service, detail),)
    with asking("list the children that failed"):
        listed = service.batch.list_jobs(
            arrayJobId=detail["jobId"], jobStatus="FAILED", maxResults=SHOWN
        )["jobSummaryList"]
    failed = [child["jobId"] for child in listed][:SHOWN]
    children = _details(service, failed) if failed else []
    return tuple(_failure(service, child) for child in children)


def _failure(service: Service, detail: JobDetailTypeDef) -> Failure:
    container = detail.get("container", {})
    reasons = (detail.get("statusReason"), container.get("reason"))
    failure = Failure(
        job=detail["jobId"],
        attempts=len(detail.get("attempts", [])),
        exit_code=container.get("exitCode"),
        reason="; ".join(reason for reason in reasons if reason),
        log=(),
    )
    stream = container.get("logStreamName")
    if stream is None:
        return replace(failure, log_error="no container was started.")
    try:
        return replace(failure, log=_log_tail(service, container, stream))
    except JobError as error:
        # What failed, and why, is worth more than its log.
        return replace(failure, log_error=str(error))


def _log_tail(service: Service, container: Any, stream: str) -> tuple[str, ...]:  # noqa: ANN401
    options = container.get("logConfiguration", {}).get("options", {})
    with asking("read its log", hint="AWS may have it in a minute, or have deleted it."):
        answer = service.logs.get_log_events(
            logGroupName=options.get("awslogs-group", _LOG_GROUP),
            logStreamName=stream,
            limit=_LOG_LINES,
            startFromHead=False,
        )
    return tuple(event["message"].rstrip() for event in answer["events"])
