"""The routes of destinations: where an owner's alerts can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from fastapi import APIRouter, Path, Response, status
from pydantic import ConfigDict

from serving_layer.alerts.answers import Destination, DestinationsAnswer
from serving_layer.alerts.asking import TheAsking  # noqa: TC001 - FastAPI reads annotations

router = APIRouter()
TheDestination = Annotated[str, Path(description="By which rules name it.")]


@dataclass(frozen=True, slots=True)
class DestinationRequest:
    """What a webhook shall be.

    Attributes:
        url: Where it is told: https.
        secret: What it is signed with: `whsec_`, and 24 to 64 bytes in base64. It is never told.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    url: str
    secret: str = field(repr=False)


@router.get("/v1/alerts/destinations", response_model=DestinationsAnswer)
async def destinations(asking: TheAsking) -> Response:
    """Where the owner's alerts can be told; never what it is signed with."""
    return await asking.answer(lambda own: own.destinations.listed())


@router.put("/v1/alerts/destinations/{destination}", response_model=Destination)
async def put_destination(
    destination: TheDestination, asked: DestinationRequest, asking: TheAsking
) -> Response:
    """A new webhook, or another URL and secret for the one of that name."""
    return await asking.answer(
        lambda own: own.destinations.put(destination, asked.url, asked.secret)
    )


@router.delete("/v1/alerts/destinations/{destination}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_destination(destination: TheDestination, asking: TheAsking) -> None:
    """Remove a webhook; not while an alert is told there."""
    await asking.answer(lambda own: own.destinations.remove(destination))
