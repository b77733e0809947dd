"""What holds the data: the lake's bucket, tables of DynamoDB, streams, and the lake as SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from infra.accepting import accept
from infra.catalogue import Catalogue
from infra.hive import LAKE
from infra.retention import removal
from lake import keys
from lake.dynamodb_tables import TABLES, TTL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct

    from infra.size import Size
    from lake.dynamodb_tables import Key, TableKeys

_SLOW_DAYS: Final = 30
_COLD_DAYS: Final = 90
_KINDS: Final = {"S": dynamodb.AttributeType.STRING, "N": dynamodb.AttributeType.NUMBER}
_PROJECTIONS: Final = {
    "ALL": dynamodb.ProjectionType.ALL,
    "KEYS_ONLY": dynamodb.ProjectionType.KEYS_ONLY,
}


class StorageStack(Stack):
    """What holds the data.

    Attributes:
        key: That the lake and the tables are encrypted with.
        logs: The bucket that notes of access go to: the lake's, the balancer's, CloudFront's.
        bucket: The lake's.
        lake: The lake's location, for `FIBLAKE_LAKE`.
        tables: Of DynamoDB, by their names in `lake.dynamodb_tables`.
        dynamodb_prefix: How their names begin, for `FIBLAKE_DYNAMODB_PREFIX`.
        events: The stream of events; none where all is one process.
        bars: The stream of bars, likewise.
        catalogue: The lake as tables of SQL.
    """

    def __init__(self, scope: Construct, name: str, *, size: Size, **props: Any) -> None:  # noqa: ANN401 - the CDK's
        super().__init__(scope, name, **props)
        self._size = size
        self._removal = removal(size)
        self.key = kms.Key(
            self,
            "Key",
            description=f"What fiblake {size.name} stores",
            enable_key_rotation=True,
            removal_policy=self._removal,
        )
        self.logs = self._logs_bucket()
        self.bucket = self._lake_bucket()
        self.lake = f"s3://{self.bucket.bucket_name}/{LAKE}"
        self.dynamodb_prefix = f"fiblake-{size.name}-"
        self.tables: Mapping[str, dynamodb.Table] = {
            each.name: self._table(each) for each in TABLES
        }
        self.events = self._stream("Events", "events", size.event_shards)
        self.bars = self._stream("Bars", "bars", size.bar_shards)
        self.catalogue = Catalogue(self, "Catalogue", size=size, bucket=self.bucket, key=self.key)
        CfnOutput(self, "LakeLocation", value=self.lake, description="FIBLAKE_LAKE")
        CfnOutput(
            self,
            "DynamoDBPrefix",
            value=self.dynamodb_prefix,
            description="FIBLAKE_DYNAMODB_PREFIX",
        )

    def _logs_bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Logs",
            # Balancers can write their logs to no bucket with a key of KMS.
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(self._size.log_days))],
            removal_policy=self._removal,
        )
        accept(bucket, "AwsSolutions-S1", "To note access to the notes would never end.")
        return bucket

    def _lake_bucket(self) -> s3.Bucket:
        return s3.Bucket(
            self,
            "Lake",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            server_access_logs_bucket=self.logs,
            server_access_logs_prefix="lake/",
            lifecycle_rules=self._lifecycle(),
            removal_policy=self._removal,
        )

    def _lifecycle(self) -> list[s3.LifecycleRule]:
        return [
            s3.LifecycleRule(
                id="superseded",
                abort_incomplete_multipart_upload_after=Duration.days(7),
                noncurrent_version_expiration=Duration.days(self._size.superseded_days),
                expired_object_delete_marker=True,
            ),
            s3.LifecycleRule(
                id="landing",
                # Read again where the lake is made anew from it; S3 leaves those below 128 KiB.
                prefix=f"{LAKE}/{keys.LANDING}",
                transitions=[
                    s3.Transition(
                        storage_class=s3.StorageClass.INFREQUENT_ACCESS,
                        transition_after=Duration.days(_SLOW_DAYS),
                    ),
                    s3.Transition(
                        storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
                        transition_after=Duration.days(_COLD_DAYS),
                    ),
                ],
            ),
            s3.LifecycleRule(
                id="athena", prefix=f"{Catalogue.RESULTS}/", expiration=Duration.days(7)
            ),
        ]

    def _table(self, told: TableKeys) -> dynamodb.Table:
        first, second = (_attribute(key) for key in told.keys)
        table = dynamodb.Table(
            self,
            f"Table-{told.name}",
            table_name=told.under(self.dynamodb_prefix),
            partition_key=first,
            sort_key=second,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            time_to_live_attribute=TTL,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self._size.keeps_data,
            removal_policy=self._removal,
        )
        for index in told.indexes:
            hashed, *ordered = (_attribute(key) for key in index.keys)
            table.add_global_secondary_index(
                index_name=index.name,
                partition_key=hashed,
                sort_key=ordered[0] if ordered else None,
                projection_type=_PROJECTIONS[index.projection],
            )
        return table

    def _stream(self, name: str, end: str, shards: int) -> kinesis.Stream | None:
        """Return a stream of so many shards: provisioned, for what a market tells a day is known.

        On demand would cost the same at 16 shards, and hold up a market's first minutes: it has
        room for twice the busiest minute of the month before, and begins with 4,000 records a
        second.
        """
        if not self._size.is_whole:
            return None
        stream = kinesis.Stream(
            self,
            name,
            stream_name=f"fiblake-{self._size.name}-{end}",
            stream_mode=kinesis.StreamMode.PROVISIONED,
            shard_count=shards,
            retention_period=Duration.hours(self._size.stream_hours),
            # With AWS's key: one of ours is paid for by the request, and records pass in hours.
            encryption=kinesis.StreamEncryption.MANAGED,
            removal_policy=self._removal,
        )
        told = f"FIBLAKE_KINESIS_{end.upper()}"
        CfnOutput(self, f"{name}Stream", value=stream.stream_name, description=told)
        return stream


def _attribute(key: Key) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=key.name, type=_KINDS[key.kind])
