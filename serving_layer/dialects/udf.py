"""TradingView's UDF: what its charts ask of a datafeed. The same bars as `/v1/bars`, as columns.

Source: https://www.tradingview.com/charting-library-docs/latest/connecting_data/UDF. Times are in
seconds; that of a bar of sessions is its first session's date at 00:00 UTC. Errors of what was
asked come with status 200, as the library reads them.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from pydantic_core import to_json

from lake.errors import InvalidIntervalError, MisuseError, NotFoundError, UnknownSymbolError
from lake.exchange import ZONE
from lake.interval import DAILY, INTERVALS, MINUTE, SESSION_INTERVALS
from lake.symbol import canonical
from serving_layer.dialects.asked import checked_symbol
from serving_layer.dialects.bars import page_of
from serving_layer.dialects.listed import listed
from serving_layer.problems import faults_of
from serving_layer.query import BarsQuery
from serving_layer.reference import TheReference
from serving_layer.routes import MAX_LIMIT, TheReader

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from lake.interval import Interval
    from lake.session import SessionTable
    from serving_layer.dialects.bars import Page
    from serving_layer.dialects.listed import Listed
    from serving_layer.merged import MergedReader
    from serving_layer.problems import Documented

_EXCHANGE: Final = "US"
"""Where reference data tell of none."""
_TYPES: Final = {"CS": "stock", "PFD": "stock", "ADRC": "dr", "ETF": "fund", "ETN": "fund"}
_STOCK: Final = "stock"
_SESSION: Final = "0930-1600"
_HOURS_SINCE: Final = dt.date(1985, 9, 30)
"""Before it the exchange opened at ten: no bars of minutes are as old."""
_MS: Final = 1000
_CENTS: Final = 100
_SEARCHED: Final = 30
_COLUMNS: Final = {"t": "time", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_EVER: Final = -(10**15)


def _resolution(interval: Interval) -> str:
    return str(interval.minutes) if interval.is_intraday else f"{interval.sessions}D"


_RESOLUTIONS: Final = {**{_resolution(each): each for each in INTERVALS}, "D": DAILY}


@dataclass(frozen=True, slots=True)
class UdfError:
    """What went wrong."""

    s: Literal["error"]
    errmsg: str


@dataclass(frozen=True, slots=True)
class Choice:
    """An exchange by which to search."""

    value: str
    name: str
    desc: str


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """A type of symbols by which to search."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Config:
    """What this datafeed can do."""

    supports_search: bool
    supports_group_request: bool
    supports_marks: bool
    supports_timescale_marks: bool
    supports_time: bool
    exchanges: list[Choice]
    symbols_types: list[TypeChoice]
    supported_resolutions: list[str]


@dataclass(frozen=True, slots=True)
class SearchedSymbol:
    """A symbol that was found."""

    symbol: str
    full_name: str
    description: str
    exchange: str
    ticker: str
    type: str


class SymbolInfo(BaseModel):
    """What a chart needs to know of a symbol.

    Attributes:
        session: Regular hours, exchange time.
        session_holidays: Weekdays on which there are none, with commas.
        corrections: Days of other hours, as `0930-1300:20241129`, with semicolons.
        pricescale: The smallest step of the price is `minmov` / this.
        daily_multipliers: In sessions: bars of so many are asked for, not built by the chart.
        exchange_listed: The same again, as older charts read it.
        exchange_traded: Likewise.
    """

    name: str
    ticker: str
    description: str
    type: str
    exchange: str
    listed_exchange: str
    exchange_listed: str = Field(serialization_alias="exchange-listed")
    exchange_traded: str = Field(serialization_alias="exchange-traded")
    timezone: str
    session: str
    session_holidays: str
    corrections: str
    minmov: int
    pricescale: int
    has_intraday: bool
    has_daily: bool
    has_weekly_and_monthly: bool
    intraday_multipliers: list[str]
    daily_multipliers: list[str]
    supported_resolutions: list[str]
    volume_precision: int
    format: str
    data_status: str


@dataclass(frozen=True, slots=True)
class History:
    """Bars as columns, in order of time."""

    s: Literal["ok"]
    t: list[int]
    o: list[float]
    h: list[float]
    l: list[float]  # noqa: E741 - UDF's own name
    c: list[float]
    v: list[float]


