"""The object store over S3, or a server that honours If-Match and If-None-Match as S3 does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from lake.errors import ConflictError, ObjectNotFoundError, UnavailableError
from lake.rest import Rest
from lake.store.protocol import Stored
from lake.store.s3_faults import WITHOUT_CREDENTIALS, Answer, Ask, fault_of
from lake.store.s3_parts import PartedUpload

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import ReadOnlyCredentials
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef

    from lake.settings import Settings

# Eight writers of four parts each, and those who read meanwhile.
_CONNECTIONS: Final = 48
_MIB: Final = 1024 * 1024


class S3Store:
    """Objects below a prefix of a bucket, which must exist.

    Credentials and region come from the settings or else from where AWS's tools look for them.

    Raises:
        CredentialsError: If there is such a place, and they cannot be had from it.
    """

    def __init__(
        self, bucket: str, prefix: str, settings: Settings, *, rests: bool = False
    ) -> None:
        self._rest = Rest(UnavailableError) if rests else None
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._settings = settings
        secret = settings.s3_secret_access_key
        self._session = boto3.Session(
            aws_access_key_id=settings.s3_access_key_id,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            region_name=settings.s3_region,
        )
        # Once: botocore does not ask again where an answer breaks off. `Ask` does, and for all.
        once: Any = {"mode": "standard", "total_max_attempts": 1}
        config = Config(
            retries=once,
            connect_timeout=self.timeout_s,
            read_timeout=self.timeout_s,
            max_pool_connections=_CONNECTIONS,
        )
        self._client: S3Client = self._with_credentials(
            lambda: self._session.client("s3", endpoint_url=self.endpoint, config=config)
        )

    @property
    def location(self) -> str:
        """The bucket and prefix, as a URI."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def endpoint(self) -> str | None:
        """The URL of a server that is not AWS's."""
        return self._settings.s3_endpoint

    @property
    def region(self) -> str | None:
        """The region in force."""
        return self._session.region_name

    @property
    def credentials(self) -> ReadOnlyCredentials | None:
        """The credentials in force at this moment, renewed where need be; None: there are none.

        Raises:
            CredentialsError: If they cannot be had.
        """
        found = self._with_credentials(self._session.get_credentials)
        return self._with_credentials(found.get_frozen_credentials) if found else None

    @property
    def retry_ms(self) -> int:
        """Up to how many milliseconds pass before S3 is asked again."""
        return self._settings.s3_retry_ms

    @property
    def timeout_s(self) -> float:
        """For how many seconds S3 may be silent before that counts as a break."""
        return self._settings.s3_timeout_seconds

    def uri(self, key: str) -> str:
        """Return the object's `s3://` URI."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def ask(self, verb: str, what: str) -> Ask:
        """Return what asks S3 for something as often as the settings say."""
        attempts = self._settings.s3_attempts
        return Ask(verb, what, self.location, attempts, self.retry_ms, self._rest)

    def get(self, key: str) -> Stored:
        """Return the object's bytes and its ETag."""

        def read() -> Stored:
            answer = self._client.get_object(**self._at(key))
            return Stored(answer["Body"].read(), answer["ETag"])

        return self.ask("read", key)(read)

    def fingerprint(self, key: str) -> str | None:
        """Return the object's ETag, or None where there is no object."""
        try:
            return self.ask("read", key)(lambda: self._client.head_object(**self._at(key)))["ETag"]
        except ObjectNotFoundError:
            return None

    def fingerprints(self, prefix: str) -> dict[str, str]:
        """Return the ETags of all objects whose key starts with `prefix`, by key."""
        return {key: entry["ETag"] for key, entry in self._listed(prefix).items()}

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the sizes of all objects whose key starts with `prefix`, by key."""
        return {key: entry["Size"] for key, entry in self._listed(prefix).items()}

    def _listed(self, prefix: str) -> dict[str, ObjectTypeDef]:
        def read() -> dict[str, ObjectTypeDef]:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            return {
                entry["Key"].removeprefix(self._prefix): entry
                for page in pages
                for entry in page.get("Contents", [])
            }

        return self.ask("list", prefix or "all")(read)

    def put(self, key: str, data: bytes) -> str:
        """Create or replace the object."""
        return self._put(key, data, {})

    def put_if(self, key: str, data: bytes, fingerprint: str | None) -> str:
        """Replace the object only if its ETag is still `fingerprint`; None: only create it."""
        condition = {"IfNoneMatch": "*"} if fingerprint is None else {"IfMatch": fingerprint}
        try:
            return self._put(key, data, condition)
        except ObjectNotFoundError as error:
            fact = f"{key} in {self.location} was removed by someone else."
            raise ConflictError(fact, hint="run the command again.") from error

    def delete(self, key: str) -> None:
        """Remove the object; where there is none, nothing happens."""
        self.ask("remove", key)(lambda: self._client.delete_object(**self._at(key)))

    def _put(self, key: str, data: bytes, condition: dict[str, Any]) -> str:
        place, ask = self._at(key), self.ask("write", key)
        part_bytes = self._settings.s3_part_mib * _MIB
        if len(data) > part_bytes:
            return PartedUpload.start(self._client, ask, place).put(data, part_bytes, condition)
        return ask(lambda: self._client.put_object(**place, **condition, Body=data))["ETag"]

    def _with_credentials(self, find: Callable[[], Answer]) -> Answer:
        try:
            return find()
        except WITHOUT_CREDENTIALS as error:
            raise fault_of(error).error(self.ask("find", "the credentials"), tried=1) from error

    def _at(self, key: str) -> Any:  # noqa: ANN401 - boto3's own arguments
        return {"Bucket": self._bucket, "Key": self._prefix + key}
