"""Cursors: behind which instant and id an answer goes on, in letters that say nothing."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Final

from lake.errors import InvalidRangeError
from lake.instant import parse_instant, written

if TYPE_CHECKING:
    import datetime as dt

ALERT: Final = re.compile(r"al_[0-9a-f]{12}")
"""An alert's id."""
FIRING: Final = re.compile(rf"({ALERT.pattern})\.(\d{{1,9}}\.\d{{1,9}}|test\.[0-9a-f]{{12}})")
"""A firing's; its first group is the alert's."""


def cursor_of(at: dt.datetime, identity: str) -> str:
    """Return the cursor of what is behind an instant and an id."""
    return urlsafe_b64encode(f"{written(at)} {identity}".encode()).decode()


def behind(cursor: str, ids: re.Pattern[str]) -> tuple[dt.datetime, str]:
    """Return the instant and the id that a cursor tells.

    Raises:
        InvalidRangeError: If it is none, or tells of other ids than these.
    """
    try:
        text, _, identity = urlsafe_b64decode(cursor).decode().rpartition(" ")
        at = parse_instant(text)
    except (InvalidRangeError, ValueError):
        fact = f"{cursor!r:.80} is not a cursor. Allowed: the next_cursor of an answer."
        raise InvalidRangeError(fact) from None
    if not ids.fullmatch(identity):
        fact = f"{cursor!r:.80} is the cursor of another question."
        raise InvalidRangeError(fact, hint="ask the same again, with the cursor that it answered.")
    return at, identity
