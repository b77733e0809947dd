"""What fiblake's processes may do to what holds data: the calls that their code makes, no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam

from infra.accepting import accept
from infra.hive import LAKE
from lake.dynamodb_tables import BARS, CONNECTIONS, TICKS

if TYPE_CHECKING:
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_secretsmanager as secretsmanager

    from infra.messaging import MessagingStack
    from infra.secrets import SecretsStack
    from infra.storage import StorageStack
    from lake.dynamodb_tables import TableKeys

_READ: Final = ("s3:GetObject",)
_WRITE: Final = ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload")
_VIEW_READ: Final = ("dynamodb:Query", "dynamodb:Scan", "dynamodb:BatchGetItem")
_VIEW_WRITE: Final = (*_VIEW_READ, "dynamodb:PutItem", "dynamodb:BatchWriteItem")
_COUNT: Final = (
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:PutItem",
    "dynamodb:DeleteItem",
)
_KEY_READ: Final = ("kms:Decrypt", "kms:DescribeKey")
_KEY_WRITE: Final = (
    *_KEY_READ,
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
"""DynamoDB asks for them in the name of whoever asks it."""
_STREAM_READ: Final = (
    "kinesis:DescribeStreamSummary",
    "kinesis:ListShards",
    "kinesis:GetShardIterator",
    "kinesis:GetRecords",
)
_STREAM_WRITE: Final = ("kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:PutRecords")


def lake_read(who: iam.Role, storage: StorageStack) -> None:
    """Let `who` read the lake."""
    _lake(who, storage, _READ)
    storage.key.grant(who, "kms:Decrypt")


def lake_written(who: iam.Role, storage: StorageStack, prefix: str = LAKE) -> None:
    """Let `who` read and write the lake, or another prefix of its bucket."""
    _lake(who, storage, _WRITE, prefix)
    storage.key.grant(who, "kms:Decrypt", "kms:GenerateDataKey")


def objects_deleted(who: iam.Role, storage: StorageStack, prefix: str) -> None:
    """Let `who` delete objects below a prefix of the lake's bucket."""
    who.add_to_policy(
        iam.PolicyStatement(
            actions=["s3:DeleteObject"], resources=[storage.bucket.arn_for_objects(f"{prefix}/*")]
        )
    )


def objects_read(who: iam.Role, storage: StorageStack, prefix: str) -> None:
    """Let `who` read objects below a prefix of the lake's bucket, whose names it knows."""
    _objects(who, storage, ("s3:GetObject", "s3:GetObjectVersion"), prefix)
    storage.key.grant(who, "kms:Decrypt")


def _lake(
    who: iam.Role, storage: StorageStack, actions: tuple[str, ...], prefix: str = LAKE
) -> None:
    # Of all of the bucket: where a prefix is asked for, S3 says "denied" of what is not there.
    who.add_to_policy(
        iam.PolicyStatement(actions=["s3:ListBucket"], resources=[storage.bucket.bucket_arn])
    )
    _objects(who, storage, actions, prefix)


def _objects(who: iam.Role, storage: StorageStack, actions: tuple[str, ...], prefix: str) -> None:
    bucket = storage.bucket
    who.add_to_policy(
        iam.PolicyStatement(
            actions=list(actions), resources=[bucket.arn_for_objects(f"{prefix}/*")]
        )
    )
    # cdk-nag knows the bucket of another stack by the name that this exports it by.
    exported = storage.resolve(storage.export_value(bucket.bucket_arn))["Fn::ImportValue"]
    accept(
        who,
        f"AwsSolutions-IAM5[Resource::{exported}/{prefix}/*]",
        "Objects come to be under many names; no other prefix of the bucket is open.",
    )


def view_read(who: iam.Role, storage: StorageStack) -> None:
    """Let `who` read the realtime view's tables."""
    for table in (TICKS, BARS):
        _table(who, storage, table, _VIEW_READ)
    storage.key.grant(who, *_KEY_READ)


def view_written(who: iam.Role, storage: StorageStack) -> None:
    """Let `who` read and write the realtime view's tables."""
    for table in (TICKS, BARS):
        _table(who, storage, table, _VIEW_WRITE)
    storage.key.grant(who, *_KEY_WRITE)


def connections_counted(who: iam.Role, storage: StorageStack) -> None:
    """Let `who` keep count of streams' connections."""
    _table(who, storage, CONNECTIONS, _COUNT)
    storage.key.grant(who, *_KEY_WRITE)


def _table(who: iam.Role, storage: StorageStack, told: TableKeys, actions: tuple[str, ...]) -> None:
    """Let `who` do this to a table and to those of its indexes that there are."""
    arn = storage.tables[told.name].table_arn
    indexes = [f"{arn}/index/{index.name}" for index in told.indexes]
    who.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[arn, *indexes]))


def topics_told(who: iam.Role, messaging: MessagingStack) -> None:
    """Let `who` publish alerts and news."""
    topics = [messaging.alerts.topic_arn, messaging.news.topic_arn]
    who.add_to_policy(iam.PolicyStatement(actions=["sns:Publish"], resources=topics))
    messaging.key.grant(who, "kms:Decrypt", "kms:GenerateDataKey")


def stream_read(who: iam.Role, stream: kinesis.Stream) -> None:
    """Let `who` read a stream."""
    stream.grant(who, *_STREAM_READ)


def stream_written(who: iam.Role, stream: kinesis.Stream) -> None:
    """Let `who` write to a stream."""
    stream.grant(who, *_STREAM_WRITE)


def secret_read(who: iam.Role, secret: secretsmanager.ISecret, secrets: SecretsStack) -> None:
    """Let `who` read a secret, which is encrypted with the key of secrets.

    `Secret.grant_read` would have the key name who reads, which is made after it.
    """
    who.add_to_policy(
        iam.PolicyStatement(
            actions=["secretsmanager:GetSecretValue"], resources=[secret.secret_arn]
        )
    )
    secrets.key.grant(who, "kms:Decrypt")
