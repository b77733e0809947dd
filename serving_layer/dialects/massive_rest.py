"""Massive's REST: aggregates, and the last trade. The same bars as `/v1/bars`, in their words.

Source: https://massive.com/docs/rest/stocks/aggregates, and what the official clients read.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote

import polars as pl
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from lake.errors import (
    InvalidIntervalError,
    InvalidRangeError,
    NotFoundError,
    UnknownSymbolError,
    ViewUnavailableError,
)
from lake.exchange import trading_day
from lake.instant import microseconds
from lake.interval import DAILY, SESSION_INTERVALS, Interval
from lake.massive_symbols import lake_symbol, massive_symbol
from lake.schemas import BARS
from serving_layer.dialects.asked import Parameters, checked_symbol
from serving_layer.dialects.bars import date_of, midnight, none, page_of
from serving_layer.dialects.massive_words import (
    MassiveError,
    answer,
    four_o_clock,
    moment,
    next_url,
    request_id,
    rows_of,
    with_cursor,
)
from serving_layer.prices import prices_of
from serving_layer.query import BarsQuery, parse_date
from serving_layer.routes import Day, TheReader

if TYPE_CHECKING:
    from serving_layer.problems import Documented
    from serving_layer.query import Adjustment

_OFFERED: Final = {
    "minute": {1: "1m", 5: "5m", 15: "15m"},
    "hour": {1: "1h", 2: "2h", 4: "4h"},
    "day": {each.count: str(each) for each in SESSION_INTERVALS},
}


def _allowed() -> str:
    return "; ".join(f"{span} {', '.join(map(str, counts))}" for span, counts in _OFFERED.items())


_COUNTS: Final = sorted({count for counts in _OFFERED.values() for count in counts})
_MULTIPLIERS: Final[dict[str, Any]] = {"enum": [str(count) for count in _COUNTS]}
_TIMES: Final[dict[str, Any]] = {"pattern": r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|-?[0-9]{1,13})$"}
"""What OpenAPI tells of them; that they are refused in Massive's words is done here."""

_LIMIT: Final = 5_000
_MOST: Final = 50_000
_LIVE_SESSIONS: Final = 10
"""More sessions than are forming at once."""
_FARTHEST_MS: Final = 10**13 - 1
"""As many digits as a time may have."""
REFUSED: Final[Documented] = {
    status: {"model": MassiveError, "description": "Refused, as Massive does"}
    for status in (400, 404, 503, "4XX")
}
router = APIRouter(tags=["massive"], responses=REFUSED)
live_router = APIRouter(tags=["massive"], responses=REFUSED)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A bar: `t` ms, `n` trades; `T` its ticker, where several have bars."""

    o: float
    h: float
    l: float  # noqa: E741 - Massive's own name
    c: float
    v: float
    t: int
    vw: float | None = None
    n: int | None = None
    T: str | None = None


@dataclass(frozen=True, slots=True)
class Aggregates:
    """Bars.

    Attributes:
        queryCount: How many base bars (sessions, minutes) they are made of.
        resultsCount: How many they are.
        next_url: Where to ask for those behind them.
    """

    queryCount: int  # noqa: N815 - Massive's own names
    resultsCount: int  # noqa: N815
    adjusted: bool
    status: str
    request_id: str
    results: list[Aggregate] = field(default_factory=list)
    ticker: str | None = None
    next_url: str | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """What is known of the last trade: its ticker, its price, and when it was, in ns."""

    T: str
    p: float
    t: int


@dataclass(frozen=True, slots=True)
class LastTrade:
    """The last trade of a ticker."""

    status: str
    request_id: str
    results: Trade


class AggregatesQuery(Parameters):
    """The query of a range."""

    adjusted: bool = Field(default=True, description="for splits")
    sort: Literal["asc", "desc"] = "asc"
    limit: int = Field(default=_LIMIT, ge=1, le=_MOST, description="sessions, or minutes")
    as_of: Day | None = Field(default=None, description="whose split basis is wanted; today")
    cursor: str | None = Field(default=None, description="as a next_url has it; all else is in it")


class OneQuery(Parameters):
    """The query of one day's bars; the official clients say again what the path does."""

    adjusted: bool = Field(default=True, description="for splits")
    include_otc: bool = Field(default=False, description="there are none")
    locale: Literal["us"] = "us"
    market_type: Literal["stocks"] = "stocks"


@dataclass(frozen=True, slots=True)
class RangePath:
    """Which bars: `multiplier` of `timespan`."""

    ticker: str
    multiplier: Annotated[str, Path(description=_allowed(), json_schema_extra=_MULTIPLIERS)]
    timespan: Annotated[str, Path(json_schema_extra={"enum": list(_OFFERED)})]
    first: Annotated[
        str, Path(alias="from", description="YYYY-MM-DD or ms; inclusive", json_schema_extra=_TIMES)
    ]
    last: Annotated[
        str, Path(alias="to", description="YYYY-MM-DD or ms; inclusive", json_schema_extra=_TIMES)
    ]

    def of(self, first: int, last: int) -> str:
        """Return the path of the same bars between other times, in ms."""
        ticker = quote(self.ticker, safe="")
        return f"/v2/aggs/ticker/{ticker}/range/{self.multiplier}/{self.timespan}/{first}/{last}"

    @property
    def interval(self) -> Interval:
        """What that is here.

        Raises:
            InvalidIntervalError: If it is not offered.
        """
        offered = _OFFERED.get(self.timespan, {})
        wanted = [name for count, name in offered.items() if str(count) == self.multiplier]
        if not wanted:
            fact = f"{self.multiplier} {self.timespan} is not offered. Allowed: {_allowed()}."
            raise InvalidIntervalError(fact)
        return Interval.parse(wanted[0])

    @property
    def times(self) -> tuple[int, int]:
        """The first and the last time, ms.

        Raises:
            InvalidRangeError: If they are none, or the one is after the other.
        """
        first, last = moment(self.first, is_end=False), moment(self.last, is_end=True)
        if first > last:
            fact = f"{self.first} is after {self.last}."
            raise InvalidRangeError(fact)
        return first, last


