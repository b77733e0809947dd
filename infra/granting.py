"""What fiblake's processes may do to what holds data: the calls that their code makes, no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam

from infra.accepting import accept
from infra.hive import LAKE
from lake.dynamodb_tables import CONNECTIONS

if TYPE_CHECKING:
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_secretsmanager as secretsmanager

    from infra.messaging import MessagingStack
    from infra.secrets import SecretsStack
    from infra.storage import StorageStack

BACKUPS: Final = "backups"
"""The prefix of backups in the lake's bucket."""
_READ: Final = ("s3:GetObject",)
_WRITE: Final = ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload")
_COUNT: Final = (
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:PutItem",
    "dynamodb:DeleteItem",
)
_KEY_WRITE: Final = (
    "kms:Decrypt",
    "kms:DescribeKey",
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


def lake_read(who: iam.Role, storage: StorageStack, prefix: str = LAKE) -> None:
    """Let `who` read the lake, or another prefix of its bucket."""
    _lake(who, storage, _READ, prefix)
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
    who.add_to_policy(
        iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[storage.bucket.bucket_arn],
            # Whoever asks for an object that is not there asks without a prefix, and is told
            # that it is missing only if this lets it list; else that it may not read it.
            conditions={"StringLikeIfExists": {"s3:prefix": [prefix, f"{prefix}/*"]}},
        )
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


def connections_counted(who: iam.Role, storage: StorageStack) -> None:
    """Let `who` keep count of streams' connections."""
    arn = storage.tables[CONNECTIONS.name].table_arn
    indexes = [f"{arn}/index/{index.name}" for index in CONNECTIONS.indexes]
    who.add_to_policy(iam.PolicyStatement(actions=list(_COUNT), resources=[arn, *indexes]))
    storage.key.grant(who, *_KEY_WRITE)


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
