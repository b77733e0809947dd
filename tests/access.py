"""Apps that ask for keys, in this process, and keys to ask them with."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from database import Database, open_database
from database.audit import Actor
from database.migrating import upgrade
from fiblake import Lake
from lake.clock import SetClock
from lake.settings import Settings
from serving_layer.app import create_app
from serving_layer.auth import SCOPES, Access, Scope
from serving_layer.auth.managing import Created, NewKey, create, revoke
from serving_layer.stream.registry import MemoryConnections, allowed_by
from serving_layer.stream.socket import SOCKETS

ACTOR = Actor("command:test", "host")
FOREIGN = "fib_0123456789_" + "ab" * 24
SECRET = "a secret of tokens that is long enough for any way to sign, of 64 bytes"  # noqa: S105 - the test's own
DOCUMENTATION = {"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}
OPEN = {"/", "/health/live", "/health/ready", *DOCUMENTATION}
"""What anyone may ask for; beside the parts of pages."""


class Guarded:
    """An app that asks for keys."""

    def __init__(self, lake: Lake, settings: Settings, *, is_open_before_keys: bool) -> None:
        self.database: Database = open_database(settings)
        upgrade(self.database)
        self.clock = SetClock(dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC))
        self.access = Access(
            self.database, settings, self.clock, is_open_before_keys=is_open_before_keys
        )
        connections = MemoryConnections(allowed_by(settings), "test")
        self.app = create_app(lake.reader, access=self.access, connections=connections)

    def key(self, *scopes: Scope, owner: str = "", expires: dt.datetime | None = None) -> Created:
        """Return a new key: of these scopes, or of all; of an owner, or its own."""
        asked = NewKey("test", scopes or SCOPES, owner, expires)
        made = create(self.database, asked, ACTOR, self.clock.now())
        self.access._known.changed()  # noqa: SLF001 - as if seconds had passed
        return made

    def revoke(self, key: str) -> None:
        """Revoke a key."""
        revoke(self.database, key, ACTOR, self.clock.now())
        self.access._known.changed()  # noqa: SLF001 - likewise

    def ask(self, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
        """Return the answers to requests that are made at once."""
        return asyncio.run(self._ask(requests))

    def get(self, path: str, key: str = "", **others: Any) -> httpx.Response:
        """Return the answer to a GET."""
        return self.request("GET", path, key, **others)

    def request(self, method: str, path: str, key: str = "", **others: Any) -> httpx.Response:
        """Return the answer to a request with a key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= others.pop("headers", {})
        return self.ask((method, path, {"headers": headers, **others}))[0]

    async def _ask(self, requests: tuple[tuple[str, str, dict[str, Any]], ...]) -> Any:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            asked = (client.request(method, path, **others) for method, path, others in requests)
            return await asyncio.gather(*asked)


@contextmanager
def serving(app: FastAPI, **options: Any) -> Iterator[str]:
    """Serve an app from a thread, as the command does but for `options`; yield host and port."""
    config = uvicorn.Config(app, log_level="warning", lifespan="off", **SOCKETS | options)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


MakeGuarded = Callable[..., Guarded]


@pytest.fixture
def make_guarded(sample_lake: Lake) -> Iterator[MakeGuarded]:
    """Make apps that ask for keys, by settings; they are closed in the end."""
    made: list[Guarded] = []

    def make(*, is_open_before_keys: bool = False, **settings: Any) -> Guarded:
        chosen = Settings.model_validate(settings)
        made.append(Guarded(sample_lake, chosen, is_open_before_keys=is_open_before_keys))
        return made[-1]

    yield make
    for each in made:
        each.access.close()


@pytest.fixture
def both_guarded(make_guarded: MakeGuarded, any_settings: Settings) -> Guarded:
    """An app that asks for keys, on a database of each kind."""
    return make_guarded(**any_settings.model_dump(exclude_unset=True))


@pytest.fixture
def guarded(make_guarded: MakeGuarded) -> Guarded:
    """An app that asks for keys, with a database in a file."""
    return make_guarded()


def routes(app: Any) -> Iterator[tuple[str, str]]:
    """Yield the method and path of each route over HTTP, hidden or not, that is not open to all."""
    for route in iter_route_contexts(app.routes):
        if route.methods and route.path not in OPEN:
            yield from ((method, str(route.path)) for method in sorted(route.methods))


def asked(method: str, path: str, key: str) -> tuple[str, str, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return method, re.sub(r"{(\w+)[^}]*}", r"\1", path), {"headers": headers}


@pytest.fixture
def key_server(make_guarded: MakeGuarded) -> Guarded:
    """An app that asks for keys, and signs tokens by a secret that a test knows."""
    return make_guarded(token_secret=SECRET)


def bad_keys(server: Guarded) -> dict[str, str]:
    """Return keys that do not hold, by what is wrong with them."""
    revoked, expired = server.key(), server.key(expires=dt.datetime(2026, 1, 6, tzinfo=dt.UTC))
    half = server.key().secret
    server.clock.instant = dt.datetime(2026, 1, 7, tzinfo=dt.UTC)
    server.request("DELETE", f"/v1/keys/{revoked.key.key}", server.key("admin").secret)
    return {
        "none": "",
        "expired": expired.secret,
        "revoked": revoked.secret,
        "foreign": FOREIGN,
        "half of one": half[:-1],
        "one with another end": half[:-4] + ("0000" if half[-4:] != "0000" else "1111"),
        "its digest": server.key().secret[:15] + "0" * 48,
        "text": "é key",
        "a token of no key": "a.b.c",
    }
