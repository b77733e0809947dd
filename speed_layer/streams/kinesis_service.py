"""Kinesis itself: its client, what its faults mean, and how long it is asked again.

Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TypeVar

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from lake.attempts import pause
from lake.errors import StreamError, StreamUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_kinesis import KinesisClient

    from lake.settings import Settings

Answer = TypeVar("Answer")

ERRORS: Final = (boto.ClientError, boto.BotoCoreError)
LONGEST_PAUSE_S: Final = 5.0
_CONNECT_S: Final = 5
_READ_S: Final = 30
_CONNECTIONS: Final = 16
_BROKEN: Final = (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError)
_SERVER_FAILED: Final = 500
_PASSING: Final = {
    "InternalFailure",
    "InternalFailureException",
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
}
_SET_UP: Final = "check FIBLAKE_KINESIS_REGION and the credentials, or AWS_PROFILE or the role."
_HINTS: Final = {
    "AccessDeniedException": "grant the permissions of Kinesis to this user or role.",
    "ExpiredTokenException": "renew the credentials.",
    "ResourceNotFoundException": "create the stream, or check FIBLAKE_KINESIS_EVENTS and _BARS.",
}


@dataclass(frozen=True, slots=True)
class Service:
    """Kinesis, asked again while its faults pass.

    Attributes:
        client: boto3's, which itself asks once.
        attempts: How often Kinesis is asked in all.
        retry_ms: Up to how long the first pause is; the next is up to twice that, and so on.
    """

    client: KinesisClient
    attempts: int = 8
    retry_ms: int = 100

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return Kinesis as the settings say where it is, or else as AWS's tools find it.

        Raises:
            StreamError: If they find no region.
        """
        secret = settings.kinesis_secret_access_key
        try:
            session = boto3.Session(
                aws_access_key_id=settings.kinesis_access_key_id,
                aws_secret_access_key=secret.get_secret_value() if secret else None,
                region_name=settings.kinesis_region,
            )
            client = session.client(
                "kinesis",
                endpoint_url=settings.kinesis_endpoint,
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": 1},
                    connect_timeout=_CONNECT_S,
                    read_timeout=_READ_S,
                    max_pool_connections=_CONNECTIONS,
                ),
            )
        except (boto.BotoCoreError, ValueError) as error:
            fact = f"Could not reach Kinesis: {_one_line(error)}"
            raise StreamError(fact, hint=_SET_UP) from error
        return cls(client, settings.kinesis_attempts, settings.kinesis_retry_ms)

    def ask(self, what: str, request: Callable[[], Answer], *, but: tuple[str, ...] = ()) -> Answer:
        """Return the answer to a request, which may be done more than once.

        Args:
            what: What is to be done, as `read fiblake-bars`.
            request: What asks Kinesis.
            but: Codes of errors that are the caller's own affair, and raised as they are.

        Raises:
            StreamUnavailableError: If it did not answer, or asked to slow down, at every attempt.
            StreamError: If it refuses.
        """
        tried = 0
        while True:
            try:
                return request()
            except ERRORS as error:
                if code_of(error) in but:
                    raise
                tried += 1
                if not passes(error) or tried == self.attempts:
                    raise error_of(error, what, tried=tried) from error
            self.pause(tried)

    def pause(self, number: int) -> None:
        """Sleep before repetition `number`, from 1."""
        pause(number, first_s=self.retry_ms / 1000, longest_s=LONGEST_PAUSE_S)

    def close(self) -> None:
        """Close the client's connections."""
        self.client.close()


def arn_of(settings: Settings, name: str) -> str:
    """Return the ARN of a stream, by which Flink asks for it.

    Raises:
        StreamError: If there is no such stream, or it cannot be asked for.
    """
    with closing(Service.of(settings)) as service:
        told = service.ask(
            f"look for {name}",
            lambda: service.client.describe_stream_summary(StreamName=name),
        )
    return told["StreamDescriptionSummary"]["StreamARN"]


def code_of(error: Exception) -> str:
    """Return Kinesis' own name of an error; empty where it is none of its."""
    return error.response["Error"]["Code"] if isinstance(error, boto.ClientError) else ""


def passes(error: Exception) -> bool:
    """Return whether it may be gone when Kinesis is asked again."""
    if isinstance(error, boto.ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status >= _SERVER_FAILED or is_passing(code_of(error))
    return isinstance(error, _BROKEN)


def is_passing(code: str) -> bool:
    """Return whether an error of this code may be gone when Kinesis is asked again."""
    return code in _PASSING


def error_of(error: Exception, what: str, *, tried: int) -> StreamError:
    """Return an error as one of ours: what was to be done, and what helps."""
    fact = f"Could not {what}: {_one_line(error)}"
    if passes(error):
        fact = f"{fact.rstrip('.')} (given up after {tried} attempts)."
        return StreamUnavailableError(fact, hint="try again later.")
    return StreamError(fact, hint=_HINTS.get(code_of(error), _SET_UP))


def _one_line(error: Exception) -> str:
    said = str(error)
    if isinstance(error, boto.ClientError):
        said = f"{code_of(error)}: {error.response['Error'].get('Message', '')}"
    return f"{' '.join(said.split()).rstrip('.')}."
