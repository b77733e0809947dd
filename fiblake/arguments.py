"""What callers of the Python face give, as values or as texts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from lake.errors import InvalidRangeError, MisuseError
from lake.instant import parse_instant, utc, written
from lake.interval import INTERVALS, parse_one_of
from serving_layer.query import BarsQuery, parse_date

if TYPE_CHECKING:
    from lake.bar import Hours
    from serving_layer.query import Adjustment


class Narrowed(TypedDict, total=False):
    """What narrows an answer down, and on which basis it is.

    Attributes:
        start: First `start` of a bar, inclusive; a date or its ISO text. Of intraday bars the
            first session.
        end: Last `start` of a bar, inclusive. Of intraday bars the last session.
        adjustment: `split`, the default: prices and volumes on the split basis of `as_of`. `all`:
            prices less the dividends from each bar to `as_of`, too. `raw`: each bar on the split
            basis of its own `through`.
        as_of: The date whose basis is wanted, for all bars alike, and on which symbols name what
            they name; by default today, or the day of `known_at`.
        known_at: Answer as the lake knew it at this instant: a datetime with a time zone, or its
            ISO text with an offset or Z. One still to come is as good as now.
        session: Of intraday bars those of the `regular` hours, or of the `extended` ones: from
            04:00 to the open and from the close to 20:00.
    """

    start: dt.date | str | None
    end: dt.date | str | None
    adjustment: Adjustment
    as_of: dt.date | str | None
    known_at: dt.datetime | str | None
    session: Hours


def query_of(
    symbols: str | Iterable[str] | None, interval: str, **narrowed: Unpack[Narrowed]
) -> BarsQuery:
    """Return the query that arguments make.

    Raises:
        MisuseError: If one of them cannot be; TypeError: if there is none of its name.
    """
    check_named("bars", narrowed, Narrowed.__annotations__)
    if isinstance(symbols, str):
        symbols = (symbols,)
    return BarsQuery(
        symbols=None if symbols is None else tuple(symbols),
        interval=parse_one_of(interval, INTERVALS),
        start=date_of(narrowed.get("start")),
        end=date_of(narrowed.get("end")),
        adjustment=narrowed.get("adjustment", "split"),
        as_of=date_of(narrowed.get("as_of")),
        known_at=instant_of(narrowed.get("known_at")),
        session=narrowed.get("session", "regular"),
    )


def names_of(symbols: str | Iterable[str]) -> tuple[str, ...]:
    """Return the symbols that are named, each once, in upper case.

    Raises:
        MisuseError: If there is none.
    """
    named = (symbols,) if isinstance(symbols, str) else symbols
    names = tuple(dict.fromkeys(name.strip().upper() for name in named))
    if not names or not all(names):
        fact = "No symbol was given."
        raise MisuseError(fact, hint="name one or more, as AAPL.")
    return names


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
