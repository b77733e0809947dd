"""What the vendor refuses, in the words of the dialect that was spoken.

Source: answers of Massive's as its users have published them.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from batch_layer.local_vendor.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_layer.local_vendor.messages import Request


UPGRADE: Final = "Please upgrade your plan at https://massive.com/pricing"
TOO_MANY: Final = (
    "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to "
    "continue. https://massive.com/pricing"
)


class RefusedError(Exception):
    """A request that is answered with an error.

    Args:
        status: Of HTTP.
        code: Massive's `status`, or S3's `Code`.
        text: What is wrong.
        headers: To be sent with it.
    """

    def __init__(
        self, status: HTTPStatus, code: str, text: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.headers = headers or {}


def bad_request(text: str) -> RefusedError:
    """Return the refusal of a parameter."""
    return RefusedError(HTTPStatus.BAD_REQUEST, "ERROR", text)


def not_found(text: str) -> RefusedError:
    """Return the refusal of something that is not there."""
    return RefusedError(HTTPStatus.NOT_FOUND, "NOT_FOUND", text)


def unknown_key(key: str | None) -> RefusedError:
    """Return the refusal of a wrong key, or of none."""
    text = "API Key was not provided" if key is None else "Unknown API Key"
    return RefusedError(HTTPStatus.UNAUTHORIZED, "ERROR", text)


def too_many(wait_s: int) -> RefusedError:
    """Return the refusal of one request too many, to be asked again after so many seconds."""
    headers = {"Retry-After": str(wait_s)}
    return RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "ERROR", TOO_MANY, headers)


def as_json(request: Request, refused: RefusedError) -> Reply:
    """Return a refusal as Massive's REST writes it."""
    name = "error" if refused.code == "ERROR" else "message"
    body = {"status": refused.code, "request_id": request.request_id, name: refused.text}
    return Reply(json.dumps(body).encode(), refused.status, headers=refused.headers)


def as_xml(request: Request, refused: RefusedError) -> Reply:
    """Return a refusal as S3 writes it."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(refused.code)}</Code><Message>{escape(refused.text)}</Message>"
        f"<Resource>{escape(request.path)}</Resource>"
        f"<RequestId>{request.request_id}</RequestId></Error>"
    )
    return Reply(body.encode(), refused.status, "application/xml", refused.headers)