@dataclass(frozen=True, slots=True)
class NoData:
    """No bars; `nextTime` is when the last one before them is, where there is one."""

    s: Literal["no_data"]
    nextTime: int | None = None  # noqa: N815 - likewise


class _Route(APIRoute):
    """A route whose errors of what was asked come with 200: the library reads them there."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except RequestValidationError as error:
                return refused(HTTPStatus.OK, faults_of(error))
            except (MisuseError, NotFoundError) as error:
                return refused(HTTPStatus.OK, str(error))

        return handler


REFUSED: Final[Documented] = {
    status: {"model": UdfError, "description": "Refused, as UDF does"} for status in (503, "4XX")
}
router = APIRouter(tags=["tradingview"], responses=REFUSED, route_class=_Route)


def refused(status: HTTPStatus, text: str) -> Response:
    """Return an error as UDF writes it."""
    return JSONResponse({"s": "error", "errmsg": text}, status_code=status)


@router.get("/udf/config")
def config(request: Request, reader: TheReader) -> Config:
    """What this datafeed can do."""
    types = [TypeChoice(each.capitalize(), each) for each in sorted(set(_TYPES.values()))]
    return Config(
        supports_search=True,
        supports_group_request=False,
        supports_marks=False,
        supports_timescale_marks=False,
        supports_time=True,
        exchanges=[Choice("", "All exchanges", "")],
        symbols_types=[TypeChoice("All types", ""), *types],
        supported_resolutions=[_resolution(each) for each in _offered(request, reader)],
    )


@router.get("/udf/time")
def time(reader: TheReader) -> int:
    """The present, in seconds since 1970."""
    return int(reader.now().timestamp())


@router.get("/udf/search", response_model=list[SearchedSymbol] | UdfError)
def search(  # noqa: PLR0913, PLR0917 - the protocol's parameters
    reader: TheReader,
    reference: TheReference,
    query: Annotated[str, Query(description="part of the symbol")] = "",
    type: Annotated[str, Query(description="as config has it; empty: all")] = "",  # noqa: A002
    exchange: Annotated[str, Query(description="likewise")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = _SEARCHED,
) -> list[SearchedSymbol]:
    """Symbols that contain a text; those that begin with it come first."""
    # Of listings that had a symbol one after the other, the last one is meant.
    last = {each.symbol: each for each in listed(reader, reference, query)}
    return [
        each
        for each in map(_searched, last.values())
        if (type or each.type) == each.type and (exchange or each.exchange) == each.exchange
    ][:limit]


@router.get("/udf/symbols", response_model=SymbolInfo | UdfError)
def symbols(
    request: Request,
    reader: TheReader,
    reference: TheReference,
    symbol: Annotated[str, Query(description="AAPL, or XNAS:AAPL")],
) -> SymbolInfo:
    """What a chart needs to know of a symbol."""
    name = _name(symbol)
    listing = reader.listings([name]).get(name)
    of_listing = [each for each in listed(reader, reference) if each.listing == listing]
    if not of_listing:
        fact = f"{name}: no such symbol."
        raise UnknownSymbolError(fact, hint="/udf/search finds those there are.")
    told = _searched(max(of_listing, key=lambda each: each.first))
    offered = _offered(request, reader)
    holidays, corrections = _exceptions(reader.sessions(), min(each.first for each in of_listing))
    return SymbolInfo(
        name=name,
        ticker=name,
        description=told.description,
        type=told.type,
        exchange=told.exchange,
        listed_exchange=told.exchange,
        exchange_listed=told.exchange,
        exchange_traded=told.exchange,
        timezone=str(ZONE),
        session=_SESSION,
        session_holidays=holidays,
        corrections=corrections,
        minmov=1,
        pricescale=_scale(reader, name),
        has_intraday=MINUTE in offered,
        has_daily=True,
        has_weekly_and_monthly=False,
        intraday_multipliers=[_resolution(each) for each in offered if each.is_intraday],
        daily_multipliers=[str(each.sessions) for each in offered if each.sessions],
        supported_resolutions=[_resolution(each) for each in offered],
        volume_precision=0,
        format="price",
        data_status="endofday" if request.app.state.live is None else "streaming",
    )


@router.get("/udf/history", response_model=History | NoData | UdfError)
def history(  # noqa: PLR0913, PLR0917 - the protocol's parameters
    reader: TheReader,
    symbol: Annotated[str, Query(description="AAPL, or XNAS:AAPL")],
    resolution: Annotated[str, Query(json_schema_extra={"enum": list(_RESOLUTIONS)})],
    to: Annotated[int, Query(description="seconds; exclusive")],
    first: Annotated[int, Query(alias="from", description="seconds; inclusive")] = 0,
    countback: Annotated[
        int, Query(ge=0, description="so many bars before `to`, whatever `from` is")
    ] = 0,
) -> Response:
    """Bars before a time, at most 50,000: adjusted for splits, the one that is forming too."""
    query = BarsQuery((_name(symbol),), _interval(resolution), descending=True)
    begin = _EVER if countback else first * _MS
    limit = min(countback or MAX_LIMIT, MAX_LIMIT)
    page = page_of(reader, query, (begin, to * _MS - 1), limit, dt.UTC)
    if page.bars.height:
        told = {name: page.bars[column].reverse() for name, column in _COLUMNS.items()}
        told["t"] //= _MS
        columns = {name: column.to_list() for name, column in told.items()}
        return _json({"s": "ok", **columns}, page)
    before = page_of(reader, query, (_EVER, min(begin, to * _MS) - 1), 1, dt.UTC)
    later = {"nextTime": before.bars["time"][0] // _MS} if before.bars.height else {}
    return _json({"s": "no_data", **later}, page)


def _json(told: dict[str, Any], page: Page) -> Response:
    body = to_json(told)
    return Response(body, media_type="application/json", headers=page.headers())


def _offered(request: Request, reader: MergedReader) -> Sequence[Interval]:
    """Return the intervals of which there are bars, in the lake or live."""
    has_minutes = request.app.state.live is not None or reader.boundary(MINUTE) is not None
    return INTERVALS if has_minutes else SESSION_INTERVALS


def _interval(resolution: str) -> Interval:
    interval = _RESOLUTIONS.get(resolution)
    if interval is None:
        fact = f"resolution {resolution!r:.40} is not offered. Allowed: {', '.join(_RESOLUTIONS)}."
        raise InvalidIntervalError(fact)
    return interval


def _name(symbol: str) -> str:
    """Return a symbol without the exchange that may stand before it."""
    return canonical(checked_symbol(symbol.rpartition(":")[2]))


def _searched(symbol: Listed) -> SearchedSymbol:
    exchange = symbol.exchange or _EXCHANGE
    return SearchedSymbol(
        symbol=symbol.symbol,
        full_name=f"{exchange}:{symbol.symbol}",
        description=symbol.name or symbol.symbol,
        exchange=exchange,
        ticker=symbol.symbol,
        type=_TYPES.get(symbol.kind or "", _STOCK),
    )


def _scale(reader: MergedReader, name: str) -> int:
    """Return how many steps of the price there are in a dollar: below one they are smaller.

    Source: Regulation NMS, rule 612.
    """
    bars = reader.bars(BarsQuery((name,), DAILY, descending=True, limit=1))
    return _CENTS**2 if bars.num_rows and bars["close"][0].as_py() < 1 else _CENTS


def _exceptions(table: SessionTable, first: dt.date) -> tuple[str, str]:
    """Return the weekdays that are no sessions, and the sessions of other hours, since a date."""
    hours = defaultdict(list)
    since = table.ordinals(max(first, _HOURS_SINCE), dt.date.max)
    for ordinal in since:
        ends = (table.opens[ordinal], table.closes[ordinal])
        text = "-".join(f"{each.astimezone(ZONE):%H%M}" for each in ends)
        if text != _SESSION:
            hours[text].append(f"{table[ordinal]:%Y%m%d}")
    corrections = ";".join(f"{text}:{','.join(days)}" for text, days in hours.items())
    sessions = np.array([table[ordinal] for ordinal in since], "datetime64[D]")
    weekdays = np.arange(sessions[0], sessions[-1])
    closed = np.setdiff1d(weekdays[np.is_busday(weekdays)], sessions)
    return ",".join(str(day).replace("-", "") for day in closed), corrections
