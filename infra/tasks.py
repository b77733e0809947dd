"""Containers on ECS, all alike: no rights, nothing to write to but named places, a health check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import Duration
from aws_cdk import Size as Amount
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.accepting import accept
from infra.environment import CACHE, STATE, environment
from infra.fetchers import PLATFORM, ROOT
from infra.granting import secret_read
from infra.retention import log_group
from lake.services import API_PORT, HEALTH_PORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_efs as efs

    from infra.capacity import Task
    from infra.environment import Resources
    from infra.secrets import SecretsStack
    from infra.size import Size

USER: Final = "10001"
LOGIN: Final = "To log in at ECR is of no repository: AWS takes no other resource."
HEALTH: Final = (
    "CMD",
    "python",
    "-m",
    "lake.health_check",
    f"http://127.0.0.1:{HEALTH_PORT}/health/live",
)
STOP_S: Final = 60
"""From SIGTERM to SIGKILL."""
_UPGRADE: Final = ("fiblake", "db", "upgrade")


@dataclass(frozen=True, slots=True)
class Process:
    """What a task runs.

    Attributes:
        name: Of its service, its log, its environment.
        image: `containers/<image>.Dockerfile`.
        command: What starts it.
        task: What it gets.
        log_days: How long its log is kept.
        is_asked: Whether it listens at `API_PORT`.
        is_watched: Whether it tells how it is, at `HEALTH_PORT`.
        upgrades: Whether the database is brought to its newest migration before it starts.
    """

    name: str
    image: str
    command: Sequence[str]
    task: Task
    log_days: int
    is_asked: bool = False
    is_watched: bool = True
    upgrades: bool = False


@dataclass(frozen=True, slots=True)
class Ground:
    """What all tasks of a deployment stand on.

    Attributes:
        size: Its name is in the names of logs.
        resources: That their environment names.
        secrets: That they read settings, and Redis' password, from.
    """

    size: Size
    resources: Resources
    secrets: SecretsStack


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder that outlasts tasks, on EFS."""

    files: efs.FileSystem
    place: efs.AccessPoint


class ProcessTask(Construct):
    """A task definition of one process.

    Attributes:
        definition: The task's.
        role: What the process itself may do.
        log: What it says.
    """

    def __init__(
        self, scope: Construct, name: str, *, process: Process, ground: Ground, kept: Kept | None
    ) -> None:
        super().__init__(scope, name)
        self._process, self._ground = process, ground
        self.role = self._role("Role")
        self.log = log_group(
            self,
            "Log",
            called=f"/fiblake/{ground.size.name}/{process.name}",
            days=process.log_days,
        )
        self._execution = self._role("ExecutionRole")
        accept(self._execution, "AwsSolutions-IAM5[Resource::*]", LOGIN)
        self.definition = ecs.FargateTaskDefinition(
            self,
            "Task",
            family=f"fiblake-{ground.size.name}-{process.name}",
            cpu=process.task.cpu,
            memory_limit_mib=process.task.memory_mib,
            task_role=self.role,
            execution_role=self._execution,
        )
        self.image = ecs.ContainerImage.from_asset(
            ROOT, file=f"containers/{process.image}.Dockerfile", platform=PLATFORM
        )
        accept(
            self.definition,
            "AwsSolutions-ECS2",
            "No variable is secret: what is, is named by its ARN, and read when the task starts.",
        )
        self._handed = self._injected()
        self.container = self._main()
        self._mount(kept)
        if process.upgrades:
            self._upgrade_before()
        secret_read(self.role, ground.secrets.settings, ground.secrets)

    def _role(self, name: str) -> iam.Role:
        return iam.Role(self, name, assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))

    def _main(self) -> ecs.ContainerDefinition:
        process = self._process
        container = self.definition.add_container(
            "main",
            container_name=process.name,
            command=list(process.command),
            port_mappings=[ecs.PortMapping(container_port=API_PORT)] if process.is_asked else None,
            health_check=_health() if process.is_watched else None,
            stop_timeout=Duration.seconds(STOP_S),
            **self._alike(),
        )
        for path, volume in (("/tmp", "tmp"), (CACHE, "cache")):  # noqa: S108 - in the container
            self.definition.add_volume(name=volume)
            container.add_mount_points(
                ecs.MountPoint(container_path=path, source_volume=volume, read_only=False)
            )
        return container

    def _alike(self) -> dict[str, Any]:
        """Return what is the same of all containers of the task."""
        process = self._process
        return {
            "image": self.image,
            "user": USER,
            "readonly_root_filesystem": True,
            "environment": environment(process.name, self._ground.resources),
            "secrets": self._handed,
            "logging": ecs.LogDriver.aws_logs(
                stream_prefix=process.name,
                log_group=self.log,
                # A log that cannot be written holds up no bar.
                mode=ecs.AwsLogDriverMode.NON_BLOCKING,
                max_buffer_size=Amount.mebibytes(25),
            ),
        }

    def _injected(self) -> dict[str, ecs.Secret]:
        """Return what ECS reads when a task starts, and hands on as variables."""
        redis = self._ground.secrets.redis
        if redis is None or "FIBLAKE_REDIS_URL" not in environment(
            self._process.name, self._ground.resources
        ):
            return {}
        # Named by its ARN: else its key would have to name the role, which is made after it.
        named = secretsmanager.Secret.from_secret_complete_arn(
            self, "RedisPassword", redis.secret_arn
        )
        self._ground.secrets.key.grant(self._execution, "kms:Decrypt")
        return {"FIBLAKE_REDIS_PASSWORD": ecs.Secret.from_secrets_manager(named)}

    def _mount(self, kept: Kept | None) -> None:
        if kept is None:
            return
        self.definition.add_volume(
            name="state",
            efs_volume_configuration=ecs.EfsVolumeConfiguration(
                file_system_id=kept.files.file_system_id,
                transit_encryption="ENABLED",
                authorization_config=ecs.AuthorizationConfig(
                    access_point_id=kept.place.access_point_id, iam="ENABLED"
                ),
            ),
        )
        self.container.add_mount_points(
            ecs.MountPoint(container_path=STATE, source_volume="state", read_only=False)
        )
        self.role.add_to_policy(
            iam.PolicyStatement(
                actions=["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
                resources=[kept.files.file_system_arn],
                conditions={
                    "StringEquals": {
                        "elasticfilesystem:AccessPointArn": kept.place.access_point_arn
                    }
                },
            )
        )

    def _upgrade_before(self) -> None:
        """Let a container bring the database to its newest migration; of two at once one waits."""
        upgrade = self.definition.add_container(
            "upgrade",
            container_name="upgrade",
            command=list(_UPGRADE),
            essential=False,
            **self._alike(),
        )
        upgrade.add_mount_points(
            ecs.MountPoint(container_path="/tmp", source_volume="tmp", read_only=False)  # noqa: S108 - in the container
        )
        self.container.add_container_dependencies(
            ecs.ContainerDependency(
                container=upgrade, condition=ecs.ContainerDependencyCondition.SUCCESS
            )
        )


def _health() -> ecs.HealthCheck:
    return ecs.HealthCheck(
        command=list(HEALTH),
        interval=Duration.seconds(15),
        timeout=Duration.seconds(5),
        retries=3,
        start_period=Duration.seconds(60),
    )
