"""The REST routes, version 1."""

from __future__ import annotations

import asyncio
import datetime as dt
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from http import HTTPStatus
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BeforeValidator

from lake.bar import Bar, Hours, IntradayBar
from lake.errors import InvalidRangeError, MisuseError
from lake.instant import parse_instant
from lake.interval import INTERVALS, MINUTE, SESSION_INTERVALS, parse_one_of
from lake.schemas import BARS, INTRADAY_BARS
from serving_layer.answers import MEDIA, Form, Head, arrow_of, csv_of, form_of
from serving_layer.auth import access_of
from serving_layer.cores import CORE
from serving_layer.merged import Found, Live, MergedReader, Pieces
from serving_layer.problems import PROBLEMS, documented, one_of
from serving_layer.query import DATE, Adjustment, BarsQuery
from serving_layer.readiness import why_not

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.interval import Interval

MAX_LIMIT: Final = 50_000
MAX_SYMBOLS: Final = 500
_LIMIT: Final = 5000
_BARS_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    **PROBLEMS,
    **documented(406),
    200: {"content": {media: {} for media in MEDIA.values()}},
}
router = APIRouter()
health_router = APIRouter(tags=["health"])
"""Open to all: those who ask whether the service lives have no key."""


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


async def _reader(request: Request) -> MergedReader:
    reader: MergedReader = request.app.state.reader
    return reader


Order = Literal["asc", "desc"]
_VARY: Final = {"vary": "Accept"}
TheReader = Annotated[MergedReader, Depends(_reader)]


@dataclass(frozen=True, slots=True)
class BarsAnswer:
    """Bars of one symbol.

    Attributes:
        as_of: The date whose basis the bars are on; null for raw bars.
        known_at: The instant as of whose knowledge this is; null: now.
        session: Which hours' bars of 1m to 4h these are; null for those of sessions.
        boundary: The last session that batch has committed; null before the first.
        live: `merged`: what the speed layer tells after the boundary is in the bars; `away`: the
            realtime view does not answer, and these are the lake's alone; null: there is none here,
            or `known_at` asks for none.
        next_cursor: Ask again with it as `cursor` for the bars behind these; null at the end.
    """

    symbol: str
    interval: str
    adjustment: Adjustment
    as_of: dt.date | None
    known_at: dt.datetime | None
    session: Hours | None
    boundary: dt.date | None
    live: Live | None
    bars: list[Bar] | list[IntradayBar]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ManyBarsAnswer:
    """Bars of several symbols, in order of symbol: otherwise as `BarsAnswer`."""

    symbols: list[str]
    interval: str
    adjustment: Adjustment
    as_of: dt.date | None
    known_at: dt.datetime | None
    session: Hours | None
    boundary: dt.date | None
    live: Live | None
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
    """Whether the service lives, or is ready; and how its parts are, where they are in it.

    Attributes:
        status: `live` or `ready`.
        feeding: Of what feeds live bars, by part.
        access: Of keys and limits: `database` is `ok` or `away`, and then `keys` are `kept`, as
            they were read last, or `refused`; `limits` says where requests are counted.
        told_again: The session that the feed tells again; the lake is taken as on its eve.
    """

    status: str
    feeding: dict[str, Any] | None = None
    access: dict[str, str] | None = None
    told_again: dt.date | None = None


@dataclass(frozen=True, slots=True)
class BarsParameters:
    """The query of `GET /v1/bars/{symbol}`."""

    interval: Annotated[str, Query(json_schema_extra=one_of(INTERVALS))] = "1d"
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
    limit: Annotated[
        int | None, Query(ge=1, le=MAX_LIMIT, description="5000; of CSV and Arrow all")
    ] = None
    cursor: Annotated[str | None, Query(description="next_cursor of the answer before")] = None
    order: Annotated[Order, Query(description="of start; symbols are in theirs")] = "asc"
    format: Annotated[Form | None, Query(description="before what Accept says")] = None
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*"


async def _parameters(**given: Any) -> BarsParameters:  # noqa: ANN401 - what it has
    return BarsParameters(**given)


