"""The batch layer: jobs of AWS Batch, functions that fetch, the daily chain, and its schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import Size as Amount
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

from infra.accepting import accept
from infra.capacity import CAPACITIES
from infra.chain import Parts, chain
from infra.environment import BATCH, Resources, environment
from infra.fetchers import PLATFORM, ROOT, Fetchers
from infra.granting import BACKUPS, lake_written, objects_deleted, secret_read
from infra.retention import log_group
from infra.schedules import Schedules
from infra.tasks import LOGIN, USER

if TYPE_CHECKING:
    from constructs import Construct

    from infra.database import DatabaseStack
    from infra.network import NetworkStack
    from infra.secrets import SecretsStack
    from infra.size import Size
    from infra.storage import StorageStack

_CORE: Final = 1024


class BatchStack(Stack):
    """The batch layer.

    Attributes:
        queue: Of jobs.
        definition: Of a job: `python -m batch_layer.entry` with the command that it is given.
        functions: That fetch, by handler.
        chain: The state machine of a session's end.
        dead_letters: Where what failed for good is told: chains, jobs, schedules, functions.
        logs: What jobs say.
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
        resources: Resources,
        **props: Any,  # noqa: ANN401 - the CDK's
    ) -> None:
        super().__init__(scope, name, **props)
        self._size, self._capacity = size, CAPACITIES[size.name]
        self.dead_letters = self._dead_letters()
        self.logs = log_group(
            self, "Log", called=f"/fiblake/{size.name}/{BATCH}", days=size.log_days
        )
        self.queue = self._queue(network)
        self.definition = self._definition(network, storage, secrets, database, resources)
        self.functions = Fetchers(
            self,
            "Fetchers",
            size=size,
            capacity=self._capacity,
            resources=resources,
            storage=storage,
            secrets=secrets,
            dead_letters=self.dead_letters,
        ).functions
        self.chain = self._chain()
        self._tell_of_failed_jobs()
        schedules = Schedules(
            self,
            "Schedules",
            size=size,
            chain=self.chain,
            fetches_minutes=self._capacity.fetches_minutes,
            dead_letters=self.dead_letters,
        )
        schedules.back_up(self.queue, self.definition)
        self._tell()

    def _dead_letters(self) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=f"fiblake-{self._size.name}-batch-dead",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        accept(queue, "AwsSolutions-SQS3", "It is a queue of dead letters itself.")
        return queue

    def _queue(self, network: NetworkStack) -> batch.JobQueue:
        """Return a queue that prefers Spot, some 70 % cheaper, and else takes what there is."""
        given: dict[str, Any] = {
            "vpc": network.vpc,
            "vpc_subnets": network.running,
            "security_groups": [network.groups.services],
            "maxv_cpus": self._capacity.most_vcpus,
            "replace_compute_environment": False,
        }
        spot = batch.FargateComputeEnvironment(self, "Spot", spot=True, **given)
        on_demand = batch.FargateComputeEnvironment(self, "OnDemand", spot=False, **given)
        queue = batch.JobQueue(
            self, "Queue", job_queue_name=f"fiblake-{self._size.name}", priority=1
        )
        queue.add_compute_environment(spot, 1)
        queue.add_compute_environment(on_demand, 2)
        return queue

    def _definition(
        self,
        network: NetworkStack,
        storage: StorageStack,
        secrets: SecretsStack,
        database: DatabaseStack,
        resources: Resources,
    ) -> batch.EcsJobDefinition:
        job, role = self._capacity.job, self._role("JobRole")
        lake_written(role, storage)
        lake_written(role, storage, BACKUPS)
        objects_deleted(role, storage, BACKUPS)
        for secret in (secrets.settings, database.secret):
            secret_read(role, secret, secrets)
        starts = self._role("ExecutionRole")
        accept(starts, "AwsSolutions-IAM5[Resource::*]", LOGIN)
        definition = batch.EcsJobDefinition(
            self,
            "Definition",
            job_definition_name=f"fiblake-{self._size.name}",
            container=batch.EcsFargateContainerDefinition(
                self,
                "Container",
                image=ecs.ContainerImage.from_asset(
                    ROOT, file=f"containers/{BATCH}.Dockerfile", platform=PLATFORM
                ),
                cpu=job.cpu / _CORE,
                memory=Amount.mebibytes(job.memory_mib),
                command=["resample"],
                environment=environment(BATCH, resources),
                job_role=role,
                execution_role=starts,
                logging=ecs.LogDriver.aws_logs(stream_prefix="job", log_group=self.logs),
                assign_public_ip=network.has_public_addresses,
                fargate_platform_version=ecs.FargatePlatformVersion.VERSION1_4,
                readonly_root_filesystem=True,
                user=USER,
                volumes=[batch.EcsVolume.host(name="tmp", container_path="/tmp")],  # noqa: S108 - in the container
            ),
            retry_attempts=self._capacity.job_attempts,
            retry_strategies=_retries(),
            timeout=Duration.seconds(self._capacity.job_timeout_s),
            propagate_tags=True,
        )
        made = definition.node.default_child
        if isinstance(made, batch.CfnJobDefinition):
            # On Fargate a volume is the task's, and a place on the host cannot be named.
            made.add_property_deletion_override("ContainerProperties.Volumes.0.Host")
        return definition

    def _role(self, name: str) -> iam.Role:
        return iam.Role(self, name, assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))

    def _chain(self) -> sfn.StateMachine:
        name = f"fiblake-{self._size.name}-daily"
        said = log_group(
            self, "ChainLog", called=f"/aws/vendedlogs/states/{name}", days=self._size.log_days
        )
        parts = Parts(
            functions={
                kind: each.function_arn
                for kind, each in self.functions.items()
                if kind != "backfill"
            },
            queue=self.queue.job_queue_arn,
            definition=self.definition.job_definition_arn,
            dead_letters=self.dead_letters.queue_url,
            shares=self._capacity.shares,
        )
        machine = sfn.StateMachine(
            self,
            "Chain",
            state_machine_name=name,
            definition_body=sfn.DefinitionBody.from_string(self.to_json_string(chain(parts))),
            logs=sfn.LogOptions(
                destination=said, level=sfn.LogLevel.ALL, include_execution_data=True
            ),
            tracing_enabled=True,
        )
        self._let_work(machine, parts)
        self.dead_letters.grant_send_messages(machine)
        return machine

    def _let_work(self, machine: sfn.StateMachine, parts: Parts) -> None:
        """Let the chain invoke functions, submit jobs, and be told when these end.

        Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-batch.html
        """
        rule = self.format_arn(
            service="events",
            resource="rule",
            resource_name="StepFunctionsGetEventsForBatchJobsRule",
        )
        jobs = self.format_arn(service="batch", resource="job/*")
        for actions, resources in (
            (["lambda:InvokeFunction"], list(parts.functions.values())),
            (
                ["batch:SubmitJob"],
                [self.queue.job_queue_arn, self.definition.job_definition_arn],
            ),
            (["batch:TerminateJob"], [jobs]),
            (["batch:DescribeJobs"], ["*"]),
            (["events:PutTargets", "events:PutRule", "events:DescribeRule"], [rule]),
        ):
            machine.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=resources))
        for resource, why in (
            (jobs, "A job is known by its number alone, which nobody knows before."),
            ("*", "AWS takes no other for DescribeJobs, for the delivery of logs, and for X-Ray."),
        ):
            accept(machine, f"AwsSolutions-IAM5[Resource::{resource}]", why)

    def _tell_of_failed_jobs(self) -> None:
        events.Rule(
            self,
            "FailedJobs",
            description="Jobs that failed for good, whoever submitted them.",
            event_pattern=events.EventPattern(
                source=["aws.batch"],
                detail_type=["Batch Job State Change"],
                detail={"status": ["FAILED"], "jobQueue": [self.queue.job_queue_arn]},
            ),
            targets=[events_targets.SqsQueue(self.dead_letters)],
        )

    def _tell(self) -> None:
        for title, value, about in (
            ("Queue", self.queue.job_queue_arn, "FIBLAKE_BATCH_QUEUE"),
            ("Definition", self.definition.job_definition_arn, "FIBLAKE_BATCH_DEFINITION"),
            ("Chain", self.chain.state_machine_arn, "The daily chain"),
            ("DeadLetters", self.dead_letters.queue_url, "What failed for good"),
        ):
            CfnOutput(self, f"{title}Output", value=value, description=about)


def _retries() -> list[batch.RetryStrategy]:
    """Return when an attempt is followed by another, as `fiblake batch submit` asks for it."""
    again, give_up = batch.Action.RETRY, batch.Action.EXIT
    return [
        batch.RetryStrategy.of(again, batch.Reason.custom(on_status_reason="Host EC2*")),
        batch.RetryStrategy.of(again, batch.Reason.custom(on_status_reason="Your Spot Task*")),
        batch.RetryStrategy.of(give_up, batch.Reason.custom(on_reason="OutOfMemory*")),
        batch.RetryStrategy.of(give_up, batch.Reason.custom(on_exit_code="2")),
    ]
