"""AWS's signature, version 4, of a request: computed anew and compared.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

if TYPE_CHECKING:
    from batch_layer.local_vendor.messages import Request

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,]+)/(?P<scope>[^,]+), *"
    r"SignedHeaders=(?P<headers>[^,]+), *Signature=(?P<signature>[0-9a-f]+)"
)


def access_key_id(request: Request) -> str | None:
    """Return the id of the key that signed a request, or None where none did."""
    match = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    return match["id"] if match else None


def is_signed(request: Request, secret: str) -> bool:
    """Return whether a request was signed with this secret."""
    match = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if not match:
        return False
    canonical = hashlib.sha256(_canonical(request, match["headers"]).encode()).hexdigest()
    instant = request.headers.get("x-amz-date", "")
    text = "\n".join(["AWS4-HMAC-SHA256", instant, match["scope"], canonical])
    key = f"AWS4{secret}".encode()
    for part in match["scope"].split("/"):
        key = _hmac(key, part)
    return hmac.compare_digest(_hmac(key, text).hex(), match["signature"])


def _canonical(request: Request, signed: str) -> str:
    query = parse_qsl(request.query_text, keep_blank_values=True)
    pairs = sorted((quote(name, safe="-_.~"), quote(text, safe="-_.~")) for name, text in query)
    headers = [
        f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in signed.split(";")
    ]
    return "\n".join(
        [
            request.method,
            request.path,
            "&".join(f"{name}={text}" for name, text in pairs),
            *headers,
            "",
            signed,
            request.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ]
    )


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
