"""What callers of the Python face give, as values or as texts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lake.errors import InvalidRangeError, MisuseError
from lake.instant import parse_instant, utc, written
from serving_layer.query import parse_date


def folder_of(cache: str) -> Path | None:
    """Return the folder that FIBLAKE_CACHE names; None: it is off.

    Raises:
        MisuseError: If it cannot be told.
    """
    try:
        return None if cache.lower() == "off" else Path(cache).expanduser()
    except RuntimeError:
        fact = f"FIBLAKE_CACHE={cache!r} names the home of a user that does not exist."
        raise MisuseError(fact, hint="name another folder, or off.") from None


def instant_of(given: dt.datetime | str | None) -> dt.datetime | None:
    """Return an instant, or None where none is given.

    Raises:
        InvalidRangeError: If a text writes none.
    """
    # A bare date is refused as its text is.
    return given if given is None or isinstance(given, dt.datetime) else parse_instant(str(given))


def document_of(
    universe: Iterable[str] | Mapping[str, dt.date | str],
    intervals: str | Iterable[str],
    asked: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the document of a backtest that arguments make.

    Raises:
        InvalidRangeError: If a date or an instant is none.
    """
    told = dict(asked)
    for name in ("start", "end", "as_of"):
        day = date_of(told.get(name))
        told[name] = day and day.isoformat()
    known_at = instant_of(told.get("known_at"))
    told["known_at"] = known_at and written(utc(known_at))
    told["intervals"] = [intervals] if isinstance(intervals, str) else list(intervals)
    if isinstance(universe, Mapping):
        told["universe"] = {"listed_on": parsed_date(universe.get("listed_on")).isoformat()}
    else:
        told["universe"] = [universe] if isinstance(universe, str) else list(universe)
    return told


def check_named(of: str, given: Iterable[str], allowed: Iterable[str]) -> None:
    """Refuse named arguments that a method does not take, as Python itself does.

    Raises:
        TypeError: If there is one.
    """
    names = list(allowed)
    for name in given:
        if name not in names:
            msg = f"{of}() has no argument {name!r}. Allowed: {', '.join(names)}."
            raise TypeError(msg)


def date_of(given: dt.date | str | None) -> dt.date | None:
    """Return a date, or None where none is given; see `parsed_date`."""
    return None if given is None else parsed_date(given)


def parsed_date(given: object) -> dt.date:
    """Return a date.

    Raises:
        InvalidRangeError: If it is neither a date nor the text of one.
    """
    if isinstance(given, str):
        return parse_date(given)
    if type(given) is dt.date:
        return given
    fact = f"{given!r} is not a date. Allowed: a datetime.date, or a text as 2012-12-31."
    raise InvalidRangeError(fact)
