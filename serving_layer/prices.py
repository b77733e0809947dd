"""The price routes: the latest price of symbols, from the realtime view, else the last close."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic_core import to_json

from lake.errors import MisuseError, UnknownSymbolError, ViewError
from lake.exchange import trading_day
from lake.instant import from_microseconds
from lake.interval import DAILY
from lake.symbol import canonical
from serving_layer.merged import Live, MergedReader
from serving_layer.problems import PROBLEMS
from serving_layer.query import BarsQuery
from serving_layer.routes import TheReader, symbols_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

router = APIRouter(tags=["prices"])


@dataclass(frozen=True, slots=True)
class Price:
    """The latest price of a symbol, and how old it is.

    Attributes:
        symbol: As it was asked for.
        price: USD a share; of the lake, on the split basis of today.
        time: When it printed; of the lake, when that session closed.
        session: Of which session it is.
        source: `live`: the realtime view; `lake`: the last close that batch has.
        feed: Who told it live; null of the lake.
        age_seconds: How long ago that was.
    """

    symbol: str
    price: float
    time: dt.datetime
    session: dt.date
    source: Literal["live", "lake"]
    feed: str | None
    age_seconds: float


@dataclass(frozen=True, slots=True)
class PricesAnswer:
    """Prices of symbols.

    Attributes:
        prices: In order of symbol.
        unknown: The symbols that have none.
        live: `merged`: the realtime view answered; `away`: it did not, and these are closes; null:
            there is none here.
    """

    prices: list[Price]
    unknown: list[str]
    live: Live | None


@router.get("/v1/prices", response_model=PricesAnswer, responses=PROBLEMS)
def prices(
    reader: TheReader,
    symbols: Annotated[str, Query(description="AAPL,MSFT: at most 500")],
) -> Response:
    """The latest prices of symbols, each with its source and age."""
    return _written(prices_of(reader, symbols_of(symbols)))


@router.get("/v1/prices/{symbol:path}", response_model=Price, responses=PROBLEMS)
def price(reader: TheReader, symbol: str) -> Response:
    """The latest price of a symbol, with its source and age."""
    if "," in symbol:
        fact = f"{symbol!r:.80} names several symbols: here is the price of one."
        raise MisuseError(fact, hint="GET /v1/prices?symbols=AAPL,MSFT tells those of several.")
    found = prices_of(reader, symbols_of(symbol))
    if not found.prices:
        fact = f"{', '.join(found.unknown)}: no such symbol, in the lake or live."
        raise UnknownSymbolError(fact, hint="GET /v1/symbols lists them.")
    return _written(found.prices[0])


def _written(answer: Price | PricesAnswer) -> Response:
    # Written here: FastAPI would hand it to another thread first, to check what is ours.
    return Response(to_json(answer), media_type="application/json")


def prices_of(reader: MergedReader, symbols: Sequence[str]) -> PricesAnswer:
    """Return the latest prices of some symbols."""
    live: Live | None = "merged" if reader.is_live else None
    found: dict[str, Price] = {}
    try:
        found |= _fresh(reader, {name: canonical(name) for name in symbols})
        missing = [name for name in symbols if name not in found]
        if missing and live:
            # A listing that trades under another symbol by now, or is named by its id.
            found |= _fresh(reader, reader.symbols_now(missing))
    except ViewError:
        live = "away"
    missing = [name for name in symbols if name not in found]
    found |= {each.symbol: each for each in _closes(reader, missing)}
    in_order = [found[name] for name in sorted(found)]
    return PricesAnswer(in_order, sorted({*symbols} - found.keys()), live)


def _fresh(reader: MergedReader, symbol_of: Mapping[str, str]) -> dict[str, Price]:
    """Return the live prices of names by the symbols under which they trade.

    Raises:
        ViewError: If the view does not answer.
    """
    told = reader.prices(list(symbol_of.values()))
    rows = [] if told is None else told.iter_rows(named=True)
    fresh = {row["symbol"]: row for row in rows if not _is_outdated(reader, row["session"])}
    now = reader.now()
    return {
        name: _live(name, fresh[symbol], now)
        for name, symbol in symbol_of.items()
        if symbol in fresh
    }


def _is_outdated(reader: MergedReader, session: dt.date) -> bool:
    """Return whether batch has a later close: the view keeps prices for days."""
    if session >= trading_day(reader.now()):
        return False
    boundary = reader.boundary()
    return boundary is not None and boundary > session


def _live(name: str, row: dict[str, Any], now: dt.datetime) -> Price:
    time = from_microseconds(row["time"])
    return Price(
        symbol=name,
        price=row["price"],
        time=time,
        session=row["session"],
        source="live",
        feed=row["source"],
        age_seconds=(now - time).total_seconds(),
    )


def _closes(reader: MergedReader, names: Sequence[str]) -> Iterator[Price]:
    """Yield the last closes of those that have one."""
    if not names:
        return
    by_year = defaultdict(list)
    for name, session in reader.last_sessions(names).items():
        by_year[session.year].append((name, session))
    for last in by_year.values():
        yield from _closes_of(reader, dict(last))


def _closes_of(reader: MergedReader, last: Mapping[str, dt.date]) -> Iterator[Price]:
    """Yield the closes of the last sessions of some, in one look at the lake.

    To look at all years takes a hundred times as long.
    """
    query = BarsQuery(tuple(last), DAILY, start=min(last.values()), end=max(last.values()))
    bars = pl.DataFrame(reader.stored(query)).group_by("listing", maintain_order=True).last()
    rows = bars.select("listing", "start", "close").iter_rows()
    found = {listing: (session, close) for listing, session, close in rows}
    for name, listing in reader.listings(last).items():
        close = found.get(listing) or _last(reader, name)
        if close:
            yield _close(reader, name, *close)


def _last(reader: MergedReader, name: str) -> tuple[dt.date, float] | None:
    """Return the last close of one that has none in its last session: that is told again."""
    bars = reader.stored(BarsQuery((name,), DAILY, descending=True, limit=1))
    return next(((bar["start"], bar["close"]) for bar in bars.to_pylist()), None)


def _close(reader: MergedReader, name: str, session: dt.date, price: float) -> Price:
    table = reader.sessions()
    closed = table.closes[table.ordinals(session, session)[0]]
    age_s = (reader.now() - closed).total_seconds()
    return Price(name, price, closed, session, "lake", None, age_s)
