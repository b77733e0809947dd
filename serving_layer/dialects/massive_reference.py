"""Massive's reference data: tickers, splits and dividends, filtered and page by page.

Source: https://massive.com/docs/rest/stocks, tickers and corporate actions, and what the official
clients read. A field that the lake has no data for is not there, and no filter either.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

import polars as pl
from fastapi import APIRouter, Query, Request
from pydantic import Field
from pydantic_core import to_json

from lake.exchange import trading_day
from lake.massive_symbols import lake_symbol, massive_symbol
from serving_layer.dialects.asked import Parameters
from serving_layer.dialects.listed import listed
from serving_layer.dialects.massive_rest import REFUSED
from serving_layer.dialects.massive_words import answer, next_url, with_cursor
from serving_layer.reference import TheReference
from serving_layer.routes import Day, TheReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.responses import Response

    from serving_layer.merged import MergedReader
    from serving_layer.reference_data import ReferenceData

router = APIRouter(tags=["massive"], responses=REFUSED)
_MOST: Final = 1000
_FIGI: Final = re.compile(r"BBG[0-9A-Z]{9}")
_TESTS: Final[dict[str, Callable[[pl.Expr, Any], pl.Expr]]] = {
    "": lambda column, value: column == value,
    ".gte": lambda column, value: column >= value,
    ".gt": lambda column, value: column > value,
    ".lte": lambda column, value: column <= value,
    ".lt": lambda column, value: column < value,
}
_TICKERS: Final = pl.Schema(
    {
        "ticker": pl.String(),
        "name": pl.String(),
        "market": pl.String(),
        "locale": pl.String(),
        "primary_exchange": pl.String(),
        "type": pl.String(),
        "active": pl.Boolean(),
        "currency_name": pl.String(),
        "composite_figi": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class Ticker:
    """What is known of a ticker."""

    ticker: str
    market: str
    locale: str
    active: bool
    currency_name: str
    name: str | None = None
    primary_exchange: str | None = None
    type: str | None = None
    composite_figi: str | None = None


@dataclass(frozen=True, slots=True)
class SplitRow:
    """From `execution_date` on, `split_to` shares stand for `split_from` before."""

    ticker: str
    execution_date: dt.date
    split_from: float
    split_to: float


@dataclass(frozen=True, slots=True)
class DividendRow:
    """`cash_amount` USD a share."""

    ticker: str
    ex_dividend_date: dt.date
    cash_amount: float
    currency: str


@dataclass(frozen=True, slots=True)
class TickersAnswer:
    """Tickers, and where to ask for those behind them."""

    count: int
    status: str
    request_id: str
    results: list[Ticker] = field(default_factory=list)
    next_url: str | None = None


@dataclass(frozen=True, slots=True)
class SplitsAnswer:
    """Splits, and where to ask for those behind them."""

    count: int
    status: str
    request_id: str
    results: list[SplitRow] = field(default_factory=list)
    next_url: str | None = None


@dataclass(frozen=True, slots=True)
class DividendsAnswer:
    """Dividends, and where to ask for those behind them."""

    count: int
    status: str
    request_id: str
    results: list[DividendRow] = field(default_factory=list)
    next_url: str | None = None


Amount = Annotated[float, Field(allow_inf_nan=False)]


class ListQuery(Parameters):
    """The query of a list: by ticker, and a page of it."""

    falls: ClassVar[bool] = True
    """Whether it is from the last to the first where nothing is said."""

    ticker: str | None = None
    ticker_gte: str | None = Field(default=None, alias="ticker.gte")
    ticker_gt: str | None = Field(default=None, alias="ticker.gt")
    ticker_lte: str | None = Field(default=None, alias="ticker.lte")
    ticker_lt: str | None = Field(default=None, alias="ticker.lt")
    order: Literal["asc", "desc"] | None = None
    limit: int = Field(default=10, ge=1, le=_MOST)
    offset: int = Field(default=0, ge=0, le=10**9, description="how many come before")
    cursor: str | None = Field(default=None, description="as a next_url has it; all else is in it")


class TickersQuery(ListQuery):
    """The query of tickers."""

    falls: ClassVar[bool] = False

    type: str | None = Field(default=None, description="as CS")
    market: str | None = Field(default=None, description="there are stocks")
    exchange: str | None = Field(default=None, description="as XNAS")
    date: Day | None = Field(default=None, description="those of that day; today")
    active: bool = Field(default=True, description="false: those that are traded no more")
    search: str | None = Field(default=None, description="part of the ticker, or of the name")
    limit: int = Field(default=100, ge=1, le=_MOST)
    sort: Literal["ticker", "name", "primary_exchange", "type"] = "ticker"


class SplitsQuery(ListQuery):
    """The query of splits."""

    execution_date: Day | None = None
    execution_date_gte: Day | None = Field(default=None, alias="execution_date.gte")
    execution_date_gt: Day | None = Field(default=None, alias="execution_date.gt")
    execution_date_lte: Day | None = Field(default=None, alias="execution_date.lte")
    execution_date_lt: Day | None = Field(default=None, alias="execution_date.lt")
    reverse_split: bool | None = None
    sort: Literal["execution_date", "ticker"] = "execution_date"


class DividendsQuery(ListQuery):
    """The query of dividends."""

    ex_dividend_date: Day | None = None
    ex_dividend_date_gte: Day | None = Field(default=None, alias="ex_dividend_date.gte")
    ex_dividend_date_gt: Day | None = Field(default=None, alias="ex_dividend_date.gt")
    ex_dividend_date_lte: Day | None = Field(default=None, alias="ex_dividend_date.lte")
    ex_dividend_date_lt: Day | None = Field(default=None, alias="ex_dividend_date.lt")
    cash_amount: Amount | None = None
    cash_amount_gte: Amount | None = Field(default=None, alias="cash_amount.gte")
    cash_amount_gt: Amount | None = Field(default=None, alias="cash_amount.gt")
    cash_amount_lte: Amount | None = Field(default=None, alias="cash_amount.lte")
    cash_amount_lt: Amount | None = Field(default=None, alias="cash_amount.lt")
    sort: Literal["ex_dividend_date", "ticker", "cash_amount"] = "ex_dividend_date"


@router.get("/v3/reference/tickers", response_model=TickersAnswer)
def tickers(
    request: Request,
    reader: TheReader,
    reference: TheReference,
    asked: Annotated[TickersQuery, Query()],
) -> Response:
    """Tickers of a day; with `active=false` those that were traded before it and no more."""
    asked = with_cursor(asked, asked.cursor)
    day = asked.date or trading_day(reader.now())
    rows = _tickers(reader, reference, day, active=asked.active)
    wanted = {"type": asked.type, "market": asked.market, "primary_exchange": asked.exchange}
    for column, value in wanted.items():
        if value is not None:
            rows = rows.filter(pl.col(column) == value)
    if asked.search is not None:
        text = asked.search.upper()
        told = pl.concat_str("ticker", "name", separator="\n", ignore_nulls=True)
        rows = rows.filter(told.str.to_uppercase().str.contains(text, literal=True))
    return _page(request, rows, asked)


@router.get("/v3/reference/splits", response_model=SplitsAnswer)
def splits(
    request: Request, reference: TheReference, asked: Annotated[SplitsQuery, Query()]
) -> Response:
    """Splits; those of one `ticker` are its listing's, under whatever ticker they came."""
    asked = with_cursor(asked, asked.cursor)
    rows = reference.split_rows(_symbol(asked)).select(
        _spelled(), pl.col("effective").alias("execution_date"), "split_from", "split_to"
    )
    if asked.reverse_split is not None:
        rows = rows.filter((pl.col("split_from") > pl.col("split_to")) == asked.reverse_split)
    return _page(request, rows, asked, found="ticker")


