"""Asking DynamoDB: bounded attempts, and errors that tell what it said."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from lake.attempts import pause
from lake.errors import ViewError, ViewRefusedError, ViewUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from lake.settings import Settings

_LONGEST_PAUSE_S: Final = 5.0
_MS: Final = 1000
_THROTTLES: Final = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TransactionConflictException",
    "LimitExceededException",
}
_HELD: Final = "ConditionalCheckFailedException"

Answer = TypeVar("Answer")


class UnfinishedError(Exception):
    """An answer broke off, or DynamoDB wants to be asked for the rest more slowly."""


def part(answer: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - of any kind
    """Return what an answer always has.

    Raises:
        UnfinishedError: If it broke off: botocore takes that for an empty one.
    """
    try:
        return answer[name]
    except KeyError:
        told = "its answer broke off."
        raise UnfinishedError(told) from None


class DynamoDBServer:
    """A client, and how often it asks; many threads may use it.

    Credentials, region and endpoint come from where AWS's tools look for them.

    Args:
        settings: How often it asks, how long it waits, and how many may ask at once.

    Raises:
        ViewRefusedError: If what they find there makes no sense.
    """

    def __init__(self, settings: Settings) -> None:
        self._attempts = settings.dynamodb_attempts
        self._first_pause_s = settings.dynamodb_retry_ms / _MS
        # Once: botocore's own pauses are not ours to set, nor does it tell of them.
        once: Any = {"mode": "standard", "total_max_attempts": 1}
        config = Config(
            retries=once,
            connect_timeout=settings.dynamodb_timeout_seconds,
            read_timeout=settings.dynamodb_timeout_seconds,
            max_pool_connections=settings.dynamodb_workers,
        )
        try:
            self.client: DynamoDBClient = boto3.Session().client("dynamodb", config=config)
        except (BotoCoreError, ValueError) as error:
            raise _refused(error) from None

    def ask(self, work: Callable[[], Answer]) -> Answer:
        """Return what some work that asks DynamoDB returns; it may be repeated.

        Raises:
            ViewUnavailableError: If DynamoDB failed or asked to slow down at every attempt.
            ViewRefusedError: If it does not let us, or has no such table.
        """
        for number in range(1, self._attempts + 1):
            try:
                return work()
            except (ClientError, BotoCoreError, UnfinishedError) as error:
                if not _is_passing(error):
                    raise _refused(error) from None
                if number == self._attempts:
                    raise self._unavailable(error) from None
            pause(number, first_s=self._first_pause_s, longest_s=_LONGEST_PAUSE_S)
        raise AssertionError

    def ask_unless_held(self, work: Callable[[], object]) -> bool:
        """Do some conditional work, and return whether its condition held.

        Where it did not at a later attempt, an earlier one may have done it, its answer lost.

        Raises:
            ViewError: As `ask` does.
        """

        def done() -> bool:
            try:
                work()
            except ClientError as error:
                if _code(error) != _HELD:
                    raise
                return False
            return True

        return self.ask(done)

    def ask_for_all(self, work: Callable[[Any], tuple[Answer, Any]], what: Any) -> list[Answer]:  # noqa: ANN401 - boto3's own arguments
        """Return the answers of some work in batches, asked again for what it leaves.

        Args:
            work: Takes what to do; returns an answer, and what it did not do.
            what: All there is to do.

        Raises:
            ViewError: As `ask` does.
        """
        answers: list[Answer] = []

        def go_on() -> None:
            nonlocal what
            answer, what = work(what)
            answers.append(answer)
            if what:
                told = "it asks to slow down."
                raise UnfinishedError(told)

        self.ask(go_on)
        return answers

    def _unavailable(self, error: Exception) -> ViewError:
        fact = f"DynamoDB failed at {self._attempts} attempts: {error}"
        return ViewUnavailableError(fact, hint="check its capacity, or try again later.")


def _is_passing(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return isinstance(error, (HTTPClientError, UnfinishedError))
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    # Of an error that broke off, botocore knows the status alone.
    is_broken = _code(error).isdigit()
    return is_broken or _code(error) in _THROTTLES or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def _refused(error: Exception) -> ViewError:
    fact = f"DynamoDB refused: {error}"
    return ViewRefusedError(fact, hint="check FIBLAKE_DYNAMODB_PREFIX and AWS's own settings.")