# What is no coroutine FastAPI leaves to a thread, which takes longer than all that is done here.
_parameters.__signature__ = signature(BarsParameters)  # type: ignore[attr-defined]
TheParameters = Annotated[BarsParameters, Depends(_parameters)]


@router.get(
    "/v1/bars/{symbol:path}", response_model=BarsAnswer, responses=_BARS_ANSWERS, tags=["bars"]
)
def bars(symbol: str, asked: TheParameters, reader: TheReader) -> Response:
    """Bars of a symbol, in order of start; those forming are among them, and say so."""
    return _answered(reader, _query((symbol,), asked), asked)


@router.get("/v1/bars", response_model=ManyBarsAnswer, responses=_BARS_ANSWERS, tags=["bars"])
def bars_of_many(
    symbols: Annotated[str, Query(description="AAPL,MSFT: at most 500; *: all, not as JSON")],
    asked: TheParameters,
    reader: TheReader,
) -> Response:
    """Bars of several symbols, in order of symbol and start."""
    names = None if symbols.strip() == "*" else symbols_of(symbols)
    return _answered(reader, _query(names, asked, is_one=False), asked, is_one=False)


def symbols_of(text: str) -> tuple[str, ...]:
    """Return the symbols that a text names, with commas, in upper case.

    Raises:
        MisuseError: If there are none, or too many.
    """
    names = tuple(dict.fromkeys(part.strip().upper() for part in text.split(",")))
    if not all(names) or len(names) > MAX_SYMBOLS:
        fact = f"{text!r:.80} does not name 1 to {MAX_SYMBOLS} symbols."
        raise MisuseError(fact, hint="write them as AAPL,MSFT.")
    return names


def _answered(
    reader: MergedReader, query: BarsQuery, asked: BarsParameters, *, is_one: bool = True
) -> Response:
    form = form_of(asked.format, asked.accept)
    if form != "json" and asked.limit is None:
        return _streamed(reader, query, form, is_one=is_one)
    if query.symbols is None:
        fact = "The whole market is not answered page by page."
        raise MisuseError(fact, hint="ask for format=csv or format=arrow, without limit.")
    limit = asked.limit or _LIMIT
    # One more than asked for tells whether there are more.
    found = reader.found(replace(query, limit=limit + 1))
    shown = replace(found, bars=found.bars.slice(0, limit))
    cursor = None
    if found.bars.num_rows > limit:
        cursor = _cursor(reader, query, shown, is_one=is_one)
    head = _head(reader, query, found, cursor, is_one=is_one)
    if form == "json":
        with CORE:
            body = head.json(shown.bars)
        return Response(body, media_type=MEDIA[form], headers=_VARY)
    pieces = Pieces(iter([shown.bars]), found.boundary, found.live)
    return _written(pieces, query, form, head)


def _streamed(reader: MergedReader, query: BarsQuery, form: Form, *, is_one: bool) -> Response:
    """Return all bars of a query, as they are read."""
    # One basis for what is said of the bars and for them, though a day may end meanwhile.
    query = replace(query, as_of=reader.as_of(query) or query.as_of)
    pieces = reader.pieces(query)
    return _written(pieces, query, form, _head(reader, query, pieces, None, is_one=is_one))


def _written(pieces: Pieces, query: BarsQuery, form: Form, head: Head) -> Response:
    if form == "csv":
        body = csv_of(pieces.bars, query.interval)
    else:
        schema = INTRADAY_BARS if query.interval.is_intraday else BARS
        body = arrow_of(pieces.bars, schema, head)
    return StreamingResponse(body, media_type=MEDIA[form], headers=head.headers() | _VARY)


def bars_answer(reader: MergedReader, query: BarsQuery, found: Found) -> bytes:
    """Return all bars that were found for one symbol, as the JSON of `BarsAnswer`."""
    return _head(reader, query, found, None, is_one=True).json(found.bars)