@router.get("/v3/reference/dividends", response_model=DividendsAnswer)
def dividends(
    request: Request, reference: TheReference, asked: Annotated[DividendsQuery, Query()]
) -> Response:
    """Dividends; those of one `ticker` are its listing's, under whatever ticker they came."""
    asked = with_cursor(asked, asked.cursor)
    rows = reference.dividend_rows(_symbol(asked)).select(
        _spelled(),
        pl.col("ex_date").alias("ex_dividend_date"),
        pl.col("amount").alias("cash_amount"),
        currency=pl.lit("USD"),
    )
    return _page(request, rows, asked, found="ticker")


def _tickers(
    reader: MergedReader, reference: ReferenceData, day: dt.date, *, active: bool
) -> pl.DataFrame:
    """Return the tickers of a day, or those of before, schema `_TICKERS`."""
    rows = [
        (
            *(massive_symbol(each.symbol), each.name, "stocks", "us", each.exchange, each.kind),
            *(active, "usd", each.listing if _FIGI.fullmatch(each.listing) else None),
        )
        for each in listed(reader, reference)
        if each.first <= day and each.is_listed(day) == active
    ]
    return pl.DataFrame(rows, _TICKERS, orient="row")


def _symbol(asked: ListQuery) -> str | None:
    """Return whose actions are asked for, where it is one ticker; None: of all."""
    return None if asked.ticker is None else lake_symbol(asked.ticker)


def _spelled() -> pl.Expr:
    spelled = pl.col("symbol").map_elements(massive_symbol, return_dtype=pl.String())
    return spelled.alias("ticker")


def _page(request: Request, rows: pl.DataFrame, asked: ListQuery, found: str = "") -> Response:
    """Return the rows that pass the filters asked for, from the offset on.

    Args:
        request: What was asked.
        rows: All there are.
        asked: Likewise.
        found: The filter by which they were looked for already.
    """
    given = asked.model_dump(by_alias=True, exclude_none=True)
    for column in rows.columns:
        for suffix, test in _TESTS.items():
            name = column + suffix
            if name in given and name != found:
                rows = rows.filter(test(pl.col(column), given[name]))
    falls = asked.falls if asked.order is None else asked.order == "desc"
    rows = rows.sort(given["sort"], "ticker", descending=[falls, False], nulls_last=True)
    shown = rows.slice(asked.offset, asked.limit)
    behind = asked.offset + asked.limit
    following = None
    if behind < rows.height:
        following = next_url(request, asked, request.url.path, offset=behind)
    told = [{name: _told(value) for name, value in row.items()} for row in shown.to_dicts()]
    return answer({"count": shown.height}, to_json(told, exclude_none=True), following)


def _told(value: object) -> object:
    """Return a value as Massive writes it: numbers that are whole without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
