"""The routes of backtests."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from lake.errors import DatasetChangedError
from lake.interval import INTERVALS
from serving_layer.answers import MEDIA, Form, form_of
from serving_layer.backtest.backtests import Backtests
from serving_layer.backtest.dataset import Dataset, code_version, unpacked
from serving_layer.backtest.forms import Written
from serving_layer.backtest.query import (
    COLUMNS,
    MATRIX_COLUMNS,
    MOST_INDICATORS,
    MOST_SYMBOLS,
    BacktestQuery,
)
from serving_layer.problems import CONFLICTS, PROBLEMS, documented
from serving_layer.query import Adjustment

HEADER: Final = "X-Fiblake-Dataset"
router = APIRouter(tags=["backtest"])

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", json_schema_extra={"format": "date"})]
_Names = Annotated[list[str], Field(min_length=1, max_length=MOST_SYMBOLS)]
_INTERVALS: Final = " ".join(map(str, INTERVALS))


class ListedOn(BaseModel):
    """All symbols that were listed on a date, those delisted since among them."""

    model_config = ConfigDict(extra="forbid")
    listed_on: Day


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")
    universe: Annotated[_Names | ListedOn, Field(description="symbols, or all listed on a date")]
    intervals: Annotated[
        list[str], Field(min_length=1, max_length=len(INTERVALS), description=_INTERVALS)
    ]
    start: Annotated[
        Day | None, Field(description="first start of a bar; of 1m to 4h, and in a matrix, session")
    ] = None
    end: Annotated[Day | None, Field(description="last one, inclusive")] = None
    adjustment: Adjustment = "split"
    as_of: Annotated[Day | None, Field(description="the date whose basis is wanted")] = None
    known_at: Annotated[
        str | None, Field(description="answer as the lake knew it then; an offset or Z; now")
    ] = None
    format: Annotated[Form | None, Field(description="else by Accept")] = None


class BarsRequest(_Asked):
    """Which bars are asked for."""

    columns: Annotated[list[str] | None, Field(description=f"of {', '.join(COLUMNS)}")] = None
    indicators: Annotated[
        list[str], Field(max_length=MOST_INDICATORS, examples=[["sma_20", "rsi_14"]])
    ] = []
    include_forming: bool = False


class MatrixRequest(_Asked):
    """Which matrix is asked for."""

    columns: Annotated[list[str] | None, Field(description=f"of {', '.join(MATRIX_COLUMNS)}")] = (
        None
    )


_SCHEMAS: Final[dict[Form, dict[str, str]]] = {
    "json": {"type": "object"},
    "csv": {"type": "string"},
    "arrow": {"type": "string", "format": "binary"},
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    **PROBLEMS,
    200: {
        "description": "Rows; in JSON below `rows`, beside the query and its `dataset`.",
        "content": {media: {"schema": _SCHEMAS[form]} for form, media in MEDIA.items()},
        "headers": {HEADER: {"schema": {"type": "string"}, "description": "pins the answer"}},
    },
}


_ASKED_RESPONSES: Final = {**_RESPONSES, **documented(406)}


async def _backtests(request: Request) -> Backtests:
    backtests: Backtests = request.app.state.backtests
    return backtests


TheBacktests = Annotated[Backtests, Depends(_backtests)]
Accept = Annotated[str, Header(include_in_schema=False)]


@router.post("/v1/backtest/bars", responses=_ASKED_RESPONSES, response_class=StreamingResponse)
def bars(asked: BarsRequest, backtests: TheBacktests, accept: Accept = "") -> StreamingResponse:
    """Bars of many symbols and intervals, with indicators, of what batch committed alone."""
    query = BacktestQuery.parse("bars", asked.model_dump())
    return _answer(backtests, backtests.pinned(query), form_of(asked.format, accept))


@router.post("/v1/backtest/matrix", responses=_ASKED_RESPONSES, response_class=StreamingResponse)
def matrix(asked: MatrixRequest, backtests: TheBacktests, accept: Accept = "") -> StreamingResponse:
    """All intervals on one timeline: at each instant only what was final then."""
    query = BacktestQuery.parse("matrix", asked.model_dump())
    return _answer(backtests, backtests.pinned(query), form_of(asked.format, accept))


@router.get(
    "/v1/backtest/datasets/{dataset}",
    responses={**_RESPONSES, **CONFLICTS},
    response_class=StreamingResponse,
)
def dataset(dataset: str, backtests: TheBacktests) -> StreamingResponse:
    """The answer that an id pins, byte for byte."""
    pinned = unpacked(dataset)
    if pinned.code != code_version():
        fact = "The code that made this dataset is not the one that runs here."
        raise DatasetChangedError(fact, hint="ask its query again, for a dataset of this version.")
    return _answer(backtests, pinned.query, pinned.form, expected=pinned.digest)


def _answer(
    backtests: Backtests, query: BacktestQuery, form: Form, *, expected: str | None = None
) -> StreamingResponse:
    written = Written(form, backtests.pieces(query))
    if expected not in {None, written.digest}:
        written.close()
        fact = "What this dataset was made of has changed in the lake."
        hint = "bars of minutes and hours are not kept as they were; ask its query again."
        raise DatasetChangedError(fact, hint=hint)
    name = Dataset(query, form, code_version(), written.digest).packed()
    before, behind = written.around({"dataset": name, "kind": query.kind, **query.document()})
    size = len(before) + written.size_bytes + len(behind)
    headers = {HEADER: name, "Content-Length": str(size)}
    chunks = written.chunks(before, behind)
    return StreamingResponse(chunks, media_type=MEDIA[form], headers=headers)
