"""The routes of reference data: sessions, symbols, splits, dividends, and how good the data are."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from lake.instant import from_microseconds
from lake.interval import DAILY
from serving_layer.known_symbols import Symbol
from serving_layer.merged import MergedReader
from serving_layer.problems import PROBLEMS
from serving_layer.query import BarsQuery
from serving_layer.reference_data import Dividend, Quality, ReferenceData, Session, Split
from serving_layer.routes import MAX_LIMIT, Day, Instant, TheReader

router = APIRouter(tags=["reference"])


@dataclass(frozen=True, slots=True)
class SessionsAnswer:
    """Sessions of the exchange, in order."""

    sessions: list[Session]


@dataclass(frozen=True, slots=True)
class SymbolInfo:
    """A symbol of a listing, and what reference data tell of it, where they do."""

    symbol: str
    listing: str
    first: dt.date
    last: dt.date
    bars: int
    name: str | None = None
    exchange: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class SymbolsAnswer:
    """Symbols, best match first."""

    symbols: list[SymbolInfo]


@dataclass(frozen=True, slots=True)
class SplitsAnswer:
    """Splits of a listing, in order."""

    splits: list[Split]


@dataclass(frozen=True, slots=True)
class DividendsAnswer:
    """Dividends of a listing, in order."""

    dividends: list[Dividend]


@dataclass(frozen=True, slots=True)
class DifferencesAnswer:
    """Bars of which the speed layer and batch told differently, and why, in order of session."""

    differences: list[dict[str, Any]]


async def _reference(request: Request) -> ReferenceData:
    reference: ReferenceData = request.app.state.reference
    return reference


TheReference = Annotated[ReferenceData, Depends(_reference)]
Start = Annotated[Day | None, Query(description="first session, inclusive")]
End = Annotated[Day | None, Query(description="last session, inclusive")]
KnownAt = Annotated[Instant | None, Query(description="as the lake knew it then; now")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.get("/v1/sessions", responses=PROBLEMS)
def sessions(reference: TheReference, start: Start = None, end: End = None) -> SessionsAnswer:
    """Sessions with their regular hours, early closes included; those to come are expectations."""
    return SessionsAnswer(reference.sessions(start or dt.date.min, end or dt.date.max))


@router.get("/v1/symbols", responses=PROBLEMS, response_model_exclude_none=True)
def symbols(
    reader: TheReader,
    reference: TheReference,
    query: Annotated[str, Query(description="part of the symbol; empty: all")] = "",
    limit: Limit = 50,
    listed_on: Annotated[Day | None, Query(description="only those that had bars then")] = None,
) -> SymbolsAnswer:
    """Symbols that contain a text; those that begin with it come first."""
    found = reader.symbols(query)
    if listed_on is not None:
        found = [each for each in found if each.first <= listed_on <= each.last]
    shown = found[:limit]
    told = reference.told(shown)
    return SymbolsAnswer([_info(each, told.get((each.listing, each.symbol), {})) for each in shown])


@router.get("/v1/splits/{symbol:path}", responses=PROBLEMS)
def splits(
    symbol: str, reference: TheReference, reader: TheReader, known_at: KnownAt = None
) -> SplitsAnswer:
    """Splits of the listing that a symbol names today, under whatever symbol they came."""
    return SplitsAnswer(reference.splits(symbol, known_at) or _none(reader, symbol, known_at))


@router.get("/v1/dividends/{symbol:path}", responses=PROBLEMS)
def dividends(
    symbol: str, reference: TheReference, reader: TheReader, known_at: KnownAt = None
) -> DividendsAnswer:
    """Dividends of the listing that a symbol names today, under whatever symbol they came."""
    found = reference.dividends(symbol, known_at)
    return DividendsAnswer(found or _none(reader, symbol, known_at))


@router.get("/v1/quality/{symbol:path}", responses=PROBLEMS)
def quality(symbol: str, reference: TheReference) -> Quality:
    """How whole a listing's daily bars are, how often corrected, and how many rows were refused."""
    return reference.quality(symbol)


@router.get("/v1/reconciliation/{symbol:path}", responses=PROBLEMS)
def reconciliation(  # noqa: PLR0913, PLR0917 - the query, and where it is answered from
    symbol: str,
    reference: TheReference,
    reader: TheReader,
    start: Start = None,
    end: End = None,
    limit: Limit = 5000,
) -> DifferencesAnswer:
    """Where live bars and those of batch differ; none: they agree, or were not compared."""
    first, last = start or dt.date.min, end or dt.date.max
    rows = reference.differences(symbol, first, last, limit) or _none(reader, symbol, None)
    return DifferencesAnswer([_difference(row) for row in rows])


def _none(reader: MergedReader, symbol: str, known_at: dt.datetime | None) -> list[Any]:
    """Return that there is none, once it is known that there is such a symbol."""
    reader.check_known(BarsQuery((symbol,), DAILY, known_at=known_at))
    return []


def _info(symbol: Symbol, told: dict[str, Any]) -> SymbolInfo:
    return SymbolInfo(**asdict(symbol), **told)


def _difference(row: dict[str, Any]) -> dict[str, Any]:
    """Return a difference with the start of its bar as bars have it: an instant, or a session."""
    is_day = row["interval"] == str(DAILY)
    return {**row, "start": row["session"] if is_day else from_microseconds(row["start"])}
