"""Answers as the bytes of one gzip file, which any tool unpacks to the answers' bodies alone.

Each answer is an empty member whose name field (RFC 1952, FNAME) is a JSON header, and then the
body: JSON is packed here, a file that came packed stays as it came. The header tells how many bytes
follow. RFC 1952 has a comment field as well, the better place: but DuckDB 1.5 refuses a file with
one ("Unsupported GZIP archive"), as it does one with an extra field.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any, Final

from batch_layer.landing.answer import Answer
from lake.errors import DamagedObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAGIC: Final = b"\x1f\x8b"
# Deflate, with a name; no time of modification, no flags, no operating system.
_HEAD: Final = MAGIC + b"\x08\x08\0\0\0\0\0\xff"
# The end of the name; no bytes, deflated, their CRC and their count.
_TAIL: Final = b"\0\x03\0" + bytes(8)
# What DuckDB reads of a name.
_LONGEST: Final = 1 << 15
# A tenth larger than by level 6, in less than half the time.
_LEVEL: Final = 3


def pack(answers: Sequence[Answer], labels: Mapping[str, str]) -> bytes:
    """Return answers as the bytes of a gzip file; each header has the `labels` too."""
    return b"".join(piece for answer in answers for piece in _members(answer, labels))


def unpack(data: bytes, what: str) -> list[Answer]:
    """Return the answers in the bytes of a gzip file.

    Raises:
        DamagedObjectError: If they are not whole; it says of `what`.
    """
    try:
        return list(_answers(memoryview(data)))
    except (ValueError, KeyError, TypeError, EOFError, OSError, zlib.error) as error:
        fact = f"{what} is damaged: {error}."
        raise DamagedObjectError(
            fact, hint="restore it from a copy, or fetch it --again."
        ) from error


def is_packed(body: bytes) -> bool:
    """Return whether a body came packed by gzip."""
    return body.startswith(MAGIC)


def _members(answer: Answer, labels: Mapping[str, str]) -> Iterator[bytes]:
    packed = is_packed(answer.body)
    body = answer.body if packed else gzip.compress(answer.body, _LEVEL, mtime=0)
    header = {
        "request": answer.request,
        "fetched_at": answer.fetched_at.astimezone(dt.UTC).isoformat(),
        **labels,
        **({"version": answer.version} if answer.version else {}),
        "packed_by": "vendor" if packed else "lake",
        "bytes": len(body),
    }
    # ASCII: a name is Latin-1, and ends at the first zero byte.
    yield _HEAD + json.dumps(header, separators=(",", ":")).encode("ascii") + _TAIL
    yield body


def _answers(data: memoryview) -> Iterator[Answer]:
    at = 0
    while at < len(data):
        header, at = _header(data, at)
        body = bytes(data[at : at + header["bytes"]])
        if len(body) < header["bytes"]:
            msg = "an answer is cut"
            raise ValueError(msg)
        at += len(body)
        yield Answer(
            request=header["request"],
            fetched_at=dt.datetime.fromisoformat(header["fetched_at"]),
            body=body if header["packed_by"] == "vendor" else gzip.decompress(body),
            version=header.get("version", ""),
        )


def _header(data: memoryview, at: int) -> tuple[dict[str, Any], int]:
    start = at + len(_HEAD)
    if data[at:start] != _HEAD:
        msg = "no answer begins where one should"
        raise ValueError(msg)
    length = bytes(data[start : start + _LONGEST]).index(b"\0")
    end = start + length + len(_TAIL)
    if data[start + length : end] != _TAIL:
        msg = "a header is not one"
        raise ValueError(msg)
    return json.loads(bytes(data[start : start + length])), end
