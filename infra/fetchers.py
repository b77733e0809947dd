"""The functions of AWS Lambda that fetch from vendors: one image, and a handler each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from constructs import Construct

from infra.environment import FETCH, Resources, environment
from infra.granting import lake_written, secret_read
from infra.retention import log_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_sqs as sqs

    from infra.capacity import Capacity
    from infra.secrets import SecretsStack
    from infra.size import Size
    from infra.storage import StorageStack

ROOT: Final = str(Path(__file__).parent.parent)
PLATFORM: Final = ecr_assets.Platform.LINUX_AMD64
"""Of all images, whatever machine builds them: what runs there is told to be of it."""
HANDLERS: Final = ("daily", "backfill", "minutes", "reference")
"""Of `batch_layer.handlers`."""
_LONGEST: Final = Duration.minutes(15)


class Fetchers(Construct):
    """The functions, which are in no network of ours: S3 and vendors are reached from anywhere.

    Invoked without anyone who waits, a function tries three times, and tells the queue of dead
    letters in the end. The chain waits for them, and sees to that itself.

    Attributes:
        functions: By handler.
        logs: What they say.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        size: Size,
        capacity: Capacity,
        resources: Resources,
        storage: StorageStack,
        secrets: SecretsStack,
        dead_letters: sqs.Queue,
    ) -> None:
        super().__init__(scope, name)
        self._size, self._capacity, self._resources = size, capacity, resources
        self._storage, self._secrets = storage, secrets
        self.logs = log_group(
            self, "Log", called=f"/fiblake/{size.name}/{FETCH}", days=size.log_days
        )
        self.functions: Mapping[str, lambda_.DockerImageFunction] = {
            handler: self._function(handler, dead_letters) for handler in HANDLERS
        }

    def _function(self, handler: str, dead_letters: sqs.Queue) -> lambda_.DockerImageFunction:
        role = iam.Role(
            self,
            f"Role-{handler}",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        self.logs.grant_write(role)
        lake_written(role, self._storage)
        secret_read(role, self._secrets.settings, self._secrets)
        return lambda_.DockerImageFunction(
            self,
            f"Function-{handler}",
            function_name=f"fiblake-{self._size.name}-{handler}",
            description=f"Fetches from vendors: {handler}.",
            code=lambda_.DockerImageCode.from_image_asset(
                ROOT,
                file=f"containers/{FETCH}.Dockerfile",
                cmd=[f"batch_layer.handlers.{handler}"],
                platform=PLATFORM,
            ),
            architecture=lambda_.Architecture.X86_64,
            memory_size=self._capacity.function_mib,
            timeout=_LONGEST,
            reserved_concurrent_executions=self._capacity.function_copies,
            environment=_without(environment(FETCH, self._resources), "AWS_DEFAULT_REGION"),
            role=role,
            log_group=self.logs,
            retry_attempts=2,
            max_event_age=Duration.hours(6),
            on_failure=destinations.SqsDestination(dead_letters),
        )


def _without(variables: dict[str, str], name: str) -> dict[str, str]:
    """Lambda sets its region itself, and lets nobody else."""
    return {each: value for each, value in variables.items() if each != name}
