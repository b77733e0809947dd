"""The speed layer: ECS's cluster, feed, publisher and alerts, the Flink job, and Redis.

In `dev` all of them are parts of the one process that serves, see `infra.serving`: here are its
cluster and the folder that it keeps state in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_efs as efs

from infra.accepting import accept
from infra.capacity import CAPACITIES, Task
from infra.environment import OPERATOR
from infra.flink import FlinkApplication
from infra.granting import (
    BACKUPS,
    lake_read,
    lake_written,
    secret_read,
    stream_read,
    stream_written,
    topics_told,
)
from infra.hive import LAKE
from infra.redis import Redis
from infra.retention import removal
from infra.tasks import USER, Ground, Kept, Process, ProcessTask
from lake.services import ALERTS, FEED, PUBLISHER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_kinesis as kinesis
    from constructs import Construct

    from infra.database import DatabaseStack
    from infra.environment import Resources
    from infra.messaging import MessagingStack
    from infra.network import NetworkStack
    from infra.secrets import SecretsStack
    from infra.size import Size
    from infra.storage import StorageStack
    from lake.services import Service

_ONE_AFTER_THE_OTHER: Final = (0, 100)
"""Percent of tasks that run while another version is deployed, least and most: never two."""
_ONE_BESIDE_THE_OTHER: Final = (100, 200)
_OPERATOR: Final = Process(
    name=OPERATOR,
    image="api",
    command=("fiblake", "db", "status"),
    task=Task(512, 1024),
    log_days=1,  # a key that is created is shown there
    is_watched=False,
)


class SpeedStack(Stack):
    """The speed layer.

    Attributes:
        cluster: Of all services.
        kept: The folder of what must outlast a task.
        ground: What tasks stand on; its resources know where Redis is.
        services: By name: feed, publisher, alerts; none where all is one process.
        redis: None where all is one process.
        flink: Likewise.
        operator: A task for one command, as `fiblake keys create`.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        size: Size,
        network: NetworkStack,
        storage: StorageStack,
        secrets: SecretsStack,
        database: DatabaseStack,
        messaging: MessagingStack,
        resources: Resources,
        **props: Any,  # noqa: ANN401 - the CDK's
    ) -> None:
        super().__init__(scope, name, **props)
        self._size, self._capacity = size, CAPACITIES[size.name]
        self._network, self._storage, self._secrets = network, storage, secrets
        self._database, self._messaging = database, messaging
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=f"fiblake-{size.name}",
            vpc=network.vpc,
            container_insights_v2=ecs.ContainerInsights.ENABLED
            if size.is_whole
            else ecs.ContainerInsights.DISABLED,
        )
        if not size.is_whole:
            accept(self.cluster, "AwsSolutions-ECS4", "It would cost more than it tells of a task.")
        self.kept = self._kept()
        self.redis = self._redis()
        self.ground = Ground(
            size=size,
            resources=replace(resources, redis=self.redis.address) if self.redis else resources,
            secrets=secrets,
        )
        self.services: Mapping[str, ecs.FargateService] = {}
        self.flink: FlinkApplication | None = None
        if storage.events and storage.bars:
            self.services = self._services(storage.events, storage.bars)
            self.flink = self._flink(storage.events, storage.bars)
        self.operator = self._operator()
        self._tell()

    def _kept(self) -> Kept:
        files = efs.FileSystem(
            self,
            "Files",
            file_system_name=f"fiblake-{self._size.name}",
            vpc=self._network.vpc,
            vpc_subnets=self._network.holding,
            security_group=self._network.groups.files,
            encrypted=True,
            kms_key=self._storage.key,
            allow_anonymous_access=False,
            throughput_mode=efs.ThroughputMode.ELASTIC,
            # What is in it goes to the lake within seconds: there is nothing to bring back.
            enable_automatic_backups=False,
            removal_policy=removal(self._size),
        )
        place = files.add_access_point(
            "State",
            path="/state",
            create_acl=efs.Acl(owner_uid=USER, owner_gid=USER, permissions="750"),
            posix_user=efs.PosixUser(uid=USER, gid=USER),
        )
        return Kept(files, place)

    def _redis(self) -> Redis | None:
        if not self._size.is_whole:
            return None
        return Redis(
            self,
            "Redis",
            size=self._size,
            capacity=self._capacity,
            network=self._network,
            storage=self._storage,
            secrets=self._secrets,
        )

    def _services(
        self, events: kinesis.Stream, bars: kinesis.Stream
    ) -> Mapping[str, ecs.FargateService]:
        storage = self._storage
        feed = self._task(FEED, kept=self.kept)
        lake_written(feed.role, storage)
        stream_written(feed.role, events)
        publisher = self._task(PUBLISHER)
        lake_written(publisher.role, storage)
        stream_read(publisher.role, bars)
        alerts = self._task(ALERTS, upgrades=True)
        lake_written(alerts.role, storage)
        stream_read(alerts.role, bars)
        secret_read(alerts.role, self._database.secret, self._secrets)
        topics_told(alerts.role, self._messaging)
        return {
            FEED.name: self._service(FEED, feed, _ONE_AFTER_THE_OTHER),
            PUBLISHER.name: self._service(PUBLISHER, publisher, _ONE_BESIDE_THE_OTHER),
            ALERTS.name: self._service(ALERTS, alerts, _ONE_AFTER_THE_OTHER),
        }

    def _task(
        self, service: Service, *, kept: Kept | None = None, upgrades: bool = False
    ) -> ProcessTask:
        process = Process(
            name=service.name,
            image=service.name,
            command=service.command,
            task=self._capacity.services[service.name],
            log_days=self._size.log_days,
            upgrades=upgrades,
        )
        return ProcessTask(
            self, service.name.title(), process=process, ground=self.ground, kept=kept
        )

    def _service(
        self, service: Service, task: ProcessTask, percent: tuple[int, int]
    ) -> ecs.FargateService:
        return fargate_service(
            task,
            name=service.name,
            cluster=self.cluster,
            network=self._network,
            percent=percent,
            mounts=self.kept if service is FEED else None,
        )

    def _flink(self, events: kinesis.Stream, bars: kinesis.Stream) -> FlinkApplication | None:
        if self._capacity.flink is None:
            return None
        return FlinkApplication(
            self,
            "Flink",
            size=self._size,
            flink=self._capacity.flink,
            storage=self._storage,
            events=events,
            bars=bars,
        )

    def _operator(self) -> ProcessTask:
        task = ProcessTask(self, "Operator", process=_OPERATOR, ground=self.ground, kept=None)
        for prefix in (LAKE, BACKUPS):
            lake_read(task.role, self._storage, prefix)
        secret_read(task.role, self._database.secret, self._secrets)
        return task

    def _tell(self) -> None:
        for title, value, about in (
            ("ClusterName", self.cluster.cluster_name, "For aws ecs run-task --cluster"),
            ("OperatorTask", self.operator.definition.family, "And --task-definition"),
        ):
            CfnOutput(self, title, value=value, description=about)


