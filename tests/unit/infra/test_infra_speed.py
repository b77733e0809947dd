"""The speed layer's template: services, the folder of state, Redis and the Flink application."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from infra.capacity import CAPACITIES
from infra.flink import PACKAGES, RUNTIME
from infra.tasks import HEALTH
from lake.services import ALERTS, API, EMBEDDED, FEED, PUBLISHER, Service
from lake.settings import Settings
from speed_layer.flink_job import PROJECT, PYTHON
from tests.dockerfiles import DOCKERFILES
from tests.parts import missing
from tests.templates import ROOT, SIZES, resources, several, statements, templates

SERVICES = {each.name: each for each in (FEED, PUBLISHER, ALERTS, API, EMBEDDED)}
RUNNING = {"dev": {EMBEDDED.name}, "prod": {FEED.name, PUBLISHER.name, ALERTS.name, API.name}}
PARSES = """
import json, sys
sys.path.insert(0, sys.argv[1])
import job
from pathlib import Path
arguments = job.managed(Path(sys.argv[2]))
options = vars(job.parse(arguments))
print(json.dumps({name: str(value) for name, value in options.items()}))
"""
FARGATE_MIB = {
    256: range(512, 2049, 512),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
}
"""Of so many units of CPU. Source: AWS's table of task sizes for Fargate."""


def tasks(size: str) -> dict[str, dict[str, Any]]:
    """Return the task definitions of a size, by their main container's name."""
    return {
        container["Name"]: task
        for stack in ("speed", "serving")
        for task in resources(templates(size)[stack], "AWS::ECS::TaskDefinition").values()
        for container in task["ContainerDefinitions"]
        if container["Essential"]
    }


def main(size: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in tasks(size)[name]["ContainerDefinitions"] if each["Name"] == name]
    assert isinstance(found, dict)
    return found


def services(size: str) -> dict[str, dict[str, Any]]:
    return {
        each["ServiceName"]: each
        for stack in ("speed", "serving")
        for each in resources(templates(size)[stack], "AWS::ECS::Service").values()
    }


@pytest.mark.parametrize("size", SIZES)
def test_each_service_runs_the_command_that_it_is_tested_with(size: str) -> None:
    watched = {name for name in tasks(size) if name != "operator"}

    assert RUNNING[size] == watched
    for name in watched:
        service: Service = SERVICES[name]
        assert list(service.command) == main(size, name)["Command"]


@pytest.mark.parametrize("size", SIZES)
def test_a_container_has_no_rights_and_nothing_to_write_to_but_named_places(size: str) -> None:
    for name, task in tasks(size).items():
        assert (name, "awsvpc") == (name, task["NetworkMode"])
        for container in task["ContainerDefinitions"]:
            assert "10001" == container["User"]
            assert container["ReadonlyRootFilesystem"] is True
            assert "Privileged" not in container
        mounted = {each["ContainerPath"] for each in main(size, name)["MountPoints"]}
        kept = {"/var/lib/fiblake"} if name in {FEED.name, EMBEDDED.name} else set()
        assert {"/tmp", "/var/cache/fiblake"} | kept == mounted  # noqa: S108 - in the container


@pytest.mark.parametrize("size", SIZES)
def test_what_is_mounted_belongs_to_whom_it_belongs_to_in_the_image(size: str) -> None:
    """ECS makes a volume root's own, unless the image has a volume at the same place."""
    for name, task in tasks(size).items():
        image = DOCKERFILES["api" if name in {EMBEDDED.name, "operator"} else name].image
        declared = {place for each in image.all("VOLUME") for place in each.words}
        on_files = {each["Name"] for each in task["Volumes"] if "EFSVolumeConfiguration" in each}
        for container in task["ContainerDefinitions"]:
            mounted = {
                each["ContainerPath"]
                for each in container["MountPoints"]
                if each["SourceVolume"] not in on_files
            }
            assert set() != mounted <= declared, name


@pytest.mark.parametrize("size", SIZES)
def test_a_container_is_asked_how_it_is_as_its_image_is(size: str) -> None:
    for name in RUNNING[size]:
        image = "api" if name == EMBEDDED.name else name
        text = (ROOT / f"containers/{image}.Dockerfile").read_text("utf-8")
        health = main(size, name)["HealthCheck"]

        assert json.dumps(list(HEALTH[1:])) in text
        assert list(HEALTH) == health["Command"]
        assert 60 == main(size, name)["StopTimeout"] == health["StartPeriod"]


