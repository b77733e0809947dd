"""Who may not ask, or asks wrongly, waits for no thread: slow queries may hold all of them."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import anyio.to_thread
import httpx
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.requests import Request

from tests.access import FOREIGN, Guarded

_PATIENCE_S = 30


async def answers(server: Guarded, *requests: tuple[str, str, dict[str, Any]]) -> list[int]:
    """Return the statuses of answers that come while every thread for routes is taken."""
    threads = anyio.to_thread.current_default_thread_limiter()
    threads.total_tokens = 1
    await threads.acquire_on_behalf_of("a slow query")
    transport = httpx.ASGITransport(server.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        asked = (client.request(method, path, **others) for method, path, others in requests)
        told = await asyncio.wait_for(asyncio.gather(*asked), _PATIENCE_S)
    return [each.status_code for each in told]


def test_refusals_and_keys_wait_for_no_thread(guarded: Guarded) -> None:
    async def fail(_: Request) -> NoReturn:
        raise ZeroDivisionError

    guarded.app.add_route("/fails", fail)
    admin = {"X-API-Key": guarded.key("admin").secret}
    found = asyncio.run(
        answers(
            guarded,
            ("GET", "/v1/symbols", {}),
            ("GET", "/v1/symbols", {"headers": {"X-API-Key": FOREIGN}}),
            ("GET", "/v1/symbols", {"headers": admin}),
            ("GET", "/nowhere", {"headers": admin}),
            ("POST", "/v1/keys", {"headers": admin, "json": {}}),
            ("POST", "/v1/keys", {"headers": admin, "json": {"name": "a", "scopes": ["read"]}}),
            ("GET", "/v1/keys", {"headers": admin}),
            ("POST", "/v1/token", {"headers": admin}),
            ("GET", "/fails", {}),
            ("GET", "/health/live", {}),
        )
    )

    assert [401, 401, 403, 404, 422, 201, 200, 200, 500, 200] == found


def calls(dependant: Dependant) -> list[Any]:
    """Return what a route depends on, and what that does."""
    return [call for each in dependant.dependencies for call in (each.call, *calls(each)) if call]


def test_no_route_depends_on_what_waits_for_a_thread(guarded: Guarded) -> None:
    depending = {
        (route.path, call)
        for route in iter_route_contexts(guarded.app.routes)
        for call in calls(getattr(route, "dependant", None) or Dependant())
        if not isinstance(call, type)  # a class is a form of parameters
    }
    waiting = {
        (path, getattr(call, "__name__", type(call).__name__))
        for path, call in depending
        if not any(map(asyncio.iscoroutinefunction, (call, type(call).__call__)))
    }

    assert {"/v1/bars", "/v1/keys"} <= {path for path, _ in depending}
    assert set() == waiting