def fargate_service(
    task: ProcessTask,
    *,
    name: str,
    cluster: ecs.Cluster,
    network: NetworkStack,
    percent: tuple[int, int],
    tasks: int = 1,
    grace_s: int | None = None,
    mounts: Kept | None = None,
) -> ecs.FargateService:
    """Return the service that keeps so many tasks running.

    Args:
        task: What runs.
        name: The service's.
        cluster: Where.
        network: In which it runs.
        percent: Of tasks that run during a deployment, at least and at most.
        tasks: How many.
        grace_s: For how long a balancer's opinion does not count after the start.
        mounts: The folder that it waits for.
    """
    least, most = percent
    service = ecs.FargateService(
        task,
        "Service",
        service_name=name,
        cluster=cluster,
        task_definition=task.definition,
        desired_count=tasks,
        min_healthy_percent=least,
        max_healthy_percent=most,
        circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
        platform_version=ecs.FargatePlatformVersion.VERSION1_4,
        vpc_subnets=network.running,
        security_groups=[network.groups.services],
        assign_public_ip=network.has_public_addresses,
        enable_ecs_managed_tags=True,
        propagate_tags=ecs.PropagatedTagSource.SERVICE,
        health_check_grace_period=None if grace_s is None else Duration.seconds(grace_s),
    )
    if mounts:
        service.node.add_dependency(mounts.files.mount_targets_available)
    return service
