"""SNS and SQS: their clients, and what their faults mean.

Source: https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import boto3
from botocore import exceptions as boto
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

    from lake.settings import Settings

ERRORS: Final = (boto.ClientError, boto.BotoCoreError, ValueError)
_SET_UP: Final = "check FIBLAKE_SNS_REGION and the credentials, or AWS_PROFILE or the role"
_RIGHTS: Final = "grant what docs/alert-delivery.md names to this user or role"
_TOPIC: Final = "create the topic, as fiblake topics create does"
_HINTS: Final = {
    "AccessDenied": _RIGHTS,
    "AuthorizationError": _RIGHTS,
    "AuthorizationErrorException": _RIGHTS,
    "ExpiredToken": "renew the credentials",
    "ExpiredTokenException": "renew the credentials",
    "InvalidClientTokenId": "the access key is none of AWS's",
    "NotFound": _TOPIC,
    "NotFoundException": _TOPIC,
    "SignatureDoesNotMatch": "the secret key is not that of the access key",
}


def sns_of(settings: Settings, *, connections: int = 1, attempts: int = 1) -> SNSClient:
    """Return SNS as the settings say where it is, or else as AWS's tools find it.

    Args:
        settings: Where, as whom, and how long it may take.
        connections: How many may ask it at once.
        attempts: How often it is asked before it is given up on.

    Raises:
        BotoCoreError: If no region is found.
        ValueError: If what is found makes no sense.
    """
    config = _config(settings, connections, attempts)
    return _session(settings).client("sns", endpoint_url=settings.sns_endpoint, config=config)


def sqs_of(settings: Settings, *, attempts: int = 1) -> SQSClient:
    """Return SQS, which is where SNS is.

    Raises:
        BotoCoreError: If no region is found.
        ValueError: If what is found makes no sense.
    """
    config = _config(settings, 1, attempts)
    return _session(settings).client("sqs", endpoint_url=settings.sns_endpoint, config=config)


def told(error: Exception) -> str:
    """Return an error of theirs in words."""
    if not isinstance(error, boto.ClientError):
        return str(error).rstrip(".")
    said = error.response["Error"]
    return f"{said['Code']}: {said.get('Message', '')}".rstrip(": .")


def hint_of(error: Exception) -> str:
    """Return what helps against an error of theirs; empty: nothing that is known."""
    if isinstance(error, boto.ClientError):
        return _HINTS.get(error.response["Error"]["Code"], "")
    return "" if isinstance(error, (boto.ConnectionError, boto.HTTPClientError)) else _SET_UP


def _session(settings: Settings) -> boto3.Session:
    secret = settings.sns_secret_access_key
    topic = settings.sns_alerts or settings.sns_news
    return boto3.Session(
        aws_access_key_id=settings.sns_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        region_name=settings.sns_region or (topic.split(":")[3] if topic else None),
    )


def _config(settings: Settings, connections: int, attempts: int) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=settings.delivery_timeout_seconds,
        read_timeout=settings.delivery_timeout_seconds,
        max_pool_connections=connections,
    )
