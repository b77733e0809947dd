"""The routes of alerts: rules that are kept, changed, muted, tried and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

from fastapi import APIRouter, Path, Query, Response, status
from pydantic import AwareDatetime, ConfigDict

from lake.alerts.rule import Rule
from serving_layer.alerts.answers import Alert, AlertsPage, Sent
from serving_layer.alerts.asking import TheAsking  # noqa: TC001 - likewise
from serving_layer.alerts.destination_routes import router as destination_router
from serving_layer.alerts.firing_routes import MOST
from serving_layer.alerts.firing_routes import router as firing_router
from serving_layer.auth import require
from serving_layer.auth.require import ACCESS_PROBLEMS
from serving_layer.problems import CONFLICTS, PROBLEMS

router = APIRouter(tags=["alerts"], responses={**PROBLEMS, **ACCESS_PROBLEMS})
# First: they have paths that would be alerts' ids below.
router.include_router(firing_router)
router.include_router(destination_router)
TheAlert = Annotated[str, Path(description="Its id, as al_5f0c9b2e7d31.")]
_DEFAULT: Final = 100


@dataclass(frozen=True, slots=True)
class MuteRequest:
    """Until when nobody is told, said in any case; null: until that is taken back."""

    # A word that is misspelt must not mute for good.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    until: AwareDatetime | None


@router.get("/v1/alerts/schema", dependencies=[require("alerts")])
async def schema() -> dict[str, Any]:
    """What a rule may say, as JSON Schema."""
    return Rule.model_json_schema()


@router.post("/v1/alerts", response_model=Alert, status_code=status.HTTP_201_CREATED)
async def create(rule: Rule, asking: TheAsking) -> Response:
    """A new alert; it counts from when a service takes it in, within about a second."""
    known = await asking.known(rule)
    return await asking.answer(lambda own: own.alerts.create(known), status.HTTP_201_CREATED)


@router.get("/v1/alerts", response_model=AlertsPage)
async def alerts(
    asking: TheAsking,
    symbol: Annotated[str | None, Query(max_length=32, description="of this one alone")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = _DEFAULT,
    cursor: Annotated[str | None, Query(description="next_cursor of the answer before")] = None,
) -> Response:
    """The alerts of the key's owner, in order of creation."""
    return await asking.answer(
        lambda own: own.alerts.listed(symbol=symbol, limit=limit, cursor=cursor)
    )


@router.get("/v1/alerts/{alert}", response_model=Alert)
async def show(alert: TheAlert, asking: TheAsking) -> Response:
    """An alert, and how far it is."""
    return await asking.answer(lambda own: own.alerts.show(alert))


@router.put("/v1/alerts/{alert}", response_model=Alert, responses=CONFLICTS)
async def replace(
    alert: TheAlert,
    rule: Rule,
    asking: TheAsking,
    revision: Annotated[int | None, Query(ge=1, description="only if it is at this one")] = None,
) -> Response:
    """Another rule in place of an alert's: its next revision, which begins anew."""
    await asking.answer(lambda own: own.alerts.show(alert))
    known = await asking.known(rule)
    return await asking.answer(lambda own: own.alerts.replace(alert, known, revision))


@router.post("/v1/alerts/{alert}/mute", response_model=Alert)
async def mute(alert: TheAlert, asked: MuteRequest, asking: TheAsking) -> Response:
    """Tell nobody of what an alert fires, until an instant; it goes on, and is listed."""
    return await asking.answer(lambda own: own.alerts.mute(alert, asked.until))


@router.post("/v1/alerts/{alert}/unmute", response_model=Alert)
async def unmute(alert: TheAlert, asking: TheAsking) -> Response:
    """Tell of an alert again, from now on."""
    return await asking.answer(lambda own: own.alerts.unmute(alert))


@router.post("/v1/alerts/{alert}/test", response_model=Sent, status_code=status.HTTP_202_ACCEPTED)
async def test(alert: TheAlert, asking: TheAsking) -> Response:
    """Tell where an alert is told that this is a test, muted or not."""
    return await asking.answer(lambda own: own.alerts.test(alert), status.HTTP_202_ACCEPTED)


@router.delete("/v1/alerts/{alert}", status_code=status.HTTP_204_NO_CONTENT)
async def delete(alert: TheAlert, asking: TheAsking) -> None:
    """Delete an alert; what it fired stays listed."""
    await asking.answer(lambda own: own.alerts.delete(alert))
