"""Massive's flat files: a session's bars as one csv.gz in a bucket of S3's kind.

A file may be published again; its ETag tells. Source: https://massive.com/docs/flat-files/quickstart
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import boto3
import structlog
from botocore.config import Config

from batch_layer.landing import Answer
from batch_layer.vendors.pace import Pace
from lake.clock import SystemClock
from lake.errors import (
    NotPublishedError,
    VendorAnswerError,
    VendorError,
    VendorKeyError,
    VendorRefusedError,
    VendorUnavailableError,
    VendorUnreachableError,
)
from lake.store.s3_faults import ERRORS, NO_ANSWER, fault_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

    from lake.clock import Clock
    from lake.settings import Settings
    from lake.store.s3_faults import Fault

Done = TypeVar("Done")
Kind = Literal["day", "minute"]

_log = structlog.get_logger(__name__)
_ROOT: Final = "us_stocks_sip"
_CONNECT_S: Final = 10
_READ_S: Final = 60
_LONGEST_PAUSE_S: Final = 30.0
_CONNECTIONS: Final = 64
# Their own pace: S3 says when it is too fast.
_CALLS_PER_MINUTE: Final = 60_000.0
_FORBIDDEN: Final = 403
_WRONG_KEY: Final = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "NoCredentials",
}
_ABSENT: Final = {"NoSuchKey", "404"}
_KEY_HINT: Final = (
    "set FIBLAKE_FLATFILES_ACCESS_KEY_ID and FIBLAKE_FLATFILES_SECRET_ACCESS_KEY to those that "
    "massive.com/dashboard/keys shows for S3."
)


@dataclass(frozen=True, slots=True)
class File:
    """One flat file, as a listing tells of it.

    Attributes:
        key: Its key.
        etag: Its mark: another one after it was published again.
        modified: When it was published, UTC.
    """

    key: str
    etag: str
    modified: dt.datetime


@dataclass(frozen=True, slots=True)
class FlatFiles:
    """Asks for flat files, for any number of threads.

    Attributes:
        client: boto3's.
        bucket: Where they are.
        endpoint: At which address.
        attempts: How often one thing is asked for.
        first_pause_s: Up to how long the first pause between attempts is; the next, up to twice it.
        clock: Tells the present.
        pace: Stops all who wait.
    """

    client: S3Client = field(repr=False)
    bucket: str
    endpoint: str
    attempts: int
    first_pause_s: float
    clock: Clock = field(default_factory=SystemClock)
    pace: Pace = field(default_factory=lambda: Pace(_CALLS_PER_MINUTE), repr=False)

    @classmethod
    def of(cls, settings: Settings, *, clock: Clock | None = None) -> FlatFiles:
        """Return what asks for flat files as the settings say.

        Raises:
            VendorKeyError: If there are no keys.
        """
        secret = settings.flatfiles_secret_access_key
        key_id, secret_key = settings.flatfiles_access_key_id, secret and secret.get_secret_value()
        if not key_id or not secret_key:
            fact = "There are no keys for Massive's flat files."
            raise VendorKeyError(fact, hint=_KEY_HINT)
        once: Any = {"mode": "standard", "total_max_attempts": 1}
        config = Config(
            retries=once,
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            max_pool_connections=_CONNECTIONS,
            s3={"addressing_style": "path"},
        )
        # Keys of its own: AWS's, where the machine has some, are none of the vendor's business.
        session = boto3.Session(aws_access_key_id=key_id, aws_secret_access_key=secret_key)
        client = session.client(
            "s3",
            endpoint_url=settings.flatfiles_endpoint,
            region_name="us-east-1",
            config=config,
        )
        return cls(
            client,
            settings.flatfiles_bucket,
            settings.flatfiles_endpoint,
            settings.massive_attempts,
            settings.massive_retry_ms / 1000,
            clock or SystemClock(),
        )

    def listed(self, kind: Kind, month: dt.date) -> dict[dt.date, File]:
        """Return the files of the sessions of a month, by session.

        Raises:
            VendorError: If they cannot be listed.
        """
        prefix = f"{_ROOT}/{kind}_aggs_v1/{month:%Y/%m}/"

        def read() -> dict[dt.date, File]:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            found = [entry for page in pages for entry in page.get("Contents", [])]
            files = [File(each["Key"], each["ETag"], each["LastModified"]) for each in found]
            return {day: file for file in files if (day := _session(file.key)) is not None}

        return self._asked(read, prefix)

    def get(self, file: File) -> Answer:
        """Return a file as it is.

        Raises:
            NotPublishedError: If there is none.
            VendorError: If it cannot be had.
        """

        def read() -> Answer:
            answer = self.client.get_object(Bucket=self.bucket, Key=file.key)
            body = answer["Body"].read()
            url = f"s3://{self.bucket}/{file.key}"
            return Answer(url, self.clock.now(), body, version=answer["ETag"])

        return self._asked(read, file.key)

    def stop(self) -> None:
        """Let whoever waits to ask give up."""
        self.pace.stop()

    def _asked(self, ask: Callable[[], Done], what: str) -> Done:
        tried = 0
        while True:
            self.pace.wait()
            try:
                return ask()
            except ERRORS as error:
                fault = fault_of(error)
                tried += 1
                if not fault.passes or tried == self.attempts:
                    raise self._error(fault, what, tried) from None
                _log.info("asked again", vendor="flat files", why=fault.said, tried=tried)
            limit_s: float = min(self.first_pause_s * 2 ** (tried - 1), _LONGEST_PAUSE_S)
            self.pace.sleep(limit_s * (1 + random.random()) / 2)  # noqa: S311 - jitter is no secret

    def _error(self, fault: Fault, what: str, tried: int) -> VendorError:
        said = " ".join(fault.said.split()).rstrip(".")
        if fault.status == NO_ANSWER:
            fact = f"The flat files cannot be reached at {self.endpoint}: {said}."
            return VendorUnreachableError(fact, hint="check the network, and the endpoint.")
        fact = f"The flat files answer to {what}: {said}"
        if fault.passes:
            hint = "run the command again later; it goes on from what is done."
            return VendorUnavailableError(f"{fact} (given up after {tried} attempts).", hint=hint)
        if fault.code in _WRONG_KEY:
            fact = f"Massive's flat files refuse the keys: {said}."
            return VendorKeyError(fact, hint=_KEY_HINT)
        if fault.code in _ABSENT:
            return NotPublishedError(f"There is no flat file {what}.")
        if fault.status == _FORBIDDEN:
            return VendorRefusedError(f"{fact}.", hint="the plan may not include it.")
        return VendorAnswerError(f"{fact}.")


def _session(key: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(key.rpartition("/")[2].removesuffix(".csv.gz"))
    except ValueError:
        return None
