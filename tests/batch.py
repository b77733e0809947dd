"""AWS Batch as moto has it, and its children as processes that a test starts in its place.

moto keeps what is submitted and runs nothing. A child here gets what AWS Batch would give it: the
image's environment, entry point and user's command, the environment of the job's description, and
the variables that AWS Batch documents; and the credentials of the job's role, as variables.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import boto3

from tests.moto_serially import REGION
from tests.parts import MotoServer

if TYPE_CHECKING:
    from types_boto3_batch import BatchClient
    from types_boto3_logs import CloudWatchLogsClient

ROOT: Final = Path(__file__).parents[1]
DOCKERFILE: Final = (ROOT / "containers/batch.Dockerfile").read_text("utf-8")
GUIDE: Final = (ROOT / "docs/batch.md").read_text("utf-8")
QUEUE: Final = "fiblake"
LOG_GROUP: Final = "/aws/batch/job"
NO_VARIABLES: Final[Mapping[str, str]] = {}
ROLE: Final = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


def definition() -> dict[str, Any]:
    """Return the definition that the guide says to register."""
    blocks = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    found: dict[str, Any] = next(each for each in map(json.loads, blocks) if "type" in each)
    return found


DEFINITION: Final[str] = definition()["jobDefinitionName"]


def entry_point() -> list[str]:
    """Return the image's."""
    found = re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)
    point: list[str] = json.loads(found[-1])
    return point


def image_environment() -> dict[str, str]:
    """Return the variables of ours that the image sets."""
    return dict(re.findall(r"\b(FIBLAKE_\w+)=(\S+)", DOCKERFILE))


class Batch:
    """AWS Batch on moto, with a queue and the guide's definition."""

    def __init__(self, server: MotoServer) -> None:
        self.url = server.url
        self.client: BatchClient = self._client("batch")
        self.logs: CloudWatchLogsClient = self._client("logs")
        if not self.client.describe_job_queues(jobQueues=[QUEUE])["jobQueues"]:
            self._set_up()

    def become(self, job: str, **attributes: object) -> None:
        """Let a job or a child of one become this."""
        body = json.dumps({"job": job} | attributes).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/job", body, headers)
        urllib.request.urlopen(request).close()

    def write_log(self, stream: str, *lines: str, group: str = LOG_GROUP) -> None:
        """Write lines to a log."""
        if not self.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            self.logs.create_log_group(logGroupName=group)
        self.logs.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(time.time() * 1000)
        events: Any = [{"timestamp": now + n, "message": line} for n, line in enumerate(lines)]
        self.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def start(
        self,
        job: str,
        *,
        index: int | None = None,
        attempt: int = 1,
        variables: Mapping[str, str] = NO_VARIABLES,
    ) -> Child:
        """Start the process that AWS Batch would start for a child, or for a job without any.

        Args:
            job: Its id.
            index: The child's; None: the job has none.
            attempt: From 1.
            variables: Of its environment, in place of what the job's description says.
        """
        detail: Any = self.client.describe_jobs(jobs=[job])["jobs"][0]
        told = {each["name"]: each["value"] for each in detail["container"]["environment"]}
        told |= {"AWS_BATCH_JOB_ID": job, "AWS_BATCH_JOB_ATTEMPT": str(attempt)}
        if index is not None:
            told["AWS_BATCH_JOB_ID"] = f"{job}:{index}"
            told["AWS_BATCH_JOB_ARRAY_INDEX"] = str(index)
            told["AWS_BATCH_JOB_ARRAY_SIZE"] = str(detail["arrayProperties"]["size"])
        return start_child({**told, **variables}, *detail["container"]["command"])

    def _client(self, service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="key",
            aws_secret_access_key="secret",  # noqa: S106 - moto takes any
        )

    def _set_up(self) -> None:
        role = self._client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")
        environment = self.client.create_compute_environment(
            computeEnvironmentName="fiblake",
            type="UNMANAGED",
            state="ENABLED",
            serviceRole=role["Role"]["Arn"],
        )
        self.client.create_job_queue(
            jobQueueName=QUEUE,
            state="ENABLED",
            priority=1,
            computeEnvironmentOrder=[
                {"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}
            ],
        )
        self.client.register_job_definition(**definition())


@dataclass(frozen=True, slots=True)
class Child:
    """The process of a child; leaving the block ends it."""

    process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_for(self, event: str, **values: object) -> None:
        """Return once it has logged an event with these values."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            told = json.loads(line)
            if told["event"] == event and values.items() <= told.items():
                return
        msg = f"no {event!r} before it ended with {self.process.wait()}"
        raise AssertionError(msg)

    def finish(self) -> tuple[int, list[dict[str, Any]]]:
        """Return its exit code and what it logged since, once it has ended."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        log = [json.loads(line) for line in self.process.stderr]
        assert self.process.stdout.read() == ""
        return self.process.wait(), log


def start_child(environment: dict[str, str], *command: str) -> Child:
    """Start the image's entry point with a command, in an environment of its own."""
    program, *arguments = entry_point()
    assert program == "python"
    process = subprocess.Popen(
        [sys.executable, *arguments, *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | ROLE | image_environment() | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return Child(process)
