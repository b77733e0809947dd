"""The range that a request for the bars of one ticker names, and the page of it that it gets."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.local_vendor.aggregates import ranged, with_midnights
from batch_layer.local_vendor.errors import bad_request
from batch_layer.local_vendor.hours import date_at, milliseconds
from batch_layer.local_vendor.market import no_bars
from batch_layer.local_vendor.pages import asked, limit_of, next_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch_layer.local_vendor.catalogue import Catalogue
    from batch_layer.local_vendor.messages import Reply, Request

_LIMIT: Final = 5_000
_MOST: Final = 50_000
_DAY: Final = dt.timedelta(days=1)
_NOTHING: Final = no_bars().with_columns(start=pl.lit(None, pl.Int64()))


@dataclass(frozen=True, slots=True)
class Range:
    """Bars of one ticker: instants in ms, both inclusive.

    Attributes:
        ticker: As the vendor spells it.
        span: `day` or `minute`.
        first: The first instant.
        last: The last one.
    """

    ticker: str
    span: str
    first: int
    last: int

    def path(self, *, following: int, falling: bool) -> str:
        """Return the path of the rest of it, from the bar that starts at `following` on."""
        first, last = (self.first, following) if falling else (following, self.last)
        return f"/v2/aggs/ticker/{self.ticker}/range/1/{self.span}/{first}/{last}"


def bars_of(request: Request, catalogue: Catalogue, wanted: Range) -> Reply:
    """Return a page of the bars of a range.

    Raises:
        RefusedError: If a parameter cannot be.
    """
    query = asked(request)
    limit, falling = limit_of(query, _LIMIT, _MOST), query.get("sort", "asc") == "desc"
    first, last = date_at(wanted.first), date_at(wanted.last)
    parts: Iterable[pl.DataFrame]
    if wanted.span == "day":
        days = with_midnights(catalogue.history(wanted.ticker, first, last))
        parts = [days.sort("session", descending=falling)]
    else:
        within = pl.col("start").is_between(wanted.first, wanted.last)
        minutes = catalogue.minute_history(wanted.ticker, first, last, falling=falling)
        parts = (each.filter(within) for each in minutes)
    bars = _first_of(parts, limit + 1)
    following = None
    if bars.height > limit:
        start = bars["start"][limit]
        path = wanted.path(following=start, falling=falling)
        following = next_url(request, query, path)
    return ranged(request, wanted.ticker, bars.head(limit), following)


def _first_of(parts: Iterable[pl.DataFrame], count: int) -> pl.DataFrame:
    """Return the first rows of several frames, of as few of them as will do."""
    taken: list[pl.DataFrame] = []
    height = 0
    for part in parts:
        taken.append(part)
        height += part.height
        if height >= count:
            break
    return pl.concat([_NOTHING, *taken], how="diagonal").head(count)


def moment(text: str, *, is_end: bool) -> int:
    """Return an instant in ms: as it is, or the begin or end of a date at the exchange.

    Raises:
        RefusedError: If it is neither.
    """
    if text.isascii() and text.isdigit():
        return int(text)
    day = date_of(text)
    return milliseconds(day + _DAY) - 1 if is_end else milliseconds(day)


def date_of(text: str) -> dt.date:
    """Return a date.

    Raises:
        RefusedError: If it is none.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        fact = f"Could not parse the time parameter: {text!r}"
        raise bad_request(fact) from None