@pytest.mark.parametrize("size", SIZES)
def test_a_task_is_of_a_size_that_fargate_offers(size: str) -> None:
    for name, task in tasks(size).items():
        assert int(task["Memory"]) in FARGATE_MIB[int(task["Cpu"])], name
    assert RUNNING[size] == set(CAPACITIES[size].services)


@pytest.mark.parametrize("size", SIZES)
def test_logs_hold_up_nobody_and_are_kept_by_service(size: str) -> None:
    for name in tasks(size):
        options = main(size, name)["LogConfiguration"]["Options"]
        assert "non-blocking" == options["mode"]


@pytest.mark.parametrize(
    ("size", "name", "percent"),
    [
        ("prod", "feed", (0, 100)),
        ("prod", "publisher", (100, 200)),
        ("prod", "alerts", (0, 100)),
        ("prod", "api", (100, 200)),
        ("dev", "api", (0, 100)),
    ],
)
def test_a_deployment_that_fails_is_taken_back_and_never_are_there_two_feeds(
    size: str, name: str, percent: tuple[int, int]
) -> None:
    service = services(size)[name]
    how = service["DeploymentConfiguration"]

    assert percent == (how["MinimumHealthyPercent"], how["MaximumPercent"])
    assert {"Enable": True, "Rollback": True} == how["DeploymentCircuitBreaker"]
    address = service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"]
    assert ("ENABLED" if size == "dev" else "DISABLED") == address


@pytest.mark.parametrize("size", SIZES)
def test_what_needs_the_database_brings_it_to_its_newest_migration_first(size: str) -> None:
    upgrading = {
        name
        for name, task in tasks(size).items()
        for each in task["ContainerDefinitions"]
        if each["Command"] == ["fiblake", "db", "upgrade"]
    }
    needed = {
        name
        for name in RUNNING[size]
        for each in main(size, name)["Environment"]
        if each["Name"] == "FIBLAKE_DATABASE_URL"
    }

    assert needed == upgrading != set()
    for name in upgrading:
        assert [{"Condition": "SUCCESS", "ContainerName": "upgrade"}] == (
            main(size, name)["DependsOn"]
        )


@pytest.mark.parametrize("size", SIZES)
def test_the_folder_of_state_is_encrypted_and_reached_by_its_door_alone(size: str) -> None:
    template = templates(size)["speed"]
    (files,) = resources(template, "AWS::EFS::FileSystem").values()
    (door,) = resources(template, "AWS::EFS::AccessPoint").values()
    name = FEED.name if size == "prod" else EMBEDDED.name
    (volume,) = [each for each in tasks(size)[name]["Volumes"] if "EFSVolumeConfiguration" in each]

    assert files["Encrypted"] is True
    assert {"Uid": "10001", "Gid": "10001"} == door["PosixUser"]
    assert ("ENABLED", "ENABLED") == (
        volume["EFSVolumeConfiguration"]["TransitEncryption"],
        volume["EFSVolumeConfiguration"]["AuthorizationConfig"]["IAM"],
    )


def test_redis_is_encrypted_shut_and_in_two_zones() -> None:
    (group,) = resources(templates("prod")["speed"], "AWS::ElastiCache::ReplicationGroup").values()
    (parameters,) = resources(
        templates("prod")["speed"], "AWS::ElastiCache::ParameterGroup"
    ).values()

    assert (True, "required") == (
        group["TransitEncryptionEnabled"],
        group["TransitEncryptionMode"],
    )
    assert group["AtRestEncryptionEnabled"] is True
    assert (2, True, True) == (
        group["NumCacheClusters"],
        group["AutomaticFailoverEnabled"],
        group["MultiAZEnabled"],
    )
    assert "{{resolve:secretsmanager:" in json.dumps(group["AuthToken"])
    assert {"maxmemory-policy": "noeviction"} == parameters["Properties"]


