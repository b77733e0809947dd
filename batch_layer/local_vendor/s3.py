"""Enough of S3, path style, to read the flat files: listings, HEAD, GET of a whole or a range.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and API_GetObject.
"""

from __future__ import annotations

import base64
import binascii
import re
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from batch_layer.local_vendor.errors import RefusedError
from batch_layer.local_vendor.flat_files import BUCKET, KINDS, key_of, parse_key
from batch_layer.local_vendor.messages import Reply
from batch_layer.local_vendor.signature import access_key_id, is_signed

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from batch_layer.local_vendor.access import Access
    from batch_layer.local_vendor.flat_files import FlatFiles
    from batch_layer.local_vendor.messages import Request

_XML: Final = "application/xml"
_MOST_KEYS: Final = 1000
_MOST_MINUTE_FILES: Final = 20
"""In one page of a listing: each is made to tell its size. S3 too may list fewer than asked for."""
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


class Bucket:
    """The bucket of flat files.

    Args:
        files: What is in it.
        sessions: Returns the sessions that are published, in order.
        access: Which key may read it.
    """

    def __init__(
        self, files: FlatFiles, sessions: Callable[[], Sequence[dt.date]], access: Access
    ) -> None:
        self._files = files
        self._sessions = sessions
        self._access = access

    def answer(self, request: Request) -> Reply:
        """Return what a request of S3's asks for.

        Raises:
            RefusedError: If it may not, or asks for what is not there.
        """
        self._check(request)
        if request.method not in {"GET", "HEAD"}:
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "AccessDenied", "The flat files are read only."
            )
        bucket, _, key = unquote(request.path).removeprefix("/").partition("/")
        if bucket != BUCKET:
            text = "The specified bucket does not exist"
            raise RefusedError(HTTPStatus.NOT_FOUND, "NoSuchBucket", text)
        if key:
            return self._object(request, key)
        if request.method == "HEAD":
            return Reply(b"", kind=_XML)
        if request.query.get("list-type") != "2":
            text = "Only ListObjectsV2 is spoken here."
            raise RefusedError(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", text)
        return self._listing(request)

    def _check(self, request: Request) -> None:
        shown = access_key_id(request)
        if shown is None:
            raise RefusedError(HTTPStatus.FORBIDDEN, "AccessDenied", "Access Denied")
        if shown != self._access.access_key_id:
            text = "The AWS Access Key Id you provided does not exist in our records."
            raise RefusedError(HTTPStatus.FORBIDDEN, "InvalidAccessKeyId", text)
        if not is_signed(request, self._access.secret_access_key):
            text = "The request signature we calculated does not match the signature you provided."
            raise RefusedError(HTTPStatus.FORBIDDEN, "SignatureDoesNotMatch", text)

    def _object(self, request: Request, key: str) -> Reply:
        found = parse_key(key)
        if found is None or found[1] not in self._sessions():
            text = "The specified key does not exist."
            raise RefusedError(HTTPStatus.NOT_FOUND, "NoSuchKey", text)
        body, told = self._files.body(*found), self._files.told(*found)
        headers = {
            "ETag": told.etag,
            "Last-Modified": format_datetime(told.modified, usegmt=True),
            "Accept-Ranges": "bytes",
        }
        condition = request.headers.get("if-match")
        if condition is not None and condition.strip('"') != told.etag.strip('"'):
            text = "At least one of the pre-conditions you specified did not hold"
            raise RefusedError(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed", text)
        span = _span(request.headers.get("range"), len(body))
        if span is None:
            return Reply(body, kind="application/gzip", headers=headers)
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{len(body)}"
        part = body[span.start : span.stop]
        return Reply(part, HTTPStatus.PARTIAL_CONTENT, "application/gzip", headers)

    def _listing(self, request: Request) -> Reply:
        prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
        token = request.query.get("continuation-token")
        after = _decoded(token) if token else request.query.get("start-after", "")
        most = min(int(request.query.get("max-keys") or _MOST_KEYS), _MOST_KEYS)
        listed, is_cut = self._page(prefix, delimiter, after, most)
        escaped = _escaped(request.query.get("encoding-type") == "url")
        parts = [
            f"<Name>{BUCKET}</Name><Prefix>{escaped(prefix)}</Prefix>",
            f"<Delimiter>{escaped(delimiter)}</Delimiter>" if delimiter else "",
            f"<MaxKeys>{most}</MaxKeys><KeyCount>{len(listed)}</KeyCount>",
            f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>",
            f"<NextContinuationToken>{_encoded(listed[-1])}</NextContinuationToken>"
            if is_cut and listed
            else "",
            *(self._told(name, escaped) for name in listed),
        ]
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        start = f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{space}">'
        return Reply(f"{start}{''.join(parts)}</ListBucketResult>".encode(), kind=_XML)

    def _page(self, prefix: str, delimiter: str, after: str, most: int) -> tuple[list[str], bool]:
        """Return the keys and common prefixes after one, and whether there are more of them."""
        listed: list[str] = []
        minutes = 0
        for key in self._keys(prefix, after):
            name = _rolled_up(key, prefix, delimiter)
            if name <= after or (listed and name == listed[-1]):
                continue
            found = parse_key(name)
            minutes += found is not None and found[0] == "minute"
            if len(listed) == most or minutes > _MOST_MINUTE_FILES:
                return listed, True
            listed.append(name)
        return listed, False

    def _keys(self, prefix: str, after: str) -> Iterator[str]:
        for kind in KINDS:
            for session in self._sessions():
                key = key_of(kind, session)
                if key > after and key.startswith(prefix):
                    yield key

    def _told(self, name: str, escaped: Callable[[str], str]) -> str:
        found = parse_key(name)
        if found is None:
            return f"<CommonPrefixes><Prefix>{escaped(name)}</Prefix></CommonPrefixes>"
        told = self._files.told(*found)
        modified = told.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return (
            f"<Contents><Key>{escaped(name)}</Key><LastModified>{modified}</LastModified>"
            f"<ETag>{escape(told.etag)}</ETag><Size>{told.size}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )


def _rolled_up(key: str, prefix: str, delimiter: str) -> str:
    """Return a key, or the common prefix in which a listing with a delimiter has it."""
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return key if at < 0 else key[: at + len(delimiter)]


def _span(text: str | None, size: int) -> range | None:
    """Return the bytes that a Range header asks for; None: all of them."""
    match = _RANGE.fullmatch(text or "")
    if not match or match[1] == match[2] == "":
        return None
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    else:
        first, last = max(size - int(match[2]), 0), size - 1
    if first > last:
        text = "The requested range is not satisfiable"
        raise RefusedError(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange", text)
    return range(first, last + 1)


def _escaped(as_url: bool) -> Callable[[str], str]:  # noqa: FBT001 - private
    return (lambda text: quote(text, safe="/")) if as_url else escape


def _encoded(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decoded(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = "The continuation token provided is incorrect"
        raise RefusedError(HTTPStatus.BAD_REQUEST, "InvalidArgument", text) from None
