"""The REST routes, version 1."""

from __future__ import annotations

import datetime as dt
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

import polars as pl
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import BeforeValidator
from pydantic_core import to_json

from lake.bar import Bar, Hours, IntradayBar
from lake.errors import EmptyLakeError, InvalidRangeError
from lake.instant import parse_instant
from lake.interval import INTERVALS, LIVE, MINUTE, SESSION_INTERVALS, parse_one_of
from serving_layer.problems import PROBLEMS
from serving_layer.query import DATE, Adjustment, BarsQuery
from serving_layer.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from lake.interval import Interval

_INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"
MAX_LIMIT: Final = 50_000
router = APIRouter()


def _written_out(text: object) -> object:
    # Pydantic would take a number for seconds since 1970.
    if isinstance(text, str) and not DATE.fullmatch(text):
        msg = "a date is written YYYY-MM-DD"
        raise ValueError(msg)
    return text


def _instant(text: object) -> object:
    # Read by our own rule: its error says what is missing, and how to write it in a URL.
    return parse_instant(text) if isinstance(text, str) else text


Day = Annotated[dt.date, BeforeValidator(_written_out)]
Instant = Annotated[dt.datetime, BeforeValidator(_instant)]


def _reader(request: Request) -> Reader:
    reader: Reader = request.app.state.reader
    return reader


TheReader = Annotated[Reader, Depends(_reader)]


@dataclass(frozen=True, slots=True)
class BarsAnswer:
    """Bars of one symbol.

    Attributes:
        as_of: The date whose basis the bars are on; null for raw bars.
        known_at: The instant as of whose knowledge this is; null: now.
        session: Which hours' bars of 1m to 4h these are; null for those of sessions.
        boundary: The last session that batch has committed; null before the first.
        next_cursor: Ask again with it as `cursor` for the bars behind these; null at the end.
    """

    symbol: str
    interval: str
    adjustment: Adjustment
    as_of: dt.date | None
    known_at: dt.datetime | None
    session: Hours | None
    boundary: dt.date | None
    bars: list[Bar] | list[IntradayBar]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class IntervalAnswer:
    """An interval, how many sessions its bars have, and whether the lake can have some."""

    interval: str
    sessions: int
    stored: bool


@dataclass(frozen=True, slots=True)
class IntervalsAnswer:
    """The intervals on offer, and whether live bars are."""

    intervals: list[IntervalAnswer]
    live: bool


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """Whether the service lives, or is ready; and how what feeds it is, where that is in it."""

    status: str
    feeding: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class BarsParameters:
    """The query of `GET /v1/bars/{symbol}`."""

    interval: Annotated[str, Query(description=" ".join(map(str, INTERVALS)))] = "1d"
    start: Annotated[
        Day | None, Query(description="first start of a bar, of 1m to 4h its session; inclusive")
    ] = None
    end: Annotated[
        Day | None, Query(description="last start of a bar, of 1m to 4h its session; inclusive")
    ] = None
    adjustment: Adjustment = "split"
    as_of: Annotated[
        Day | None, Query(description="the date whose basis is wanted; today, or that of known_at")
    ] = None
    known_at: Annotated[
        Instant | None, Query(description="answer as the lake knew it then; an offset or Z; now")
    ] = None
    session: Annotated[Hours, Query(description="of 1m to 4h: which hours")] = "regular"
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 5000
    cursor: Annotated[str | None, Query(description="next_cursor of the answer before")] = None


@router.get("/v1/bars/{symbol:path}", response_model=BarsAnswer, responses=PROBLEMS, tags=["bars"])
def bars(symbol: str, asked: Annotated[BarsParameters, Depends()], reader: TheReader) -> Response:
    """Bars of a symbol, in order of start; those forming are among them, and say so."""
    query = _query(symbol, asked)
    answer = bars_answer(reader, query, reader.bars(query), limit=asked.limit)
    return Response(answer, media_type="application/json")


def bars_answer(reader: Reader, query: BarsQuery, found: pa.Table, *, limit: int) -> bytes:
    """Return the first `limit` bars of a query for one symbol, as the JSON of `BarsAnswer`."""
    shown = found.slice(0, limit)
    head = {
        "symbol": query.named[0],
        "interval": str(query.interval),
        "adjustment": query.adjustment,
        "as_of": reader.as_of(query),
        "known_at": query.known_at,
        "session": query.session if query.interval.is_intraday else None,
        "boundary": reader.boundary(query.interval),
        "next_cursor": _cursor(shown["start"][-1].as_py()) if found.num_rows > limit else None,
    }
    # Polars writes rows ten times as fast as they are made Python's and written then.
    rows = pl.DataFrame(shown)
    if query.interval.is_intraday:
        rows = rows.with_columns(pl.col("start").dt.strftime(_INSTANT))
    return to_json(head)[:-1] + b',"bars":' + rows.write_json().encode() + b"}"


@router.get("/v1/intervals", tags=["reference"])
def intervals(request: Request, reader: TheReader) -> IntervalsAnswer:
    """The intervals on offer: those of minutes and hours where the lake or a feed has some."""
    live = request.app.state.live is not None
    stored = SESSION_INTERVALS if reader.boundary(MINUTE) is None else INTERVALS
    return intervals_answer(stored, live=live)


def intervals_answer(stored: Sequence[Interval], *, live: bool) -> IntervalsAnswer:
    """Return what is on offer: what the lake has, and what a feed tells of."""
    offered = [each for each in INTERVALS if each in stored or (live and each in LIVE)]
    return IntervalsAnswer(
        [IntervalAnswer(str(each), each.sessions, each in stored) for each in offered], live
    )


@router.get("/health/live", response_model_exclude_none=True, tags=["health"])
def live(request: Request) -> HealthAnswer:
    """Whether the service runs, and how what feeds its live bars is, where that runs in it."""
    feeding = request.app.state.feeding
    return HealthAnswer("live", feeding() if feeding else None)


@router.get("/health/ready", response_model_exclude_none=True, responses=PROBLEMS, tags=["health"])
def ready(reader: TheReader) -> HealthAnswer:
    """Whether it can answer: the lake is there and holds bars."""
    try:
        reader.symbols()
    except EmptyLakeError as error:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None
    return HealthAnswer("ready")


def _query(symbol: str, asked: BarsParameters) -> BarsQuery:
    name = symbol.strip().upper()
    interval = parse_one_of(asked.interval, INTERVALS)
    return BarsQuery(
        symbols=(name,),
        interval=interval,
        start=asked.start,
        end=asked.end,
        adjustment=asked.adjustment,
        as_of=asked.as_of,
        known_at=asked.known_at,
        after=None if asked.cursor is None else (name, _behind(asked.cursor, interval)),
        session=asked.session,
        # One more than asked for tells whether there are more.
        limit=asked.limit + 1,
    )


def _cursor(start: dt.date) -> str:
    return urlsafe_b64encode(start.isoformat().encode()).decode()


def _behind(cursor: str, interval: Interval) -> dt.date:
    try:
        start = urlsafe_b64decode(cursor).decode()
        return parse_instant(start) if interval.is_intraday else dt.date.fromisoformat(start)
    except (InvalidRangeError, ValueError):
        fact = f"{cursor!r} is not a cursor. Allowed: the next_cursor of an answer."
        raise InvalidRangeError(fact) from None
