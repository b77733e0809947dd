"""Alpaca's REST: bars, the latest ones, and assets. The same bars as `/v1/bars`, in their words.

Source: https://docs.alpaca.markets/reference/stockbars, .../stocklatestbars and .../get-v2-assets,
and what the official client reads. The time of a bar of sessions is midnight at the exchange.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
import uuid
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import polars as pl
from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from lake.errors import (
    EmptyLakeError,
    InvalidIntervalError,
    InvalidRangeError,
    MisuseError,
    UnknownSymbolError,
)
from lake.exchange import trading_day
from lake.instant import microseconds, parse_instant
from lake.interval import INTERVALS, MINUTE, Interval
from serving_layer.answers import INSTANT
from serving_layer.dialects.asked import Parameters, checked_symbol
from serving_layer.dialects.bars import midnight, milliseconds, none, page_of, times_of
from serving_layer.dialects.listed import listed
from serving_layer.query import DATE, BarsQuery, parse_date
from serving_layer.reference import TheReference
from serving_layer.routes import Day, TheReader, symbols_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving_layer.dialects.bars import Page
    from serving_layer.merged import MergedReader
    from serving_layer.problems import Documented
    from serving_layer.query import Adjustment

Feed = Literal["sip", "iex", "delayed_sip"]
_UNITS: Final = {"m": "Min", "h": "Hour", "d": "Day"}
_TIMEFRAMES: Final = {f"{each.count}{_UNITS[each.unit]}": each for each in INTERVALS}
_ABBREVIATED: Final = {"T": "Min", "H": "Hour", "D": "Day"}
_TIMEFRAME: Final = re.compile(r"([0-9]{1,3})([A-Za-z]+)")
_ADJUSTMENTS: Final[dict[str, Adjustment]] = {"raw": "raw", "split": "split", "all": "all"}
_EXCHANGES: Final = {
    "XNYS": "NYSE",
    "XNAS": "NASDAQ",
    "XASE": "AMEX",
    "ARCX": "ARCA",
    "BATS": "BATS",
    "OTCM": "OTC",
}
"""By market identifier code; the empty one is of all others."""
_RIGHTS: Final = ("tradable", "marginable", "shortable", "easy_to_borrow", "fractionable")
_LIMIT: Final = 1_000
_MOST: Final = 10_000
_LATELY: Final = dt.timedelta(days=7)
_CODE: Final = 100_000
_FIRST: Final = 10_000
_NANOSECONDS: Final = re.compile(r"(\.[0-9]{6})[0-9]{1,3}(?=[Z+-])")


@dataclass(frozen=True, slots=True)
class AlpacaError:
    """What is refused: the first three digits of `code` are the status of HTTP."""

    code: int
    message: str


REFUSED: Final[Documented] = {
    status: {"model": AlpacaError, "description": "Refused, as Alpaca does"}
    for status in (400, 404, 503, "4XX")
}
router = APIRouter(tags=["alpaca"], responses=REFUSED)
live_router = APIRouter(tags=["alpaca"], responses=REFUSED)


@dataclass(frozen=True, slots=True)
class AlpacaBar:
    """A bar: `t` when it starts, `n` how many trades."""

    t: dt.datetime
    o: float
    h: float
    l: float  # noqa: E741 - Alpaca's own name
    c: float
    v: float
    n: int | None
    vw: float | None


@dataclass(frozen=True, slots=True)
class AlpacaBars:
    """Bars by symbol; of a symbol that is not known there are none."""

    bars: dict[str, list[AlpacaBar]]
    next_page_token: str | None


@dataclass(frozen=True, slots=True)
class AlpacaBarsOfOne:
    """Bars of one symbol."""

    bars: list[AlpacaBar]
    symbol: str
    next_page_token: str | None


@dataclass(frozen=True, slots=True)
class LatestBars:
    """The latest bar of one minute by symbol, of those that have one lately."""

    bars: dict[str, AlpacaBar]


@dataclass(frozen=True, slots=True)
class LatestBarOfOne:
    """The latest bar of one minute of a symbol; null where it has none lately."""

    bar: AlpacaBar | None
    symbol: str


class Asset(BaseModel):
    """A symbol. Nothing is traded here."""

    id: uuid.UUID
    asset_class: Literal["us_equity"] = Field(alias="class")
    exchange: str
    symbol: str
    name: str
    status: Literal["active", "inactive"]
    tradable: bool
    marginable: bool
    shortable: bool
    easy_to_borrow: bool
    fractionable: bool


class OneBarsQuery(Parameters):
    """The query of one symbol's bars."""

    timeframe: str = Field(json_schema_extra={"enum": list(_TIMEFRAMES)})
    start: str | None = Field(
        default=None, description="YYYY-MM-DD or an instant; inclusive; today"
    )
    end: str | None = Field(default=None, description="YYYY-MM-DD or an instant; inclusive; now")
    limit: int = Field(default=_LIMIT, ge=1, le=_MOST, description="of all symbols together")
    adjustment: str = Field(default="raw", json_schema_extra={"enum": list(_ADJUSTMENTS)})
    asof: Day | None = Field(default=None, description="when the symbols had their names; today")
    feed: Feed = Field(default="sip", description="whichever it is, the bars are the same")
    currency: Literal["USD"] = "USD"
    sort: Literal["asc", "desc"] = "asc"
    page_token: str | None = Field(default=None, description="next_page_token of the answer before")


