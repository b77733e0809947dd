"""Instants as users write them: ISO 8601 with an offset or Z, never a bare date."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from lake.errors import InvalidRangeError

_INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})"
)
_UNIX_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST: Final = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
"""The first instant that has a date in every time zone."""
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_ALLOWED: Final = "Allowed: ISO 8601 with an offset or Z, as 2026-01-05T21:00:00Z"
_HINT: Final = "the end of a day is 23:59:59Z; in a URL + is written %2B."


def parse_instant(text: str) -> dt.datetime:
    """Return the instant that `text` writes, in UTC.

    Raises:
        InvalidRangeError: If it writes none, leaves the time or the offset open, or has no date in
            some time zone.
    """
    try:
        if _INSTANT.fullmatch(text):
            return utc(dt.datetime.fromisoformat(text))
    except ValueError:
        pass
    fact = f"{text!r} is not an instant. {_ALLOWED}."
    raise InvalidRangeError(fact, hint=_HINT)


def utc(instant: dt.datetime) -> dt.datetime:
    """Return an instant in UTC.

    Raises:
        InvalidRangeError: If it has no time zone, and so is none; or no date in some time zone.
    """
    if instant.tzinfo is None:
        fact = f"{instant.isoformat()} has no time zone. {_ALLOWED}."
        raise InvalidRangeError(fact, hint="give the datetime a tzinfo, as datetime.UTC.")
    try:
        found = instant.astimezone(dt.UTC)
    except OverflowError:
        found = None
    if found is None or found < _FIRST:
        fact = f"{instant.isoformat()} is out of range."
        raise InvalidRangeError(fact, hint="instants are from 0001-01-02 to 9999-12-31, UTC.")
    return found


def written(instant: dt.datetime) -> str:
    """Return an instant as it is written for users, to the second at least."""
    return instant.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def from_microseconds(microseconds: int) -> dt.datetime:
    """Return the instant so many microseconds after 1970-01-01, UTC."""
    return _UNIX_EPOCH + microseconds * _MICROSECOND


def microseconds(instant: dt.datetime) -> int:
    """Return how many microseconds after 1970-01-01, UTC, an instant is."""
    return (instant - _UNIX_EPOCH) // _MICROSECOND
