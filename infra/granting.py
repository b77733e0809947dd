"""What fiblake's processes may do to what holds data: the calls that their code makes, no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam

from infra.storage import LAKE
from lake.dynamodb_tables import BARS, CONNECTIONS, TICKS

if TYPE_CHECKING:
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_secretsmanager as secretsmanager

    from infra.secrets import SecretsStack
    from infra.storage import StorageStack

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


def lake_read(who: iam.IGrantable, storage: StorageStack) -> None:
    """Let `who` read the lake."""
    _lake(who, storage, _READ)
    storage.key.grant(who, "kms:Decrypt")


def lake_written(who: iam.IGrantable, storage: StorageStack, prefix: str = LAKE) -> None:
    """Let `who` read and write the lake, or another prefix of its bucket."""
    _lake(who, storage, _WRITE, prefix)
    storage.key.grant(who, "kms:Decrypt", "kms:GenerateDataKey")


def _lake(
    who: iam.IGrantable, storage: StorageStack, actions: tuple[str, ...], prefix: str = LAKE
) -> None:
    bucket = storage.bucket
    for statement in (
        iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}},
        ),
        iam.PolicyStatement(
            actions=list(actions), resources=[bucket.arn_for_objects(f"{prefix}/*")]
        ),
    ):
        who.grant_principal.add_to_principal_policy(statement)


def view_read(who: iam.IGrantable, storage: StorageStack) -> None:
    """Let `who` read the realtime view's tables."""
    for table in (TICKS, BARS):
        storage.tables[table.name].grant(who, *_VIEW_READ)
    storage.key.grant(who, *_KEY_READ)


def view_written(who: iam.IGrantable, storage: StorageStack) -> None:
    """Let `who` read and write the realtime view's tables."""
    for table in (TICKS, BARS):
        storage.tables[table.name].grant(who, *_VIEW_WRITE)
    storage.key.grant(who, *_KEY_WRITE)


def connections_counted(who: iam.IGrantable, storage: StorageStack) -> None:
    """Let `who` keep count of streams' connections."""
    storage.tables[CONNECTIONS.name].grant(who, *_COUNT)
    storage.key.grant(who, *_KEY_WRITE)


def stream_read(who: iam.IGrantable, stream: kinesis.Stream, storage: StorageStack) -> None:
    """Let `who` read a stream."""
    stream.grant(who, *_STREAM_READ)
    storage.key.grant(who, "kms:Decrypt")


def stream_written(who: iam.IGrantable, stream: kinesis.Stream, storage: StorageStack) -> None:
    """Let `who` write to a stream."""
    stream.grant(who, *_STREAM_WRITE)
    storage.key.grant(who, "kms:GenerateDataKey")


def secret_read(
    who: iam.IGrantable, secret: secretsmanager.ISecret, secrets: SecretsStack
) -> None:
    """Let `who` read a secret, which is encrypted with the key of secrets.

    `Secret.grant_read` would have the key name who reads, which is made after it.
    """
    who.grant_principal.add_to_principal_policy(
        iam.PolicyStatement(
            actions=["secretsmanager:GetSecretValue"], resources=[secret.secret_arn]
        )
    )
    secrets.key.grant(who, "kms:Decrypt")