class ManyBarsQuery(OneBarsQuery):
    """The query of several symbols' bars."""

    symbols: str = Field(description="AAPL,MSFT: at most 500")


class OneLatestQuery(Parameters):
    """The query of one symbol's latest bar."""

    feed: Feed = "sip"
    currency: Literal["USD"] = "USD"


class LatestQuery(OneLatestQuery):
    """The query of several symbols' latest bars."""

    symbols: str = Field(description="AAPL,MSFT: at most 500")


class AssetsQuery(Parameters):
    """The query of assets."""

    status: Literal["active", "inactive"] | None = None
    asset_class: Literal["us_equity", "us_option", "crypto", "crypto_perp"] = "us_equity"
    exchange: str | None = None


def refused(status: HTTPStatus, text: str) -> Response:
    """Return an error as Alpaca writes it; what cannot be read is a 400 there."""
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    body = {"code": status * _CODE + _FIRST, "message": text}
    return JSONResponse(body, status_code=status)


@router.get("/v2/stocks/bars", response_model=AlpacaBars)
def bars(reader: TheReader, asked: Annotated[ManyBarsQuery, Query()]) -> Response:
    """Bars of several symbols, in order of symbol and time; the one that is forming is the last."""
    page = _page(reader, asked, symbols_of(asked.symbols))
    by_name = page.bars.partition_by("name", as_dict=True, maintain_order=True)
    told = {name: _rows(found) for (name,), found in by_name.items()}
    return _answered({"bars": told}, page)


@router.get("/v2/stocks/{symbol}/bars", response_model=AlpacaBarsOfOne)
def bars_of_one(
    reader: TheReader, symbol: str, asked: Annotated[OneBarsQuery, Query()]
) -> Response:
    """Bars of a symbol, in order of time; the one that is forming is the last."""
    page = _page(reader, asked, (checked_symbol(symbol).strip().upper(),))
    return _answered({"bars": _rows(page.bars), "symbol": symbol}, page)


@live_router.get("/v2/stocks/bars/latest", response_model=LatestBars)
def latest(reader: TheReader, asked: Annotated[LatestQuery, Query()]) -> Response:
    """The latest bar of one minute of each symbol, of regular hours."""
    found = {name: _latest(reader, name) for name in symbols_of(asked.symbols)}
    return _json({"bars": {name: bar for name, bar in found.items() if bar}})


@live_router.get("/v2/stocks/{symbol}/bars/latest", response_model=LatestBarOfOne)
def latest_of_one(
    reader: TheReader,
    symbol: str,
    _asked: Annotated[OneLatestQuery, Query()],
) -> Response:
    """The latest bar of one minute of a symbol, of regular hours."""
    return _json({"bar": _latest(reader, checked_symbol(symbol)), "symbol": symbol})


@router.get("/v2/assets", response_model=list[Asset])
def assets(
    reader: TheReader, reference: TheReference, asked: Annotated[AssetsQuery, Query()]
) -> Response:
    """All symbols, those that are listed no more too; `class` is us_equity."""
    if asked.asset_class != "us_equity":
        return _json([])
    today, rows = trading_day(reader.now()), []
    for each in listed(reader, reference):
        row = {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{each.listing} {each.symbol}")),
            "class": "us_equity",
            "exchange": _EXCHANGES.get(each.exchange or "", ""),
            "symbol": each.symbol,
            "name": each.name or "",
            "status": "active" if each.is_listed(today) else "inactive",
        }
        if asked.status in {None, row["status"]} and asked.exchange in {None, row["exchange"]}:
            rows.append(row | dict.fromkeys(_RIGHTS, False))
    return _json(rows)


