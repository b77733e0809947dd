"""The serving layer: the API's tasks, the balancer before them, and the edge before that.

In `dev` its one task is the whole system in one process, with the folder of state that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as route53_targets
from aws_cdk import aws_secretsmanager as secretsmanager

from infra.accepting import accept
from infra.capacity import CAPACITIES
from infra.edge import HEADER, Edge, Firewall
from infra.granting import (
    connections_counted,
    lake_read,
    lake_written,
    secret_read,
    topics_told,
)
from infra.network import HTTP, HTTPS
from infra.retention import removal
from infra.speed import fargate_service
from infra.tasks import Process, ProcessTask
from lake.errors import MisuseError
from lake.metrics import CONNECTIONS
from lake.services import API, API_PORT, EMBEDDED

if TYPE_CHECKING:
    from aws_cdk import aws_ecs as ecs
    from constructs import Construct

    from infra.database import DatabaseStack
    from infra.messaging import MessagingStack
    from infra.network import NetworkStack
    from infra.secrets import SecretsStack
    from infra.size import Deployment, Size
    from infra.speed import SpeedStack
    from infra.storage import StorageStack

_REGION: Final = "us-east-1"
_IDLE_S: Final = 300
"""Streams are pinged every 20 seconds, so that none of them is idle for so long."""
_DRAIN_S: Final = 45
"""Less than a task has to stop: clients of streams come back elsewhere, and go on."""
_GRACE_S: Final = 120


class ServingStack(Stack):
    """The serving layer.

    Attributes:
        service: The API, or the whole system in one process.
        task: Of it.
        balancer: Which CloudFront alone reaches.
        target: What it passes requests on to.
        distribution: CloudFront's.
        web_acl: The firewall before it.

    Raises:
        MisuseError: If the region is another than CloudFront's own.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        size: Size,
        deployment: Deployment,
        network: NetworkStack,
        storage: StorageStack,
        secrets: SecretsStack,
        database: DatabaseStack,
        messaging: MessagingStack,
        speed: SpeedStack,
        **props: Any,  # noqa: ANN401 - the CDK's
    ) -> None:
        if deployment.region != _REGION:
            fact = f"The context's region is {deployment.region!r}. Allowed: {_REGION}."
            hint = "the firewall and the certificate of CloudFront live in that region alone."
            raise MisuseError(fact, hint=hint)
        super().__init__(scope, name, **props)
        self._size, self._capacity, self._deployment = size, CAPACITIES[size.name], deployment
        self._network, self._storage, self._secrets = network, storage, secrets
        self.task = self._task(speed)
        self._grant(database, messaging)
        self.service = self._service(speed)
        self.balancer, self.target = self._balancer(), self._target()
        shown = self._shown()
        self._listen(shown)
        self._scale()
        firewall = Firewall(self, "Firewall", size=size, capacity=self._capacity)
        self.web_acl = firewall.acl
        self.distribution = Edge(
            self,
            "Edge",
            deployment=deployment,
            balancer=self.balancer,
            shown=shown,
            firewall=firewall,
            storage=storage,
        ).distribution
        self._name_it()

    def _task(self, speed: SpeedStack) -> ProcessTask:
        """Return what serves. It brings the database to its newest migration first."""
        what = API if self._size.is_whole else EMBEDDED
        process = Process(
            name=what.name,
            image=API.name,
            command=what.command,
            task=self._capacity.services[what.name],
            log_days=self._size.log_days,
            is_asked=True,
            upgrades=True,
        )
        kept = None if self._size.is_whole else speed.kept
        return ProcessTask(self, what.name.title(), process=process, ground=speed.ground, kept=kept)

    def _grant(self, database: DatabaseStack, messaging: MessagingStack) -> None:
        role, storage = self.task.role, self._storage
        secret_read(role, database.secret, self._secrets)
        topics_told(role, messaging)
        if not self._size.is_whole:
            lake_written(role, storage)  # it records, too
            return
        lake_read(role, storage)
        connections_counted(role, storage)

    def _service(self, speed: SpeedStack) -> ecs.FargateService:
        whole = self._size.is_whole
        return fargate_service(
            self.task,
            name=API.name,
            cluster=speed.cluster,
            network=self._network,
            # The embedded process owns its folder of state: never two.
            percent=(100, 200) if whole else (0, 100),
            tasks=self._capacity.api_least,
            grace_s=_GRACE_S,
            mounts=None if whole else speed.kept,
        )

    def _balancer(self) -> elbv2.ApplicationLoadBalancer:
        balancer = elbv2.ApplicationLoadBalancer(
            self,
            "Balancer",
            vpc=self._network.vpc,
            internet_facing=True,
            security_group=self._network.groups.balancer,
            idle_timeout=Duration.seconds(_IDLE_S),
            drop_invalid_header_fields=True,
            # CloudFront says who asks; what this one would add is CloudFront's own address.
            xff_header_processing_mode=elbv2.XffHeaderProcessingMode.PRESERVE,
            deletion_protection=self._size.keeps_data,
        )
        balancer.log_access_logs(self._storage.logs, prefix="balancer")
        return balancer

    def _target(self) -> elbv2.ApplicationTargetGroup:
        return elbv2.ApplicationTargetGroup(
            self,
            "Target",
            vpc=self._network.vpc,
            port=API_PORT,
            protocol=elbv2.ApplicationProtocol.HTTP,
            targets=[
                self.service.load_balancer_target(
                    container_name=self.task.container.container_name, container_port=API_PORT
                )
            ],
            deregistration_delay=Duration.seconds(_DRAIN_S),
            load_balancing_algorithm_type=(
                elbv2.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS
            ),
            health_check=elbv2.HealthCheck(
                # Not /health/ready: what is not healthy here ECS kills, and a lake or a database
                # that is away, or a lake that is empty still, is nothing that another task cures.
                path="/health/live",
                interval=Duration.seconds(10),
                timeout=Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
                healthy_http_codes="200",
            ),
        )

    def _shown(self) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            "Shown",
            secret_name=f"fiblake-{self._size.name}/edge",
            description="What CloudFront shows the balancer.",
            encryption_key=self._secrets.key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=48, exclude_punctuation=True
            ),
            removal_policy=removal(self._size),
        )
        accept(
            secret,
            "AwsSolutions-SMG4",
            "It is a second lock behind the balancer's security group, changed by a deployment.",
        )
        return secret

    def _listen(self, shown: secretsmanager.Secret) -> None:
        """Let the balancer pass on what CloudFront shows the secret with, less the metrics."""
        certificate = self._deployment.certificate
        listener = self.balancer.add_listener(
            "Listener",
            port=HTTPS if certificate else HTTP,
            protocol=elbv2.ApplicationProtocol.HTTPS
            if certificate
            else elbv2.ApplicationProtocol.HTTP,
            certificates=[acm.Certificate.from_certificate_arn(self, "Own", certificate)]
            if certificate
            else None,
            ssl_policy=elbv2.SslPolicy.TLS13_RES if certificate else None,
            open=False,
            default_action=elbv2.ListenerAction.fixed_response(
                403, content_type="text/plain", message_body="Forbidden"
            ),
        )
        listener.add_action(
            "Metrics",
            priority=1,
            conditions=[elbv2.ListenerCondition.path_patterns(["/metrics", "/metrics/*"])],
            action=elbv2.ListenerAction.fixed_response(
                404, content_type="text/plain", message_body="Not found"
            ),
        )
        listener.add_action(
            "Shown",
            priority=2,
            conditions=[
                elbv2.ListenerCondition.http_header(HEADER, [shown.secret_value.unsafe_unwrap()])
            ],
            action=elbv2.ListenerAction.forward([self.target]),
        )

    def _scale(self) -> None:
        capacity = self._capacity
        if capacity.api_most == capacity.api_least:
            return
        scaling = self.service.auto_scale_task_count(
            min_capacity=capacity.api_least, max_capacity=capacity.api_most
        )
        slowly: dict[str, Any] = {
            # Who is sent away from a stream comes back elsewhere at once: not for a quiet minute.
            "scale_in_cooldown": Duration.minutes(10),
            "scale_out_cooldown": Duration.minutes(1),
        }
        scaling.scale_on_cpu_utilization(
            "Cpu", target_utilization_percent=capacity.api_cpu_percent, **slowly
        )
        scaling.scale_on_request_count(
            "Requests",
            requests_per_target=capacity.api_requests,
            target_group=self.target,
            **slowly,
        )
        scaling.scale_to_track_custom_metric(
            "Streams",
            metric=cloudwatch.Metric(
                namespace="fiblake",
                metric_name=CONNECTIONS.name,
                dimensions_map={"service": API.name},
                statistic="Average",
                period=Duration.minutes(1),
            ),
            target_value=capacity.api_connections,
            **slowly,
        )

    def _name_it(self) -> None:
        domain = self._deployment.domain
        if domain is not None:
            zone = route53.HostedZone.from_lookup(self, "Zone", domain_name=zone_of(domain))
            target = route53_targets.CloudFrontTarget(self.distribution)
            for kind in (route53.ARecord, route53.AaaaRecord):
                kind(
                    self,
                    kind.__name__,
                    zone=zone,
                    record_name=domain,
                    target=route53.RecordTarget.from_alias(target),
                )
        CfnOutput(
            self,
            "Address",
            value=f"https://{domain or self.distribution.distribution_domain_name}/",
            description="The page, and the API below it",
        )


def zone_of(domain: str) -> str:
    """Return the hosted zone that a domain is in: of `bars.example.com` it is `example.com`."""
    parent = domain.partition(".")[2]
    return parent if "." in parent else domain
