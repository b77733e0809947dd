"""An upload in parts, at once: none is seen before all are completed to one object.

An upload that fails or loses is aborted, since S3 keeps, and charges for, parts until then.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from lake.errors import ConflictError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

    from lake.store.s3_faults import Ask

_log = structlog.get_logger(__name__)
_AT_ONCE: Final = 4
_CHECKSUM: Final = "CRC32"


@dataclass(frozen=True, slots=True)
class PartedUpload:
    """One upload that was started and is neither completed nor aborted yet.

    Attributes:
        client: The client of S3.
        ask: Asks again while faults pass.
        place: Its bucket, key and id, as S3 names them.
    """

    client: S3Client
    ask: Ask
    place: Mapping[str, Any]

    @classmethod
    def start(cls, client: S3Client, ask: Ask, place: Mapping[str, Any]) -> PartedUpload:
        """Start an upload to a bucket and key."""
        answer = ask(lambda: client.create_multipart_upload(**place, ChecksumAlgorithm=_CHECKSUM))
        return cls(client, ask, {**place, "UploadId": answer["UploadId"]})

    def put(self, data: bytes, part_bytes: int, condition: Mapping[str, Any]) -> str:
        """Upload the data and return the object's ETag.

        Args:
            data: The object.
            part_bytes: The size of all parts but the last.
            condition: What must hold of the present object once all parts are there.
        """

        def put_part(number: int) -> CompletedPartTypeDef:
            # Cut here: not all parts need be in memory twice.
            return self._put_part(number, data[(number - 1) * part_bytes : number * part_bytes])

        parts_needed = -(-len(data) // part_bytes)
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                parts = list(pool.map(put_part, range(1, parts_needed + 1)))
            return self.ask(
                lambda: self.client.complete_multipart_upload(
                    **self.place, **condition, MultipartUpload={"Parts": parts}
                )
            )["ETag"]
        except BaseException:
            self._abort()
            raise

    def _put_part(self, number: int, piece: bytes) -> CompletedPartTypeDef:
        answer = self.ask(
            lambda: self.client.upload_part(
                **self.place, PartNumber=number, Body=piece, ChecksumAlgorithm=_CHECKSUM
            )
        )
        part: CompletedPartTypeDef = {"PartNumber": number, "ETag": answer["ETag"]}
        # S3 wants each checksum again; servers that know none answer none.
        if "ChecksumCRC32" in answer:
            part["ChecksumCRC32"] = answer["ChecksumCRC32"]
        return part

    def _abort(self) -> None:
        try:
            self.ask(lambda: self.client.abort_multipart_upload(**self.place))
        except ConflictError:
            return  # it is gone already
        except StoreError as error:
            _log.warning("parts of an upload were left behind", why=str(error), **self.place)
