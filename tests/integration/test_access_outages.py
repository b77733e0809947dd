"""What keys do while their database is away, hangs, and is back: on a real PostgreSQL server."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import pytest

from tests.access import FOREIGN, Guarded, MakeGuarded
from tests.parts import PostgresServer

OUTAGE_S = 2


@pytest.fixture
def server(postgres_server: PostgresServer, make_guarded: MakeGuarded) -> Guarded:
    return make_guarded(database_url=postgres_server.new_database())


@contextmanager
def away(server: PostgresServer, how: str) -> Iterator[None]:
    """Take the database away for as long as the block goes on."""
    if how == "killed":
        server.kill()
    else:
        server.pause()
    try:
        yield
    finally:
        if how == "killed":
            server.start()
        else:
            server.resume()


def told(server: Guarded) -> tuple[str, str]:
    access = server.get("/health/live").json()["access"]
    return access["database"], access["keys"]


class Asking:
    """Asks again and again, in a thread, and counts the answers."""

    def __init__(self, server: Guarded, key: str) -> None:
        self.answers: Counter[int] = Counter()
        self.slowest_s = 0.0
        self._server, self._key = server, key
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            self.answers[self._server.get("/v1/intervals", self._key).status_code] += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)


@pytest.mark.parametrize("how", ["killed", "hangs"])
def test_keys_read_lately_work_on_and_new_ones_do_when_the_database_is_back(
    server: Guarded, postgres_server: PostgresServer, how: str
) -> None:
    key = server.key("read").secret
    assert 200 == server.get("/v1/intervals", key).status_code

    with Asking(server, key) as asking:
        with away(postgres_server, how):
            while told(server) != ("away", "kept"):
                pass
            foreign = server.get("/v1/intervals", FOREIGN)
            ready = server.get("/health/ready")
            until = time.monotonic() + OUTAGE_S
            while time.monotonic() < until:
                assert 200 == server.get("/v1/intervals", key).status_code
        while told(server) != ("ok", "ok"):
            pass
        assert 401 == server.get("/v1/intervals", FOREIGN).status_code
        new = server.key("read").secret
        assert 200 == server.get("/v1/intervals", new).status_code

    assert {200} == set(asking.answers)
    assert (503, 200) == (foreign.status_code, ready.status_code)
    assert "application/problem+json" == foreign.headers["content-type"]


def test_keys_hold_no_longer_than_the_grace(
    postgres_server: PostgresServer, make_guarded: MakeGuarded
) -> None:
    server = make_guarded(database_url=postgres_server.new_database(), keys_grace_seconds=0)
    key = server.key("read").secret
    assert 200 == server.get("/v1/intervals", key).status_code

    with away(postgres_server, "killed"):
        while told(server) != ("away", "refused"):
            pass
        refused = server.get("/v1/intervals", key)
        assert 503 == server.get("/health/ready").status_code
        assert 200 == server.get("/health/live").status_code
    assert 503 == refused.status_code
    said = "The database of keys failed; the server's log says why."
    assert said == refused.json()["detail"]
    assert str(postgres_server.port) not in refused.text
    while server.get("/v1/intervals", key).status_code != 200:
        pass


def test_changes_are_refused_while_the_database_is_away(
    server: Guarded, postgres_server: PostgresServer
) -> None:
    admin = server.key("admin").secret
    body = {"name": "new", "scopes": ["read"]}
    assert 200 == server.get("/v1/keys", admin).status_code

    with away(postgres_server, "killed"):
        assert 503 == server.request("POST", "/v1/keys", admin, json=body).status_code
    assert 201 == server.request("POST", "/v1/keys", admin, json=body).status_code
