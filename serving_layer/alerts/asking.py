"""Who asks for alerts over HTTP: what it keeps, and how that is asked for off the event loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from database.audit import Actor
from serving_layer.alerts.answers import json_of
from serving_layer.alerts.checking import of_known_symbol
from serving_layer.alerts.holdings import Holdings
from serving_layer.alerts.whose import Whose
from serving_layer.auth import Access, Principal, access_of, address_of, require

if TYPE_CHECKING:
    from collections.abc import Callable

    from lake.alerts.rule import Rule
    from serving_layer.merged import MergedReader


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and for whose alerts: its own, and no other's.

    Attributes:
        access: Knows the database.
        reader: Knows which symbols there are.
        whose: Who it is.
    """

    access: Access
    reader: MergedReader
    whose: Whose

    async def answer(self, work: Callable[[Holdings], object], status: int = 200) -> Response:
        """Return what some work with what the owner keeps gives, as JSON.

        Raises:
            FiblakeError: As the work does, or `Access.ask`.
        """
        access, whose = self.access, self.whose
        body = await access.ask(
            lambda database: json_of(
                work(Holdings.of(database, whose, access.settings, access.clock))
            )
        )
        return Response(body, status_code=status, media_type="application/json")

    async def known(self, rule: Rule) -> Rule:
        """Return a rule as `of_known_symbol` does."""
        # Not where the database is asked: the lake may take its time.
        return await run_in_threadpool(of_known_symbol, rule, self.reader)


async def _asking(request: Request, principal: Annotated[Principal, require("alerts")]) -> Asking:
    access = access_of(request)
    assert access is not None  # noqa: S101 - an app without has no such routes; tells mypy so
    actor = Actor(principal.key or principal.owner, address_of(request))
    return Asking(access, request.app.state.reader, Whose(principal.owner, actor))


TheAsking = Annotated[Asking, Depends(_asking)]
