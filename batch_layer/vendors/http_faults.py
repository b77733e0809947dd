"""What a vendor answers instead of what it was asked for, as errors of ours."""

from __future__ import annotations

import datetime as dt
import json
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import urllib3

from lake.errors import (
    VendorAnswerError,
    VendorError,
    VendorKeyError,
    VendorNotFoundError,
    VendorRefusedError,
    VendorUnavailableError,
    VendorUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# A vendor that asks for more is given up on, rather than waited for.
LONGEST_RETRY_AFTER_S: Final = 900.0
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
_REDIRECTS: Final = range(300, 400)
_PASSING: Final = {408, 425, _TOO_MANY, 499, 500, 502, 503, 504}
_SAID_MOST: Final = 200
_PAGE: Final = re.compile(rb"\s*<")
_KEY_IN_URL: Final = re.compile(rb"(api_?key=)[^&\"'\s\\]+", re.IGNORECASE)
_LATER: Final = "run the command again later; it goes on from what is done."


class Passing(Exception):  # noqa: N818 - a fault that may pass is no error yet
    """A fault that may be gone when the vendor is asked again.

    Args:
        last: The error it is, where it does not pass.
        why: What it is, in a word.
        after_s: Seconds for which the vendor wants to be left alone.
        for_all: Whether that is for all workers.
    """

    def __init__(
        self, last: VendorError, *, why: str, after_s: float = 0.0, for_all: bool = False
    ) -> None:
        super().__init__(why)
        self.last = last
        self.why = why
        self.after_s = after_s
        self.for_all = for_all

    def error(self, tried: int) -> VendorError:
        """Return the error it is after so many attempts."""
        fact = self.last.fact.rstrip(".")
        if self.after_s > LONGEST_RETRY_AFTER_S:
            end = f"it asks to be left alone for {self.after_s:.0f} s"
        else:
            end = f"given up after {tried} attempts"
        return type(self.last)(f"{fact} ({end}).", hint=self.last.hint)


def refusal(  # noqa: PLR0913 - what was asked, of whom, and what came
    vendor: str,
    url: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: dt.datetime,
    key_hint: str,
) -> Exception:
    """Return what an answer other than 200 means: an error, or a fault that may pass."""
    path = urlsplit(url).path
    what = f"{vendor} answers {status} to {path}: {_said(body)}."
    if status in _PASSING:
        return Passing(
            VendorUnavailableError(what, hint=_LATER),
            why=f"status {status}",
            after_s=retry_after_s(headers.get("Retry-After"), now),
            for_all=status == _TOO_MANY or "Retry-After" in headers,
        )
    if is_page(body) or status in _REDIRECTS:
        return stranger(vendor, url)
    if status == _UNAUTHORIZED:
        return VendorKeyError(f"{vendor} refuses the key: {_said(body)}.", hint=key_hint)
    if status == _FORBIDDEN:
        return VendorRefusedError(f"{vendor} refuses {path}: {_said(body)}.")
    return (VendorNotFoundError if status == _NOT_FOUND else VendorAnswerError)(what)


def nobody(vendor: str, url: str, error: Exception) -> VendorUnreachableError:
    """Return that no answer came, and why."""
    fact = f"{vendor} cannot be reached at {origin(url)}: {_reason(error)}."
    return VendorUnreachableError(fact, hint="check the network, and the address.")


def stranger(vendor: str, url: str) -> VendorUnreachableError:
    """Return that someone else answered: a proxy, or a hotel's front page."""
    fact = f"{origin(url)} answers with a web page, where {vendor} would answer with data."
    return VendorUnreachableError(fact, hint="check the address, and what the network puts first.")


def is_page(body: bytes) -> bool:
    """Return whether a body is HTML or XML."""
    return _PAGE.match(body) is not None


def without_keys(text: bytes) -> bytes:
    """Return a text with all keys in URLs (`apiKey=...`) masked."""
    return _KEY_IN_URL.sub(rb"\1***", text)


def retry_after_s(text: str | None, now: dt.datetime) -> float:
    """Return the seconds that a header Retry-After names: a number of them, or a date."""
    if text is None:
        return 0.0
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=dt.UTC)
    return max(0.0, (aware - now).total_seconds())


def origin(url: str) -> str:
    """Return a URL's scheme, host and port, without a user or password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _said(body: bytes) -> str:
    """Return what an error's body says, in one short line."""
    try:
        told = json.loads(body)
        text = str(told.get("error") or told.get("message") or told.get("status") or "nothing")
    except (ValueError, AttributeError):
        text = "a web page" if is_page(body) else "nothing that can be read"
    return without_keys(" ".join(text.split()).encode()).decode()[:_SAID_MOST].rstrip(".")


def _reason(error: BaseException) -> str:
    """Return why no answer came, in words of the operating system where there are any."""
    inner: object = error
    while isinstance(inner, BaseException):
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        if isinstance(inner, urllib3.exceptions.TimeoutError) and not isinstance(
            inner, urllib3.exceptions.NewConnectionError
        ):
            return "no answer in time"
        if isinstance(inner, urllib3.exceptions.ProtocolError | urllib3.exceptions.DecodeError):
            return "the answer breaks off"
        inner = getattr(inner, "reason", None) or inner.__cause__ or inner.__context__
    return type(error).__name__
