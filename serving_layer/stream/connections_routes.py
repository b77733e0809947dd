"""The route of connections: for admins, who has a stream open, on any process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from serving_layer.problems import PROBLEMS
from serving_layer.stream.registry import (
    Connections,  # noqa: TC001 - FastAPI reads annotations at run time
    Registered,  # noqa: TC001 - likewise
)

router = APIRouter(tags=["keys"], responses=PROBLEMS)


@dataclass(frozen=True, slots=True)
class ConnectionsAnswer:
    """Connections, in order of opening."""

    connections: list[Registered]


async def _registry(request: Request) -> Connections:
    registry: Connections = request.app.state.connections
    return registry


@router.get("/v1/connections")
async def connections(
    registry: Annotated[Connections, Depends(_registry)],
    key: Annotated[
        str | None, Query(max_length=100, description="The public part of a key: its alone.")
    ] = None,
) -> ConnectionsAnswer:
    """The streams that are open, on all processes; of each, how many channels it has."""
    return ConnectionsAnswer(await registry.list(key))
