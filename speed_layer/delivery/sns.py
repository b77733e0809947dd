"""The destination `sns`: envelopes published to a topic of SNS, by their kind.

Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from lake.envelope import decode_envelope
from speed_layer.delivery.outcome import DELIVERED, Outcome

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import MessageAttributeValueTypeDef

    from database.outbox import Claimed
    from lake.settings import Settings

WORKERS: Final = 16
_ERRORS: Final = (boto.ClientError, boto.BotoCoreError, ValueError)
_SET_UP: Final = "check FIBLAKE_SNS_REGION and the credentials, or AWS_PROFILE or the role"
_HINTS: Final = {
    "AuthorizationError": "grant sns:Publish on the topic to this user or role",
    "AuthorizationErrorException": "grant sns:Publish on the topic to this user or role",
    "ExpiredToken": "renew the credentials",
    "ExpiredTokenException": "renew the credentials",
    "InvalidClientTokenId": "the access key is none of AWS's",
    "NotFound": "create the topic, as fiblake topics create does",
    "NotFoundException": "create the topic, as fiblake topics create does",
    "SignatureDoesNotMatch": "the secret key is not that of the access key",
}


class SnsSender:
    """Publishes envelopes, each to the topic of its kind, with attributes to filter by.

    The attributes: `kind`; `owner`, where it is somebody's; `symbols`, where it tells of any.

    Args:
        settings: Topics, where SNS is, and how long an attempt may take.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._timeout_s = settings.delivery_timeout_seconds
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="fiblake-sns")
        self._client: SNSClient | None = None

    async def send(self, claimed: Claimed) -> Outcome:
        """Publish an envelope once."""
        is_news = claimed.kind == "news"
        topic = self._settings.sns_news if is_news else self._settings.sns_alerts
        if topic is None:
            return Outcome(f"FIBLAKE_SNS_{'NEWS' if is_news else 'ALERTS'} names no topic")
        loop = asyncio.get_running_loop()
        try:
            if self._client is None:
                self._client = client_of(self._settings, "sns", WORKERS)
            async with asyncio.timeout(self._timeout_s):
                return await loop.run_in_executor(
                    self._threads, _published, self._client, topic, claimed
                )
        except TimeoutError:
            return Outcome(f"no answer from SNS within {self._timeout_s:g} s")
        except _ERRORS as error:
            return Outcome(told(error))

    async def close(self) -> None:
        """Close all connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()


def client_of(settings: Settings, service: Any, connections: int = 1) -> Any:  # noqa: ANN401 - boto3's overloads go by literals
    """Return boto3's client of SNS or SQS as the settings say, or else as AWS's tools find it.

    Raises:
        BotoCoreError: If they find no region.
        ValueError: If what they find makes no sense.
    """
    secret = settings.sns_secret_access_key
    topic = settings.sns_alerts or settings.sns_news
    session = boto3.Session(
        aws_access_key_id=settings.sns_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        region_name=settings.sns_region or (topic.split(":")[3] if topic else None),
    )
    return session.client(
        service,
        endpoint_url=settings.sns_endpoint,
        config=Config(
            # Once: the outbox tries again.
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=settings.delivery_timeout_seconds,
            read_timeout=settings.delivery_timeout_seconds,
            max_pool_connections=connections,
        ),
    )


def told(error: Exception) -> str:
    """Return an error of AWS's in words, with what helps."""
    if not isinstance(error, boto.ClientError):
        return f"SNS: {error}; {_SET_UP}" if _is_set_up(error) else f"SNS: {error}"
    code = error.response["Error"]["Code"]
    said = f"SNS: {code}: {error.response['Error'].get('Message', '')}".rstrip(". ")
    return f"{said}; {_HINTS[code]}" if code in _HINTS else said


def _is_set_up(error: Exception) -> bool:
    return not isinstance(error, (boto.ConnectionError, boto.HTTPClientError))


def _published(client: SNSClient, topic: str, claimed: Claimed) -> Outcome:
    client.publish(TopicArn=topic, Message=claimed.body, MessageAttributes=_attributes(claimed))
    return DELIVERED


def _attributes(claimed: Claimed) -> dict[str, MessageAttributeValueTypeDef]:
    attributes: dict[str, MessageAttributeValueTypeDef] = {
        "kind": {"DataType": "String", "StringValue": claimed.kind}
    }
    # SNS takes no attribute that is empty.
    if claimed.owner:
        attributes["owner"] = {"DataType": "String", "StringValue": claimed.owner}
    symbols = decode_envelope(claimed.body).symbols
    if symbols:
        listed = json.dumps(symbols)
        attributes["symbols"] = {"DataType": "String.Array", "StringValue": listed}
    return attributes