@router.get(
    "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}",
    response_model=Aggregates,
)
def aggregates(
    request: Request,
    reader: TheReader,
    path: Annotated[RangePath, Depends()],
    asked: Annotated[AggregatesQuery, Query()],
) -> Response:
    """Bars of a ticker; the one that is forming is the last of them."""
    asked = with_cursor(asked, asked.cursor)
    interval, (first, last) = path.interval, path.times
    if not interval.is_intraday:
        # A time amid a day asks for the bar of that day.
        first = midnight(date_of(first))
    # Beyond, there are no bars, and no time that a next page could be asked with.
    first, last = max(first, -_FARTHEST_MS), min(last, _FARTHEST_MS)
    query = BarsQuery(
        symbols=(lake_symbol(checked_symbol(path.ticker)),),
        interval=interval,
        adjustment=_adjustment(asked.adjusted),
        as_of=asked.as_of,
        descending=asked.sort == "desc",
    )
    # The next page is on the basis of this one.
    asked = asked.model_copy(update={"as_of": reader.as_of(query) or asked.as_of})
    limit = max(1, asked.limit // (interval.sessions or interval.minutes))
    try:
        page = page_of(reader, query, (first, last), limit)
    except UnknownSymbolError:
        page = none(reader, query)
    counted = page.bars["minutes" if interval.is_intraday else "sessions"]
    told = {"ticker": path.ticker, "queryCount": counted.sum(), "resultsCount": page.bars.height}
    following = None
    if page.following is not None:
        ends = (first, page.following) if query.descending else (page.following, last)
        following = next_url(request, asked, path.of(*ends))
    answered = answer({**told, "adjusted": asked.adjusted}, rows_of(page.bars), following)
    answered.headers.update(page.headers())
    return answered


@router.get("/v2/aggs/ticker/{ticker}/prev", response_model=Aggregates)
def previous(reader: TheReader, ticker: str, asked: Annotated[OneQuery, Query()]) -> Response:
    """The bar of the last session before today that is over."""
    yesterday = trading_day(reader.now()) - dt.timedelta(days=1)
    query = BarsQuery(
        symbols=(lake_symbol(checked_symbol(ticker)),),
        interval=DAILY,
        end=yesterday,
        adjustment=_adjustment(asked.adjusted),
        descending=True,
        limit=_LIVE_SESSIONS,
    )
    try:
        bars = pl.DataFrame(reader.bars(query))
    except UnknownSymbolError:
        bars = pl.DataFrame(BARS.empty_table())
    last = bars.filter(pl.col("state") == "final").head(1)
    return _days(last.with_columns(symbol=pl.lit(ticker)), asked, ticker=ticker)


@router.get("/v2/aggs/grouped/locale/us/market/stocks/{date}", response_model=Aggregates)
def grouped(reader: TheReader, date: str, asked: Annotated[OneQuery, Query()]) -> Response:
    """The bars of a session, of the whole market; of other days there are none."""
    day = parse_date(date)
    adjustment = _adjustment(asked.adjusted)
    pieces = reader.pieces(BarsQuery(None, DAILY, start=day, end=day, adjustment=adjustment)).bars
    bars = pl.concat(pl.DataFrame(piece) for piece in chain([BARS.empty_table()], pieces))
    names = {symbol: massive_symbol(symbol) for symbol in bars["symbol"]}
    spelled = pl.col("symbol").replace_strict(names, return_dtype=pl.String())
    return _days(bars.with_columns(symbol=spelled), asked)


@live_router.get("/v2/last/trade/{ticker}", response_model=LastTrade)
def last_trade(reader: TheReader, ticker: str) -> Response:
    """The price and the time of the last trade, live; its size and its exchange are not kept."""
    found = prices_of(reader, (lake_symbol(checked_symbol(ticker)),))
    if found.live == "away":
        fact = "The realtime view does not answer."
        raise ViewUnavailableError(fact, hint="ask again.")
    live = [each for each in found.prices if each.source == "live"]
    if not live:
        fact = f"No trade of {ticker!r} is known: none was told live lately."
        raise NotFoundError(fact, hint=f"/v2/aggs/ticker/{quote(ticker)}/prev has the last close.")
    time_ns = microseconds(live[0].time) * 1000
    told = {"T": ticker, "p": live[0].price, "t": time_ns}
    return JSONResponse({"status": "OK", "request_id": request_id(), "results": told})


def _days(bars: pl.DataFrame, asked: OneQuery, **more: str) -> Response:
    """Return daily bars with their tickers."""
    starts = {day: four_o_clock(day) for day in bars["start"].unique()}
    time = pl.col("start").replace_strict(starts, return_dtype=pl.Int64())
    told = {"queryCount": bars.height, "resultsCount": bars.height, "adjusted": asked.adjusted}
    rows = rows_of(bars.with_columns(time=time), pl.col("symbol").alias("T"))
    return answer({**more, **told}, rows)


def _adjustment(adjusted: bool) -> Adjustment:  # noqa: FBT001 - as it is asked for
    return "split" if adjusted else "raw"
