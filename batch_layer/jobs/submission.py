"""A job that rebuilds silver, handed to AWS Batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from batch_layer.jobs.service import Service, asking
from lake.errors import MisuseError
from lake.store.s3 import S3Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_batch.type_defs import RetryStrategyTypeDef

    from lake.interval import Interval
    from lake.store import ObjectStore

NAME: Final = "fiblake-resample"


@dataclass(frozen=True, slots=True)
class Order:
    """Who rebuilds silver, and how long they may try.

    Attributes:
        queue: Name or ARN.
        definition: Name, name:revision or ARN.
        partitions: How many children share the work; of one, the job is no array.
        attempts: Of each child, the first included.
        timeout_s: Of each attempt.
    """

    queue: str
    definition: str
    partitions: int
    attempts: int
    timeout_s: int


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job as AWS Batch took it; `job` is its id."""

    job: str
    name: str
    queue: str
    definition: str
    partitions: int


def submit(
    service: Service, store: ObjectStore, intervals: Sequence[Interval], order: Order
) -> Submitted:
    """Submit a job that rebuilds the stale silver of some intervals, of all if none is named.

    The lake's credentials are not handed on: those who may look at a job would see them. The
    container has those of the job's role.

    Raises:
        MisuseError: If the workers cannot reach the lake.
        JobError: If AWS Batch refuses the job or cannot be reached.
    """
    environment = _environment(_reachable(store))
    overrides: Any = {"environment": environment}
    if intervals:
        overrides["command"] = [str(interval) for interval in intervals]
    array: Any = {"arrayProperties": {"size": order.partitions}} if order.partitions > 1 else {}
    with asking("submit the job", hint="check the queue and the definition."):
        answer = service.batch.submit_job(
            jobName=NAME,
            jobQueue=order.queue,
            jobDefinition=order.definition,
            containerOverrides=overrides,
            retryStrategy=retries(order.attempts),
            timeout={"attemptDurationSeconds": order.timeout_s},
            **array,
        )
    return Submitted(answer["jobId"], NAME, order.queue, order.definition, order.partitions)


def _reachable(store: ObjectStore) -> S3Store:
    if isinstance(store, S3Store):
        return store
    fact = f"The lake {store.location} is a folder, which AWS Batch's workers cannot reach."
    raise MisuseError(fact, hint="name a lake on S3, as --lake s3://bucket/prefix.")


def _environment(store: S3Store) -> list[dict[str, str]]:
    values = {
        "FIBLAKE_LAKE": store.location,
        "FIBLAKE_S3_REGION": store.region,
        "FIBLAKE_S3_ENDPOINT": store.endpoint,
    }
    return [{"name": name, "value": value} for name, value in values.items() if value]


def retries(attempts: int) -> RetryStrategyTypeDef:
    """Return when a failed attempt is followed by another: the first rule that matches decides.

    A host taken away (EC2 Spot, Fargate Spot) is no fault of the job. What was misused (exit 2) or
    ran out of memory fails the same way again. All else, as S3 out of reach, is tried again, since
    Batch retries what no rule matches. An attempt that timed out is never retried.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
    """
    return {
        "attempts": attempts,
        "evaluateOnExit": [
            {"onStatusReason": "Host EC2*", "action": "RETRY"},
            {"onStatusReason": "Your Spot Task*", "action": "RETRY"},
            {"onReason": "OutOfMemory*", "action": "EXIT"},
            {"onExitCode": "2", "action": "EXIT"},
        ],
    }
