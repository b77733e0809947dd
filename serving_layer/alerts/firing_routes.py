"""The routes of firings: what alerts told of, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response

from serving_layer.alerts.answers import Firing, FiringsPage
from serving_layer.alerts.asking import TheAsking  # noqa: TC001 - FastAPI reads annotations at run time
from serving_layer.alerts.own_firings import Narrowing
from serving_layer.routes import Instant  # noqa: TC001 - likewise

router = APIRouter()
MOST: Final = 1_000
"""Of alerts, or firings, in one answer."""
TheFiring = Annotated[str, Path(description="Its id, as al_5f0c9b2e7d31.1.3.")]


@dataclass(frozen=True, slots=True)
class FiringsParameters:
    """The query of `GET /v1/alerts/firings`."""

    alert: Annotated[str | None, Query(description="of this one alone, deleted or not")] = None
    symbol: Annotated[str | None, Query(max_length=32, description="of this one alone")] = None
    start: Annotated[Instant | None, Query(description="those no sooner; an offset or Z")] = None
    end: Annotated[Instant | None, Query(description="those before; an offset or Z")] = None
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100
    cursor: Annotated[str | None, Query(description="next_cursor of the answer before")] = None


async def _parameters(**given: Any) -> Narrowing:  # noqa: ANN401 - what it has
    return Narrowing(**given)


# What is no coroutine FastAPI leaves to a thread.
_parameters.__signature__ = signature(FiringsParameters)  # type: ignore[attr-defined]


@router.get("/v1/alerts/firings", response_model=FiringsPage)
async def firings(asked: Annotated[Narrowing, Depends(_parameters)], asking: TheAsking) -> Response:
    """What the owner's alerts fired, and tests of them: the latest first."""
    return await asking.answer(lambda own: own.firings.listed(asked))


@router.post("/v1/alerts/firings/{firing}/redeliver", response_model=Firing)
async def redeliver(
    firing: TheFiring,
    asking: TheAsking,
    destination: Annotated[str | None, Query(description="to this one alone; to all")] = None,
) -> Response:
    """Tell a firing once more, by the same id, though it was delivered or given up on."""
    return await asking.answer(lambda own: own.firings.redeliver(firing, destination))


@router.get("/v1/alerts/firings/{firing}", response_model=Firing)
async def firing(firing: TheFiring, asking: TheAsking) -> Response:
    """A firing, and what became of it at each destination."""
    return await asking.answer(lambda own: own.firings.show(firing))
