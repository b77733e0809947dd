"""The batch layer's template: jobs, functions, schedules, and who may do what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batch_layer import handlers
from batch_layer.entry import COMMANDS
from batch_layer.jobs.submission import retries
from infra.capacity import CAPACITIES
from tests.templates import SIZES, resources, several, statements, templates

FUNCTIONS = {"daily", "backfill", "minutes", "reference"}


def batch(size: str) -> dict[str, Any]:
    return templates(size)["batch"]


def one(size: str, kind: str) -> dict[str, Any]:
    (found,) = resources(batch(size), kind).values()
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("size", SIZES)
def test_jobs_run_on_spot_and_else_on_what_there_is(size: str) -> None:
    places = resources(batch(size), "AWS::Batch::ComputeEnvironment")
    queue = one(size, "AWS::Batch::JobQueue")
    order = sorted(queue["ComputeEnvironmentOrder"], key=lambda each: int(each["Order"]))
    kinds = [
        places[each["ComputeEnvironment"]["Fn::GetAtt"][0]]["ComputeResources"]["Type"]
        for each in order
    ]

    assert ["FARGATE_SPOT", "FARGATE"] == kinds
    most = {each["ComputeResources"]["MaxvCpus"] for each in places.values()}
    assert {CAPACITIES[size].most_vcpus} == most


@pytest.mark.parametrize("size", SIZES)
def test_a_job_has_no_rights_a_time_limit_and_the_retries_of_what_is_submitted(size: str) -> None:
    definition = one(size, "AWS::Batch::JobDefinition")
    container, told = definition["ContainerProperties"], definition["RetryStrategy"]
    submitted = retries(CAPACITIES[size].job_attempts)

    assert (True, "10001") == (container["ReadonlyRootFilesystem"], container["User"])
    assert [{"Name": "tmp"}] == container["Volumes"]
    assert ["resample"] == container["Command"]
    assert 7200 == definition["Timeout"]["AttemptDurationSeconds"]
    assert submitted["attempts"] == told["Attempts"]
    assert submitted["evaluateOnExit"] == [
        {name[0].lower() + name[1:]: value for name, value in rule.items()}
        for rule in told["EvaluateOnExit"]
    ]


@pytest.mark.parametrize("size", SIZES)
def test_a_job_is_of_a_size_that_fargate_offers(size: str) -> None:
    wanted = one(size, "AWS::Batch::JobDefinition")["ContainerProperties"]["ResourceRequirements"]
    told = {each["Type"]: float(each["Value"]) for each in wanted}

    assert 2 == told["VCPU"]
    assert told["MEMORY"] in {1024 * gib for gib in range(4, 17)}


@pytest.mark.parametrize("size", SIZES)
def test_a_job_may_read_and_write_the_lake_and_delete_backups_alone(size: str) -> None:
    allowed = {
        (action, str(resource).rpartition("/")[0].rpartition("/")[2])
        for name, statement in statements(batch(size))
        if name.startswith("JobRole")
        for action in several(statement["Action"])
        if action.startswith("s3:")
        for resource in several(statement["Resource"])
    }

    assert {action for action, _ in allowed} == {
        "s3:ListBucket",
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
    }
    assert {prefix for action, prefix in allowed if action == "s3:DeleteObject"} == {"backups"}
    assert {prefix for action, prefix in allowed if action == "s3:PutObject"} == {"backups", "lake"}


@pytest.mark.parametrize("size", SIZES)
def test_there_is_a_function_for_each_handler_with_time_memory_and_a_last_resort(
    size: str,
) -> None:
    functions = {
        each["ImageConfig"]["Command"][0]: each
        for each in resources(batch(size), "AWS::Lambda::Function").values()
        if each.get("PackageType") == "Image"
    }

    assert {f"batch_layer.handlers.{name}" for name in FUNCTIONS} == set(functions)
    assert all(callable(getattr(handlers, name)) for name in FUNCTIONS)
    assert {(900, CAPACITIES[size].function_mib)} == {
        (each["Timeout"], each["MemorySize"]) for each in functions.values()
    }
    copies = {each.get("ReservedConcurrentExecutions") for each in functions.values()}
    assert {CAPACITIES[size].function_copies} == copies


@pytest.mark.parametrize("size", SIZES)
def test_what_nobody_waits_for_is_tried_thrice_and_told_to_the_dead_letters(size: str) -> None:
    configured = list(resources(batch(size), "AWS::Lambda::EventInvokeConfig").values())

    assert len(FUNCTIONS) == len(configured)
    for each in configured:
        assert 2 == each["MaximumRetryAttempts"]
        target = each["DestinationConfig"]["OnFailure"]["Destination"]
        assert target["Fn::GetAtt"][0].startswith("DeadLetters")


def test_schedules_are_in_the_exchange_s_time_with_retries_and_dead_letters() -> None:
    schedules = {
        each["Name"].removeprefix("fiblake-prod-"): each
        for each in resources(batch("prod"), "AWS::Scheduler::Schedule").values()
    }

    assert {
        "evening": "cron(30 20 ? * MON-FRI *)",
        "morning": "cron(30 11 ? * TUE-SAT *)",
        "weekly": "cron(0 8 ? * SUN *)",
        "backup": "cron(0 2 * * ? *)",
    } == {name: each["ScheduleExpression"] for name, each in schedules.items()}
    for each in schedules.values():
        assert "America/New_York" == each["ScheduleExpressionTimezone"]
        assert 20 == each["Target"]["RetryPolicy"]["MaximumRetryAttempts"]
        assert each["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0].startswith("DeadLetters")
    assert {"evening": {}, "morning": {"minutes": {}}, "weekly": {"reference": {}}} == {
        name: json.loads(each["Target"]["Input"])
        for name, each in schedules.items()
        if name != "backup"
    }


def test_only_who_buys_flat_files_fetches_minutes_each_morning() -> None:
    def state(size: str) -> str:
        (found,) = [
            each["State"]
            for each in resources(batch(size), "AWS::Scheduler::Schedule").values()
            if each["Name"].endswith("-morning")
        ]
        return str(found)

    assert ("DISABLED", "ENABLED") == (state("dev"), state("prod"))


@pytest.mark.parametrize("size", SIZES)
def test_every_command_that_is_started_is_one_of_the_image_s(size: str) -> None:
    started = set(one(size, "AWS::Batch::JobDefinition")["ContainerProperties"]["Command"])
    for each in resources(batch(size), "AWS::Scheduler::Schedule").values():
        if each["Name"].endswith("-backup"):
            text = "".join(
                part if isinstance(part, str) else "arn"
                for part in each["Target"]["Input"]["Fn::Join"][1]
            )
            started |= set(json.loads(text)["ContainerOverrides"]["Command"])

    assert {"resample", "backup"} == started
    assert started <= set(COMMANDS)


@pytest.mark.parametrize("size", SIZES)
def test_a_job_that_failed_for_good_is_told_to_the_dead_letters(size: str) -> None:
    rule = one(size, "AWS::Events::Rule")

    assert ["FAILED"] == rule["EventPattern"]["detail"]["status"]
    assert rule["Targets"][0]["Arn"]["Fn::GetAtt"][0].startswith("DeadLetters")
