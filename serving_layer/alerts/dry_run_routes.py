"""The route of dry runs.

A run is some seconds of work that keep the interpreter busy: there is one at a time, in a thread of
its own, so that no other route waits for a thread; who asks while some wait, or two of its own are
under way, comes again later. It is given up when who asked leaves, or the server ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable  # noqa: TC003 - FastAPI reads annotations
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Query, Request

from lake.alerts.rule import Rule  # noqa: TC001 - FastAPI reads annotations at run time
from lake.errors import GivenUpError, TooManyRequestsError
from serving_layer.alerts.dry_run import DryRun, Resolution  # noqa: TC001 - likewise
from serving_layer.auth import Principal, require
from serving_layer.problems import PROBLEMS, documented
from serving_layer.routes import Day  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from serving_layer.alerts.dry_run import DryRuns

router = APIRouter(tags=["alerts"])
_MOST_WAITING: Final = 8
_MOST_OWN: Final = 2
"""Of one owner: one, and another that follows, as where the one was given up a moment ago."""
_MANY: Final = f"{_MOST_WAITING} dry runs wait already."
_AGAIN_AFTER_S: Final = 5.0
_LOOK_S: Final = 0.25
"""How soon it is seen that who asked has left."""
_LEFT: Final = "Who asked has left."
_ENDS: Final = "The server ends."
Work: TypeAlias = "Callable[[DryRuns, threading.Event], DryRun]"
"""Given what is set where it is to be given up."""


@dataclass(frozen=True, eq=False)
class _Place:
    """Of a run that was asked for, until it has ended.

    Attributes:
        owner: Who asked.
        stop: Set where it is to be given up.
    """

    owner: str
    stop: threading.Event = field(default_factory=threading.Event)


class DryRunTurns:
    """Does dry runs, one after the other.

    Args:
        runs: Does one.
    """

    def __init__(self, runs: DryRuns) -> None:
        self.runs = runs
        self._thread = ThreadPoolExecutor(1, "dry-run")
        self._lock = threading.Lock()
        self._here: list[_Place] = []

    async def do(
        self,
        owner: str,
        is_gone: Callable[[], Awaitable[bool]],
        work: Work,
    ) -> DryRun:
        """Return what comes of some work, once it is its turn.

        Args:
            owner: Who asks.
            is_gone: Tells whether who asked has left; the work is given up then.
            work: What to do.

        Raises:
            TooManyRequestsError: If too many wait already, of all or of the owner.
            GivenUpError: If it was given up, also as the server ends.
        """
        place = _Place(owner)
        self._enter(place)
        try:
            running = self._thread.submit(self._run, work, place)
        except RuntimeError:
            self._leave(place)
            raise GivenUpError(_ENDS) from None
        waiting = asyncio.wrap_future(running)
        try:
            while not (await asyncio.wait({waiting}, timeout=_LOOK_S))[0]:
                if await is_gone():
                    raise GivenUpError(_LEFT)
            return waiting.result()
        finally:
            place.stop.set()
            # One that runs keeps its place until it has ended.
            if running.cancel():
                self._leave(place)
            waiting.cancel()

    def end(self) -> None:
        """Give up all runs, those that wait too, and do no more."""
        self._thread.shutdown(wait=False)
        with self._lock:
            for each in self._here:
                each.stop.set()

    def _run(self, work: Work, place: _Place) -> DryRun:
        try:
            if place.stop.is_set():
                raise GivenUpError(_ENDS)
            return work(self.runs, place.stop)
        finally:
            self._leave(place)

    def _enter(self, place: _Place) -> None:
        with self._lock:
            own = sum(each.owner == place.owner for each in self._here)
            if own >= _MOST_OWN or len(self._here) > _MOST_WAITING:
                is_own = own >= _MOST_OWN
                fact = f"{own} of your dry runs are under way." if is_own else _MANY
                raise TooManyRequestsError(fact, hint="ask again.", retry_after_s=_AGAIN_AFTER_S)
            self._here.append(place)

    def _leave(self, place: _Place) -> None:
        with self._lock:
            self._here.remove(place)


async def _turn(
    request: Request, principal: Annotated[Principal, require("alerts")]
) -> Callable[[Work], Awaitable[DryRun]]:
    turns: DryRunTurns = request.app.state.dry_runs
    return partial(turns.do, principal.owner, request.is_disconnected)


@router.post("/v1/alerts/dry-run", responses={**PROBLEMS, **documented(429)})
async def dry_run(
    rule: Rule,
    turn: Annotated[Callable[[Work], Awaitable[DryRun]], Depends(_turn)],
    start: Annotated[Day | None, Query(description="first session; as early as may be")] = None,
    end: Annotated[Day | None, Query(description="last session, inclusive")] = None,
    resolution: Annotated[
        Resolution, Query(description="daily bars, minutes or recorded events as prices")
    ] = "1d",
) -> DryRun:
    """When a rule would have fired, and what the price did 1, 3, 5, 8 and 13 sessions later."""
    return await turn(lambda runs, stop: runs.run(rule, start, end, resolution, stop))
