"""Jobs as AWS Batch takes and describes them: submitted, watched, and explained when they fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from batch_layer.jobs.service import Service
from batch_layer.jobs.state import STATES, JobState, read_state, watch
from batch_layer.jobs.submission import Order, submit
from lake.errors import UnknownJobError
from lake.interval import Interval
from lake.settings import Settings
from lake.store import open_store
from tests.batch import DEFINITION, LOG_GROUP, QUEUE, Batch, definition

LAKE = Settings.model_validate(
    {
        "lake": "s3://bucket/prefix",
        "s3_region": "eu-west-1",
        "s3_access_key_id": "key of the submitter",
        "s3_secret_access_key": "secret of the submitter",
    }
)


@pytest.fixture
def service(batch: Batch) -> Service:
    assert batch.client.meta.region_name == "us-east-1"
    return Service()


def submitted(service: Service, partitions: int = 3, definition: str = DEFINITION) -> str:
    order = Order(QUEUE, definition, partitions, attempts=4, timeout_s=7200)
    return submit(service, open_store(LAKE), [], order).job


def counts(**counts: int) -> dict[str, int]:
    return dict.fromkeys(STATES, 0) | counts


def test_a_submission_says_how_many_children_what_they_do_and_when_they_are_tried_again(
    service: Service,
) -> None:
    sent: list[dict[str, Any]] = []
    service.batch.meta.events.register(
        "provide-client-params.batch.SubmitJob", lambda params, **_: sent.append(params)
    )
    order = Order(QUEUE, DEFINITION, 16, attempts=4, timeout_s=7200)
    submit(service, open_store(LAKE), [Interval.parse("13d")], order)
    submit(service, open_store(LAKE), [], Order(QUEUE, DEFINITION, 1, attempts=4, timeout_s=60))

    array, plain = sent
    assert {"size": 16} == array["arrayProperties"]
    assert "arrayProperties" not in plain
    assert {"attemptDurationSeconds": 7200} == array["timeout"]
    assert ["13d"] == array["containerOverrides"]["command"]
    assert "command" not in plain["containerOverrides"]
    assert [
        {"name": "FIBLAKE_LAKE", "value": "s3://bucket/prefix"},
        {"name": "FIBLAKE_S3_REGION", "value": "eu-west-1"},
    ] == array["containerOverrides"]["environment"]
    assert "of the submitter" not in str(sent)
    assert 4 == array["retryStrategy"]["attempts"]
    assert [
        ("RETRY", {"onStatusReason": "Host EC2*"}),
        ("RETRY", {"onStatusReason": "Your Spot Task*"}),
        ("EXIT", {"onReason": "OutOfMemory*"}),
        ("EXIT", {"onExitCode": "2"}),
    ] == [(rule.pop("action"), rule) for rule in array["retryStrategy"]["evaluateOnExit"]]


def test_a_job_is_watched_until_it_has_ended_and_each_change_is_told_once(
    batch: Batch, service: Service
) -> None:
    job = submitted(service)
    for name in (job, f"{job}:0", f"{job}:1", f"{job}:2"):
        batch.become(name, status="PENDING")

    def run() -> Iterator[None]:
        yield
        batch.become(f"{job}:0", status="RUNNING")
        yield
        yield
        for index in range(3):
            batch.become(f"{job}:{index}", status="SUCCEEDED")
        batch.become(job, status="SUCCEEDED")
        yield

    running, told, waited = run(), list[JobState](), list[float]()

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        next(running)

    ended = watch(service, job, every_s=7.5, on_change=told.append, sleep=sleep)

    assert [
        counts(PENDING=3),
        counts(PENDING=2, RUNNING=1),
        counts(SUCCEEDED=3),
    ] == [state.children for state in told]
    assert [7.5] * 4 == waited
    assert told[-1] == ended
    assert (True, False) == (ended.has_ended, ended.has_failed)


def test_a_child_that_failed_is_explained_by_its_exit_code_its_reason_and_its_log(
    batch: Batch, service: Service
) -> None:
    job = submitted(service)
    reason = "Essential container in task exited"
    failed = {"status": "FAILED", "exit_code": 1, "job_stopped_reason": reason}
    batch.become(f"{job}:1", **failed, log_stream_name=f"{job}/1", attempts=[{}, {}, {}])
    batch.become(job, status="FAILED")
    batch.write_log(f"{job}/1", *(f"line {number}" for number in range(30)))

    state = read_state(service, job)

    assert (True, counts(SUCCEEDED=2, FAILED=1)) == (state.has_failed, state.children)
    (failure,) = state.failures
    assert (f"{job}:1", 3, 1, reason) == (
        failure.job,
        failure.attempts,
        failure.exit_code,
        failure.reason,
    )
    assert tuple(f"line {number}" for number in range(10, 30)) == failure.log
    assert failure.log_error is None
    assert state.failures == read_state(service, f"{job}:1").failures


def test_a_failed_child_without_a_log_is_shown_all_the_same(batch: Batch, service: Service) -> None:
    job = submitted(service, partitions=1)
    batch.become(job, status="FAILED", log_stream_name="never written")
    unreadable = read_state(service, job).failures[0]
    batch.become(job, log_stream_name=None, job_stopped_reason="Host EC2 terminated.")
    never_started = read_state(service, job).failures[0]

    assert ((), None) == (unreadable.log, unreadable.exit_code)
    assert (unreadable.log_error or "").startswith("Could not read its log: The specified log")
    assert "no container was started." == never_started.log_error
    assert "Host EC2 terminated." == never_started.reason


def test_logs_are_read_where_the_definition_sends_them(batch: Batch, service: Service) -> None:
    own = definition() | {"jobDefinitionName": "own-log-group"}
    own["containerProperties"]["logConfiguration"] = {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/fiblake/batch"},
    }
    batch.client.register_job_definition(**own)
    job = submitted(service, 1, "own-log-group")
    batch.become(job, status="FAILED", log_stream_name=job)
    batch.write_log(job, "not this", group=LOG_GROUP)
    batch.write_log(job, "this", group="/fiblake/batch")

    assert ("this",) == read_state(service, job).failures[0].log


def test_no_more_failures_are_explained_than_one_looks_at(batch: Batch, service: Service) -> None:
    job = submitted(service, partitions=8)
    for index in range(7):
        batch.become(f"{job}:{index}", status="FAILED")
    batch.become(job, status="FAILED")

    state = read_state(service, job)

    assert (7, 5) == (state.children["FAILED"], len(state.failures))


def test_a_job_that_is_no_array_counts_as_its_one_child(batch: Batch, service: Service) -> None:
    job = submitted(service, partitions=1)
    batch.become(job, status="SUBMITTED")

    assert counts(SUBMITTED=1) == read_state(service, job).children


def test_an_unknown_job_is_said_to_be_unknown(service: Service) -> None:
    with pytest.raises(UnknownJobError, match="AWS Batch in us-east-1 knows no job 'nope'"):
        watch(service, "nope", every_s=1)