def _page(reader: MergedReader, asked: OneBarsQuery, names: Sequence[str]) -> Page:
    """Return the bars asked for of the symbols that are known."""
    interval = _interval(asked.timeframe)
    query = BarsQuery(
        symbols=tuple(map(checked_symbol, names)),
        interval=interval,
        adjustment=_adjustment(asked.adjustment),
        after=None if asked.page_token is None else _behind(asked.page_token, interval),
        descending=asked.sort == "desc",
        # It says what symbols name; the bars are on the basis of today.
        names_on=asked.asof,
    )
    times, named = _times(asked, reader.now()), _named(reader, query)
    limit = max(1, asked.limit // max(map(len, named.values())))
    try:
        page = page_of(reader, query, times, limit)
    except UnknownSymbolError:
        known = tuple(name for name in query.named if _is_known(reader, query, name))
        if not known:
            return none(reader, query)
        page = page_of(reader, replace(query, symbols=known), times, limit)
    return replace(page, bars=_of_all_names(page.bars, named))


def _named(reader: MergedReader, query: BarsQuery) -> dict[str, list[str]]:
    """Return the names of a query by the listings that they mean."""
    listings, day = reader.market(query).listings, query.names_on or trading_day(reader.now())
    named: dict[str, list[str]] = {}
    for name in query.named:
        named.setdefault(listings.named(name, day), []).append(name)
    return named


def _of_all_names(bars: pl.DataFrame, named: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Return bars under each name that their listing has in a query, not under one alone."""
    if all(len(names) == 1 for names in named.values()):
        return bars
    rows = [(listing, name) for listing, names in named.items() for name in names]
    names = pl.DataFrame(rows, {"listing": pl.String(), "name": pl.String()}, orient="row")
    listed = bars.drop("name").with_columns(pl.col("listing").cast(pl.String()))
    joined = listed.join(names, on="listing", maintain_order="left_right")
    return joined.sort("name", maintain_order=True)


def _is_known(reader: MergedReader, query: BarsQuery, name: str) -> bool:
    try:
        reader.found(replace(query, symbols=(name,), after=None, limit=1))
    except UnknownSymbolError:
        return False
    return True


def _interval(timeframe: str) -> Interval:
    match = _TIMEFRAME.fullmatch(timeframe)
    if match:
        count, unit = match.groups()
        interval = _TIMEFRAMES.get(f"{count}{_ABBREVIATED.get(unit, unit)}")
        if interval is not None:
            return interval
    fact = f"timeframe {timeframe!r:.40} is not offered. Allowed: {', '.join(_TIMEFRAMES)}."
    raise InvalidIntervalError(fact)


def _adjustment(text: str) -> Adjustment:
    adjustment = _ADJUSTMENTS.get(text)
    if adjustment is None:
        fact = f"adjustment {text!r:.40} is not offered. Allowed: {', '.join(_ADJUSTMENTS)}."
        raise MisuseError(fact, hint="dividends alone are not taken out: all takes out both.")
    return adjustment


def _times(asked: OneBarsQuery, now: dt.datetime) -> tuple[int, int]:
    """Return the first and the last time asked for; today's where nothing is said."""
    today, present = midnight(trading_day(now)), milliseconds(now)
    first = today if asked.start is None else _time(asked.start, is_end=False)
    last = present if asked.end is None else _time(asked.end, is_end=True)
    if asked.start is not None and first > last:
        fact = f"The start {asked.start} is after the end {asked.end or 'now'}."
        raise InvalidRangeError(fact)
    return first, last


def _time(text: str, *, is_end: bool) -> int:
    """Return an instant in ms; a date's begin, or its end."""
    if DATE.fullmatch(text):
        return times_of(text)[is_end]
    instant = parse_instant(_NANOSECONDS.sub(r"\1", text))
    return milliseconds(instant) if is_end else -(-microseconds(instant) // 1000)


def _behind(token: str, interval: Interval) -> tuple[str, dt.date]:
    """Return the name and the start that a page token tells."""
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
        name, _, start = text.rpartition(" ")
        return name, parse_instant(start) if interval.is_intraday else parse_date(start)
    except (binascii.Error, ValueError, InvalidRangeError):
        fact = f"page_token {token[:80]!r} is none. Allowed: the next_page_token of an answer."
        raise InvalidRangeError(fact, hint="ask the same again, with the token.") from None


def _answered(told: dict[str, Any], page: Page) -> Response:
    token = None
    if page.following is not None and page.place is not None:
        name, start = page.place
        token = base64.urlsafe_b64encode(f"{name} {start.isoformat()}".encode()).decode()
    answer = _json({**told, "next_page_token": token})
    answer.headers.update(page.headers())
    return answer


def _rows(bars: pl.DataFrame) -> list[dict[str, Any]]:
    values = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    rows = bars.select(
        pl.from_epoch("time", time_unit="ms").dt.strftime(INSTANT).alias("t"),
        *(pl.col(name).alias(short) for short, name in values.items()),
        pl.col("trades").alias("n"),
        pl.col("vwap").alias("vw"),
    )
    return rows.to_dicts()


def _latest(reader: MergedReader, name: str) -> dict[str, Any] | None:
    """Return the latest bar of one minute; None: there is none lately."""
    boundary = reader.boundary(MINUTE)
    query = BarsQuery((checked_symbol(name),), MINUTE, adjustment="raw", descending=True)
    first = 0 if boundary is None else midnight(boundary - _LATELY)
    try:
        page = page_of(reader, query, (first, milliseconds(reader.now())), 1)
    except (UnknownSymbolError, EmptyLakeError):
        return None
    return next(iter(_rows(page.bars)), None)


def _json(told: object) -> Response:
    return Response(to_json(told), media_type="application/json")