def _head(
    reader: MergedReader,
    query: BarsQuery,
    found: Found | Pieces,
    cursor: str | None,
    *,
    is_one: bool,
) -> Head:
    whose = {"symbol": query.named[0]} if is_one else {"symbols": query.symbols or ["*"]}
    return Head(
        {
            **whose,
            "interval": str(query.interval),
            "adjustment": query.adjustment,
            "as_of": reader.as_of(query),
            "known_at": query.known_at,
            "session": query.session if query.interval.is_intraday else None,
            "boundary": found.boundary,
            "live": found.live,
            "next_cursor": cursor,
        }
    )


@router.get("/v1/intervals", tags=["reference"])
def intervals(request: Request, reader: TheReader) -> IntervalsAnswer:
    """The intervals on offer: those of minutes and hours where the lake or a feed has some."""
    live = request.app.state.live is not None
    stored = SESSION_INTERVALS if reader.boundary(MINUTE) is None else INTERVALS
    return intervals_answer(stored, live=live)


def intervals_answer(stored: Sequence[Interval], *, live: bool) -> IntervalsAnswer:
    """Return what is on offer: what the lake has, and what a feed tells of."""
    offered = [each for each in INTERVALS if each in stored or live]
    return IntervalsAnswer(
        [IntervalAnswer(str(each), each.sessions, each in stored) for each in offered], live
    )


@health_router.get("/health/live", response_model_exclude_none=True)
async def live(request: Request) -> HealthAnswer:
    """Whether the service runs, and how what feeds its live bars is, where that runs in it."""
    # In threads of its own: that queries hold all others does not mean that it is dead.
    return await asyncio.to_thread(_live, request)


def _live(request: Request) -> HealthAnswer:
    state, access = request.app.state, access_of(request)
    return HealthAnswer(
        "live",
        state.feeding() if state.feeding else None,
        access.health() if access else None,
        state.told_again,
    )


@health_router.get("/health/ready", response_model_exclude_none=True, responses=PROBLEMS)
def ready(request: Request, reader: TheReader) -> HealthAnswer:
    """Whether it can answer: the lake is there and holds bars, and keys can be told apart."""
    why = why_not(reader, access_of(request))
    if why is not None:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, why)
    return HealthAnswer("ready")


def _query(
    names: tuple[str, ...] | None, asked: BarsParameters, *, is_one: bool = True
) -> BarsQuery:
    interval = parse_one_of(asked.interval, INTERVALS)
    symbols = None if names is None else tuple(name.strip().upper() for name in names)
    after = None
    if asked.cursor is not None:
        one = symbols[0] if is_one and symbols else None
        after = _behind(asked.cursor, interval, one)
    return BarsQuery(
        symbols=symbols,
        interval=interval,
        start=asked.start,
        end=asked.end,
        adjustment=asked.adjustment,
        as_of=asked.as_of,
        known_at=asked.known_at,
        after=after,
        session=asked.session,
        descending=asked.order == "desc",
    )


def _cursor(reader: MergedReader, query: BarsQuery, shown: Found, *, is_one: bool) -> str:
    last = shown.bars.slice(shown.bars.num_rows - 1).to_pylist()[0]
    text: str = last["start"].isoformat()
    if not is_one:
        asked = reader.market(query).asked or ()
        name = next(each.name for each in asked if each.listing == last["listing"])
        text = f"{name} {text}"
    return urlsafe_b64encode(text.encode()).decode()


def _behind(cursor: str, interval: Interval, one: str | None) -> tuple[str, dt.date]:
    """Return the name and the start that a cursor tells; it is of `one` symbol, or of several."""
    try:
        name, _, text = urlsafe_b64decode(cursor).decode().rpartition(" ")
        start = parse_instant(text) if interval.is_intraday else dt.date.fromisoformat(text)
    except (InvalidRangeError, ValueError):
        fact = f"{cursor!r} is not a cursor. Allowed: the next_cursor of an answer."
        raise InvalidRangeError(fact) from None
    if bool(name) == bool(one):
        fact = f"{cursor!r} is the cursor of another question."
        raise InvalidRangeError(fact, hint="ask the same again, with the cursor that it answered.")
    return one or name, start
