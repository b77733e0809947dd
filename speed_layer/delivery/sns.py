"""The destination `sns`: envelopes published to a topic of SNS, by their kind.

Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from lake.envelope import decode_envelope
from speed_layer.delivery.aws import ERRORS, hint_of, sns_of, told
from speed_layer.delivery.outcome import DELIVERED, Outcome

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import MessageAttributeValueTypeDef

    from database.outbox import Claimed
    from lake.settings import Settings

_WORKERS: Final = 16


class SnsSender:
    """Publishes envelopes, each to the topic of its kind, with attributes to filter by.

    The attributes: `kind`; `owner`, where it is somebody's; `symbols`, where it tells of any.

    Args:
        settings: Topics, where SNS is, and how long an attempt may take.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._timeout_s = settings.delivery_timeout_seconds
        self._threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="fiblake-sns")
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
                self._client = sns_of(self._settings, connections=_WORKERS)
            async with asyncio.timeout(self._timeout_s):
                return await loop.run_in_executor(
                    self._threads, _published, self._client, topic, claimed
                )
        except TimeoutError:
            return Outcome(f"no answer from SNS within {self._timeout_s:g} s")
        except ERRORS as error:
            return Outcome(_why(error))

    async def close(self) -> None:
        """Close all connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()


def _why(error: Exception) -> str:
    hint = hint_of(error)
    return f"SNS: {told(error)}; {hint}" if hint else f"SNS: {told(error)}"


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
