"""Bars as dialects ask for them: by their time, between two instants, and page by page.

The time of a bar is in milliseconds since 1970: of an intraday one that of its start, of one of
sessions midnight of its first session, in the zone that the dialect has it in.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from lake.errors import InvalidRangeError
from lake.exchange import ZONE
from lake.instant import from_microseconds, microseconds
from lake.schemas import BARS, INTRADAY_BARS
from serving_layer.answers import Head
from serving_layer.merged import Found
from serving_layer.query import parse_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lake.interval import Interval
    from serving_layer.merged import Live, MergedReader
    from serving_layer.query import BarsQuery

_MS: Final = 1000
_READ_AT_LEAST: Final = 1000
"""Bars at once: the first and the last day may hold some that are not asked for."""
_DAY: Final = dt.timedelta(days=1)
_EARLIEST: Final = -(70 * 366 * 86_400_000)
_LATEST: Final = 7000 * 365 * 86_400_000
"""No bar is before or after; dates of all zones are dates still."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some bars of a query.

    Attributes:
        bars: The columns of `BARS` or `INTRADAY_BARS`, `name` (what the listing was called in the
            query) and `time`; in order of the query.
        following: When the first bar behind them is; None: there is none.
        place: The name and start of the last of them, behind which the others are.
        boundary: The last session that batch had committed.
        live: As of `Found`.
    """

    bars: pl.DataFrame
    following: int | None
    place: tuple[str, dt.date] | None
    boundary: dt.date | None
    live: Live | None

    def headers(self) -> dict[str, str]:
        """Return what is said of the bars, where a dialect has no place for it."""
        return Head({"boundary": self.boundary, "live": self.live}).headers()


def page_of(
    reader: MergedReader,
    query: BarsQuery,
    times: tuple[int, int],
    limit: int,
    zone: dt.tzinfo = ZONE,
) -> Page:
    """Return the first bars of a query whose time is between two, both inclusive.

    Args:
        reader: Of everything.
        query: Which bars; whatever start, end and limit it has are not looked at.
        times: The first and the last one, in milliseconds.
        limit: At most so many bars.
        zone: In which the day of a bar of sessions begins.

    Raises:
        FiblakeError: As `MergedReader.found` does.
    """
    first, last = (min(max(time, _EARLIEST), _LATEST) for time in times)
    # One basis for all that is read, though a day may end meanwhile.
    query = replace(query, as_of=reader.as_of(query) or query.as_of)
    start, end = _dates(query.interval, first, last, zone)
    wanted = replace(query, start=start, end=end, limit=max(limit + 1, _READ_AT_LEAST))
    names = {each.listing: each.name for each in reader.market(query).asked or ()}
    parts: list[pl.DataFrame] = []
    while True:
        found = reader.found(wanted)
        bars = _timed(found, names, query.interval, zone)
        parts.append(bars.filter(pl.col("time").is_between(first, last)))
        if found.bars.num_rows < (wanted.limit or 0) or sum(map(len, parts)) > limit:
            return _page(pl.concat(parts), limit, found)
        wanted = replace(wanted, after=_place(bars))


def none(reader: MergedReader, query: BarsQuery) -> Page:
    """Return that there are no bars, as of symbols that are not known."""
    schema = INTRADAY_BARS if query.interval.is_intraday else BARS
    boundary = reader.boundary(query.interval)
    found = Found(schema.empty_table(), boundary, None)
    return _page(_timed(found, {}, query.interval, ZONE), 0, found)


def _page(bars: pl.DataFrame, limit: int, found: Found) -> Page:
    shown = bars.head(limit)
    following = bars["time"][limit] if bars.height > limit else None
    place = _place(shown) if shown.height else None
    return Page(shown, following, place, found.boundary, found.live)


def _dates(interval: Interval, first: int, last: int, zone: dt.tzinfo) -> tuple[dt.date, dt.date]:
    """Return the dates, inclusive, in which all bars between two times start."""
    if interval.is_intraday:
        return date_of(first, ZONE), max(date_of(first, ZONE), date_of(last, ZONE))
    start, end = date_of(first, zone), date_of(last, zone)
    if midnight(start, zone) < first:
        start += _DAY
    return start, max(start, end)


def _timed(
    found: Found, names: Mapping[str, str], interval: Interval, zone: dt.tzinfo
) -> pl.DataFrame:
    bars = pl.DataFrame(found.bars)
    start = pl.col("start")
    if not interval.is_intraday:
        start = start.cast(pl.Datetime("ms")).dt.replace_time_zone(str(zone))
    name = pl.col("listing").replace_strict(names, return_dtype=pl.String())
    return bars.with_columns(name=name, time=start.dt.epoch("ms"))


def _place(bars: pl.DataFrame) -> tuple[str, dt.date]:
    return bars["name"][-1], bars["start"][-1]


def midnight(day: dt.date, zone: dt.tzinfo = ZONE) -> int:
    """Return when a day begins in a zone, in milliseconds since 1970."""
    return milliseconds(dt.datetime.combine(day, dt.time(), zone))


def times_of(day: str) -> tuple[int, int]:
    """Return the first and the last millisecond of a date at the exchange.

    Raises:
        InvalidRangeError: If it is no date, or the last of them.
    """
    date = parse_date(day)
    if date == dt.date.max:
        fact = f"{day} has no end. Allowed: dates before it."
        raise InvalidRangeError(fact)
    return midnight(date), midnight(date + _DAY) - 1


def milliseconds(instant: dt.datetime) -> int:
    """Return how many whole milliseconds after 1970 an instant is."""
    return microseconds(instant) // _MS


def date_of(time: int, zone: dt.tzinfo = ZONE) -> dt.date:
    """Return the date of a zone at a time, in milliseconds since 1970."""
    return from_microseconds(time * _MS).astimezone(zone).date()
