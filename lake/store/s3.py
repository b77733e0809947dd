"""The object store over S3, or a server that honours If-Match and If-None-Match as S3 does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lake.errors import ConflictError, ObjectNotFoundError, StoreError
from lake.store.protocol import Stored

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials
    from types_boto3_s3 import S3Client

    from lake.settings import Settings

_LOST = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_ABSENT = {"NoSuchKey", "404"}


class S3Store:
    """Objects below a prefix of a bucket, which must exist.

    Credentials and region come from the settings or else from where AWS's tools look for them.
    """

    def __init__(self, bucket: str, prefix: str, settings: Settings) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self.endpoint = settings.s3_endpoint
        secret = settings.s3_secret_access_key
        self._session = boto3.Session(
            aws_access_key_id=settings.s3_access_key_id,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            region_name=settings.s3_region,
        )
        retries: Any = {"mode": "standard", "total_max_attempts": 5}
        self._client: S3Client = self._session.client(
            "s3", endpoint_url=self.endpoint, config=Config(retries=retries)
        )

    @property
    def location(self) -> str:
        """The bucket and prefix, as a URI."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def region(self) -> str | None:
        """The region in force."""
        return self._session.region_name

    @property
    def credentials(self) -> ReadOnlyCredentials | None:
        """The credentials in force at this moment; None where there are none."""
        found = self._session.get_credentials()
        return found.get_frozen_credentials() if found else None

    def uri(self, key: str) -> str:
        """Return the object's `s3://` URI."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def get(self, key: str) -> Stored:
        """Return the object's bytes and its ETag."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            return Stored(answer["Body"].read(), answer["ETag"])
        except (ClientError, BotoCoreError) as error:
            raise self._failed(key, error) from error

    def fingerprint(self, key: str) -> str | None:
        """Return the object's ETag, or None where there is no object."""
        try:
            return self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)["ETag"]
        except (ClientError, BotoCoreError) as error:
            failure = self._failed(key, error)
            if isinstance(failure, ObjectNotFoundError):
                return None
            raise failure from error

    def fingerprints(self, prefix: str) -> dict[str, str]:
        """Return the ETags of all objects whose key starts with `prefix`, by key."""
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            return {
                entry["Key"].removeprefix(self._prefix): entry["ETag"]
                for page in pages
                for entry in page.get("Contents", [])
            }
        except (ClientError, BotoCoreError) as error:
            raise self._failed(prefix, error) from error

    def put(self, key: str, data: bytes) -> str:
        """Create or replace the object."""
        return self._put(key, data)

    def put_if(self, key: str, data: bytes, fingerprint: str | None) -> str:
        """Replace the object only if its ETag is still `fingerprint`; None: only create it."""
        if fingerprint is None:
            return self._put(key, data, IfNoneMatch="*")
        return self._put(key, data, IfMatch=fingerprint)

    def _put(self, key: str, data: bytes, **condition: Any) -> str:  # noqa: ANN401 - boto3's own
        try:
            answer = self._client.put_object(
                Bucket=self._bucket, Key=self._prefix + key, Body=data, **condition
            )
            return answer["ETag"]
        except (ClientError, BotoCoreError) as error:
            failure = self._failed(key, error)
            if condition and isinstance(failure, ObjectNotFoundError):
                raise self._lost(key) from error
            raise failure from error

    def _failed(self, key: str, error: ClientError | BotoCoreError) -> StoreError:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        if code in _LOST:
            return self._lost(key)
        if code in _ABSENT:
            return ObjectNotFoundError(f"There is no {key} in {self.location}.")
        fact = f"{self.location} failed on {key}: {error}."
        return StoreError(fact, hint="check the bucket, the endpoint and the credentials.")

    def _lost(self, key: str) -> ConflictError:
        fact = f"{key} in {self.location} was changed by someone else."
        return ConflictError(fact, hint="run the command again.")
