"""What a fault does to an answer."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from batch_layer.local_vendor.access import KEY_PARAMETER
from batch_layer.local_vendor.errors import TOO_MANY, UPGRADE, RefusedError
from batch_layer.local_vendor.messages import JSON, Delivery, Reply

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from batch_layer.local_vendor.faults import Fault
    from batch_layer.local_vendor.messages import Request

_PAGE: Final = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Welcome.</body></html>\n"
)
_COUNT: Final = re.compile(rb'"(resultsCount|count)":(\d+)')

_Refusals = dict[str, tuple[HTTPStatus, str, str]]
_OF_REST: Final[_Refusals] = {
    "throttled": (HTTPStatus.TOO_MANY_REQUESTS, "ERROR", TOO_MANY),
    "unauthorized": (HTTPStatus.UNAUTHORIZED, "ERROR", "Unknown API Key"),
    "not_in_plan": (
        HTTPStatus.FORBIDDEN,
        "NOT_AUTHORIZED",
        f"Your plan doesn't include this data timeframe. {UPGRADE}",
    ),
    "not_ended": (
        HTTPStatus.FORBIDDEN,
        "NOT_AUTHORIZED",
        f"Attempted to request today's data before end of day. {UPGRADE}",
    ),
}
_OF_S3: Final[_Refusals] = {
    "throttled": (HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate."),
    "unauthorized": (
        HTTPStatus.FORBIDDEN,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "not_in_plan": (HTTPStatus.FORBIDDEN, "AccessDenied", "Access Denied"),
    "not_ended": (HTTPStatus.NOT_FOUND, "NoSuchKey", "The specified key does not exist."),
}


def answered_instead(fault: Fault, *, is_s3: bool, now: dt.datetime) -> Reply | None:
    """Return what a fault answers in place of the vendor, or None where it lets it answer.

    Raises:
        RefusedError: If it answers with an error.
    """
    if fault.kind == "html":
        return Reply(_PAGE, kind="text/html; charset=utf-8")
    refusals = _OF_S3 if is_s3 else _OF_REST
    if fault.kind == "error":
        status = HTTPStatus(fault.status)
        code = "InternalError" if is_s3 else "ERROR"
        raise RefusedError(status, code, status.phrase, _to_wait(fault, now))
    if fault.kind in refusals:
        status, code, text = refusals[fault.kind]
        raise RefusedError(status, code, text, _to_wait(fault, now))
    return None


def _to_wait(fault: Fault, now: dt.datetime) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    if fault.as_date:
        return {"Retry-After": formatdate(now.timestamp() + fault.retry_after, usegmt=True)}
    return {"Retry-After": str(fault.retry_after)}


def spoilt(fault: Fault, request: Request, reply: Reply) -> Reply:
    """Return an answer as a fault leaves it."""
    spoil = _SPOILING.get(fault.kind)
    if spoil is None or reply.status >= HTTPStatus.BAD_REQUEST:
        return reply
    return spoil(fault, request, reply)


def _slow(fault: Fault, _: Request, reply: Reply) -> Reply:
    return replace(reply, delivery=Delivery(seconds=fault.seconds))


def _reset(fault: Fault, _: Request, reply: Reply) -> Reply:
    return replace(reply, delivery=Delivery(reset_after=_end(fault, reply.body)))


def _truncated(fault: Fault, _: Request, reply: Reply) -> Reply:
    if reply.kind != JSON:
        return replace(reply, body=reply.body[: _end(fault, reply.body)])
    body = gzip.compress(reply.body, 1, mtime=0)
    headers = {**reply.headers, "Content-Encoding": "gzip"}
    return replace(reply, body=body[: _end(fault, body)], headers=headers)


def _cut(fault: Fault, _: Request, reply: Reply) -> Reply:
    if reply.kind == JSON:
        return replace(reply, body=reply.body[: _end(fault, reply.body)])
    text = gzip.decompress(reply.body)
    return replace(reply, body=gzip.compress(text[: _end(fault, text)], 1, mtime=0))


def _wrong_count(_: Fault, __: Request, reply: Reply) -> Reply:
    def one_more(match: re.Match[bytes]) -> bytes:
        return b'"%s":%d' % (match[1], int(match[2]) + 1)

    return replace(reply, body=_COUNT.sub(one_more, reply.body))


def _repeated(_: Fault, request: Request, reply: Reply) -> Reply:
    query = {name: text for name, text in request.query.items() if name != KEY_PARAMETER}
    found = json.loads(reply.body)
    found["next_url"] = f"{request.origin}{request.path}?{urlencode(query)}"
    return replace(reply, body=json.dumps(found).encode())


def _end(fault: Fault, body: bytes) -> int:
    return len(body) // 2 if fault.after is None else fault.after


_SPOILING: Final[dict[str, Callable[[Fault, Request, Reply], Reply]]] = {
    "slow": _slow,
    "reset": _reset,
    "truncated": _truncated,
    "cut": _cut,
    "wrong_count": _wrong_count,
    "repeated_page": _repeated,
}
