"""The route of dry runs.

A run is a second or so of work that keeps the interpreter busy: there is one at a time, in a thread
of its own, so that no other route waits for a thread; who asks while some wait comes again later.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Query, Request

from lake.alerts.rule import Rule  # noqa: TC001 - FastAPI reads annotations at run time
from lake.errors import TooManyRequestsError
from serving_layer.alerts.dry_run import DryRun, Resolution  # noqa: TC001 - likewise
from serving_layer.problems import PROBLEMS, documented
from serving_layer.routes import Day  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving_layer.alerts.dry_run import DryRuns

router = APIRouter(tags=["alerts"])
_MOST_WAITING: Final = 8
_AGAIN_AFTER_S: Final = 5.0


class DryRunTurns:
    """Does dry runs, one after the other.

    Args:
        runs: Does one.
    """

    def __init__(self, runs: DryRuns) -> None:
        self.runs = runs
        self._thread = ThreadPoolExecutor(1, "dry-run")
        self._here = 0

    async def do(self, work: Callable[[DryRuns], DryRun]) -> DryRun:
        """Return what comes of some work, once it is its turn.

        Raises:
            TooManyRequestsError: If too many wait already.
        """
        if self._here > _MOST_WAITING:
            fact = f"{_MOST_WAITING} dry runs wait already."
            raise TooManyRequestsError(fact, hint="ask again.", retry_after_s=_AGAIN_AFTER_S)
        self._here += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, work, self.runs)
        finally:
            self._here -= 1


async def _turns(request: Request) -> DryRunTurns:
    turns: DryRunTurns = request.app.state.dry_runs
    return turns


@router.post("/v1/alerts/dry-run", responses={**PROBLEMS, **documented(429)})
async def dry_run(
    rule: Rule,
    turns: Annotated[DryRunTurns, Depends(_turns)],
    start: Annotated[Day | None, Query(description="first session; all")] = None,
    end: Annotated[Day | None, Query(description="last session, inclusive")] = None,
    resolution: Annotated[
        Resolution, Query(description="daily bars, minutes or recorded events as prices")
    ] = "1d",
) -> DryRun:
    """When a rule would have fired, and what the price did 1, 3, 5, 8 and 13 sessions later."""
    return await turns.do(lambda runs: runs.run(rule, start, end, resolution))
