"""The Flink job on the Managed Service for Apache Flink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import ArnFormat, CfnParameter, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisanalyticsv2 as analytics
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.accepting import accept
from infra.environment import FEED_KIND, LATENESS_S
from infra.granting import objects_read, stream_read, stream_written
from infra.retention import log_group

if TYPE_CHECKING:
    from aws_cdk import aws_kinesis as kinesis

    from infra.capacity import Flink
    from infra.size import Size
    from infra.storage import StorageStack

RUNTIME: Final = "FLINK-2_3"
"""The first that hands late rows to the job; see docs/flink.md."""
PROPERTIES: Final = "fiblake"
"""The group of properties that `speed_layer/flink/job.py` reads."""
PACKAGES: Final = "artefacts"
"""The prefix of packages in the lake's bucket."""
_RUN: Final = "kinesis.analytics.flink.run.options"
_CHECKPOINT_MS: Final = 60_000
_PAUSE_MS: Final = 5_000


class FlinkApplication(Construct):
    """The application, in no network of ours: it talks to Kinesis alone, signed and with TLS.

    Its package, which `fiblake flink package` writes, has the sessions of a year in it, so it is
    none of the CDK's assets: the parameter `FlinkPackage` names an object in the lake's bucket.

    Attributes:
        application: The application, which somebody starts once.
        name: Of it.
        log: What it says.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        size: Size,
        flink: Flink,
        storage: StorageStack,
        events: kinesis.Stream,
        bars: kinesis.Stream,
    ) -> None:
        super().__init__(scope, name)
        self.name = f"fiblake-{size.name}"
        self._package = CfnParameter(
            Stack.of(self),
            "FlinkPackage",
            description=f"Key of the job's package in the lake's bucket: {PACKAGES}/NAME.zip",
            allowed_pattern=rf"{PACKAGES}/[A-Za-z0-9._/-]+\.zip",
            constraint_description=f"a key as {PACKAGES}/fiblake-flink-2026-01-05.zip",
        )
        self.log = log_group(self, "Log", called=f"/fiblake/{size.name}/engine", days=size.log_days)
        stream = logs.LogStream(self, "Stream", log_group=self.log, log_stream_name="flink")
        self.role = iam.Role(
            self, "Role", assumed_by=iam.ServicePrincipal("kinesisanalytics.amazonaws.com")
        )
        self._grant(storage, events, bars)
        self.application = self._application(flink, storage, properties(events, bars))
        option = analytics.CfnApplicationCloudWatchLoggingOption(
            self,
            "Logging",
            application_name=self.name,
            cloud_watch_logging_option=(
                analytics.CfnApplicationCloudWatchLoggingOption.CloudWatchLoggingOptionProperty(
                    log_stream_arn=self._arn_of(stream)
                )
            ),
        )
        option.add_resource_dependency(self.application)

    def _application(
        self, flink: Flink, storage: StorageStack, told: dict[str, str]
    ) -> analytics.CfnApplication:
        make = analytics.CfnApplication
        groups = {
            PROPERTIES: told,
            _RUN: {"python": "job.py", "jarfile": "lib/fiblake-flink.jar"},
        }
        application = make(
            self,
            "Application",
            application_name=self.name,
            application_description="Makes live bars of events.",
            runtime_environment=RUNTIME,
            service_execution_role=self.role.role_arn,
            application_configuration=make.ApplicationConfigurationProperty(
                application_code_configuration=make.ApplicationCodeConfigurationProperty(
                    code_content_type="ZIPFILE",
                    code_content=make.CodeContentProperty(
                        s3_content_location=make.S3ContentLocationProperty(
                            bucket_arn=storage.bucket.bucket_arn,
                            file_key=self._package.value_as_string,
                        )
                    ),
                ),
                environment_properties=make.EnvironmentPropertiesProperty(
                    property_groups=[
                        make.PropertyGroupProperty(property_group_id=group, property_map=values)
                        for group, values in groups.items()
                    ]
                ),
                application_snapshot_configuration=(
                    make.ApplicationSnapshotConfigurationProperty(snapshots_enabled=True)
                ),
                flink_application_configuration=_configuration(flink),
            ),
        )
        # It is checked at once whether the role can read the package.
        application.node.add_dependency(self.role)
        return application

    def _grant(self, storage: StorageStack, events: kinesis.Stream, bars: kinesis.Stream) -> None:
        stream_read(self.role, events)
        stream_written(self.role, bars)
        objects_read(self.role, storage, PACKAGES)
        groups = self._arn("log-group", "*")
        for actions, resource in (
            (["logs:DescribeLogStreams", "logs:PutLogEvents"], self.log.log_group_arn),
            (["logs:DescribeLogGroups"], groups),
        ):
            self.role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        accept(
            self.role,
            f"AwsSolutions-IAM5[Resource::{groups}]",
            "The service lists log groups to find its own; it reads none.",
        )

    def _arn(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(
            service="logs",
            resource=resource,
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _arn_of(self, stream: logs.LogStream) -> str:
        name = f"{self.log.log_group_name}:log-stream:{stream.log_stream_name}"
        return self._arn("log-group", name)


def properties(events: kinesis.Stream, bars: kinesis.Stream) -> dict[str, str]:
    """Return the job's options, as it is told them; the publisher tells a stream's rows apart."""
    target = bars.stream_arn
    return {
        "events": events.stream_arn,
        "bars": target,
        "corrections": target,
        "rejects": target,
        "kind": FEED_KIND,
        "lateness-s": str(LATENESS_S),
    }


def _configuration(
    flink: Flink,
) -> analytics.CfnApplication.FlinkApplicationConfigurationProperty:
    make = analytics.CfnApplication
    return make.FlinkApplicationConfigurationProperty(
        checkpoint_configuration=make.CheckpointConfigurationProperty(
            configuration_type="CUSTOM",
            checkpointing_enabled=True,
            checkpoint_interval=_CHECKPOINT_MS,
            min_pause_between_checkpoints=_PAUSE_MS,
        ),
        monitoring_configuration=make.MonitoringConfigurationProperty(
            configuration_type="CUSTOM", log_level="INFO", metrics_level="OPERATOR"
        ),
        parallelism_configuration=make.ParallelismConfigurationProperty(
            configuration_type="CUSTOM",
            parallelism=flink.parallelism,
            parallelism_per_kpu=flink.per_unit,
            auto_scaling_enabled=True,
        ),
    )