def test_dev_has_neither_redis_nor_flink() -> None:
    kinds = {each["Type"] for each in templates("dev")["speed"]["Resources"].values()}

    assert not kinds & {
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::KinesisAnalyticsV2::Application",
        "AWS::ECS::Service",
    }


def application() -> dict[str, Any]:
    (found,) = resources(
        templates("prod")["speed"], "AWS::KinesisAnalyticsV2::Application"
    ).values()
    assert isinstance(found, dict)
    return found


def groups() -> dict[str, dict[str, Any]]:
    told = application()["ApplicationConfiguration"]["EnvironmentProperties"]["PropertyGroups"]
    return {each["PropertyGroupId"]: each["PropertyMap"] for each in told}


def test_the_job_understands_what_it_is_told(tmp_path: Any) -> None:
    """By its own parser, with the file that the managed service puts beside it."""
    if not PYTHON.exists():
        missing("PyFlink", "make .venv-flink/ready")
    told = {
        name: value if isinstance(value, str) else f"arn:aws:kinesis:us-east-1:1:stream/{name}"
        for name, value in groups()["fiblake"].items()
    }
    file = tmp_path / "application_properties.json"
    file.write_text(json.dumps([{"PropertyGroupId": "fiblake", "PropertyMap": told}]), "utf-8")
    done = subprocess.run(
        [str(PYTHON), "-c", PARSES, str(PROJECT), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    options = json.loads(done.stdout)
    assert told["events"] == options["events"]
    assert told["bars"] == options["bars"]
    assert str(Settings().lateness_seconds) == options["lateness_s"]
    assert Settings().feed_kind == options["kind"]
    assert "TRIM_HORIZON" == options["position"]


def test_late_and_poisoned_lines_go_where_the_publisher_reads() -> None:
    told = groups()["fiblake"]

    assert told["bars"] == told["corrections"] == told["rejects"] != told["events"]


def test_the_application_is_of_a_flink_that_hands_on_late_rows_and_keeps_snapshots() -> None:
    found = application()
    configured = found["ApplicationConfiguration"]
    flink = configured["FlinkApplicationConfiguration"]

    assert "FLINK-2_3" == RUNTIME == found["RuntimeEnvironment"]
    assert configured["ApplicationSnapshotConfiguration"]["SnapshotsEnabled"] is True
    assert flink["ParallelismConfiguration"]["AutoScalingEnabled"] is True
    assert flink["CheckpointConfiguration"]["CheckpointingEnabled"] is True
    assert {"python": "job.py", "jarfile": "lib/fiblake-flink.jar"} == (
        groups()["kinesis.analytics.flink.run.options"]
    )


def test_the_package_is_named_when_it_is_deployed() -> None:
    parameter = templates("prod")["speed"]["Parameters"]["FlinkPackage"]
    code = application()["ApplicationConfiguration"]["ApplicationCodeConfiguration"]

    assert "Default" not in parameter
    assert parameter["AllowedPattern"].startswith(PACKAGES)
    assert {"Ref": "FlinkPackage"} == code["CodeContent"]["S3ContentLocation"]["FileKey"]


def test_each_service_may_do_what_it_does_and_no_more() -> None:
    template = templates("prod")["speed"]
    allowed: dict[str, set[str]] = {}
    for name, statement in statements(template):
        for service in ("Feed", "Publisher", "Alerts"):
            if name.startswith(f"{service}Role"):
                allowed.setdefault(service, set()).update(several(statement["Action"]))

    def kinds(service: str, *prefixes: str) -> set[str]:
        return {each for each in allowed[service] if each.startswith(prefixes)}

    assert {"kinesis:PutRecords", "kinesis:ListShards", "kinesis:DescribeStreamSummary"} == kinds(
        "Feed", "kinesis:"
    )
    assert "kinesis:GetRecords" in kinds("Publisher", "kinesis:")
    assert set() == kinds("Publisher", "kinesis:Put") | kinds("Alerts", "kinesis:Put")
    assert set() == kinds("Feed", "dynamodb:", "sns:")
    assert set() == kinds("Publisher", "dynamodb:") | kinds("Alerts", "dynamodb:")
    assert {"sns:Publish"} == kinds("Alerts", "sns:")
    assert {"elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"} == kinds(
        "Feed", "elasticfilesystem:"
    )
