"""What alerts do while their database is away, hangs, or is slow: on a real PostgreSQL server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.access import Guarded, MakeGuarded
from tests.alerts import Owner, rule
from tests.parts import PostgresServer

PATIENCE_S = 30
ALERTS = 40
"""Requests that are made at once; there are fewer threads than these."""


@pytest.fixture
def server(postgres_server: PostgresServer, make_guarded: MakeGuarded) -> Guarded:
    return make_guarded(database_url=postgres_server.new_database())


@contextmanager
def paused(server: PostgresServer) -> Iterator[None]:
    """Let the database hang for as long as the block goes on."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_while_the_database_is_killed_each_answer_is_a_problem_that_says_nothing_of_it(
    server: Guarded, postgres_server: PostgresServer
) -> None:
    desk = Owner(server, "desk")
    alert = desk.created()["alert"]
    asked = [
        ("GET", "", None),
        ("POST", "", rule()),
        ("GET", f"/{alert}", None),
        ("PUT", f"/{alert}", rule()),
        ("DELETE", f"/{alert}", None),
        ("POST", f"/{alert}/mute", {"until": None}),
        ("POST", f"/{alert}/unmute", None),
        ("POST", f"/{alert}/test", None),
        ("GET", "/firings", None),
        ("GET", "/destinations", None),
    ]
    postgres_server.kill()
    try:
        answers = [desk.ask(method, path, json=body) for method, path, body in asked]
        schema = desk.ask("GET", "/schema")
    finally:
        postgres_server.start()

    assert [503] * len(asked) == [each.status_code for each in answers]
    assert {"application/problem+json"} == {each.headers["content-type"] for each in answers}
    assert {"database_unavailable"} == {each.json()["code"] for each in answers}
    assert [] == [each for each in answers if str(postgres_server.port) in each.text]
    assert 200 == schema.status_code
    until(lambda: desk.ask("GET", f"/{alert}").status_code == 200)
    assert 1 == desk.ask("GET", f"/{alert}").json()["revision"]


def test_while_the_database_hangs_alerts_are_refused_soon_and_nothing_else_waits(
    server: Guarded, postgres_server: PostgresServer
) -> None:
    desk = Owner(server, "desk")
    reader = server.key("read").secret
    desk.created()
    assert 200 == server.get("/v1/intervals", reader).status_code
    statuses: list[int] = []
    slowest_s = 0.0

    def ask_for_alerts() -> None:
        headers = {"X-API-Key": desk.made.secret}
        request = ("GET", "/v1/alerts", {"headers": headers})
        statuses.extend(each.status_code for each in server.ask(*[request] * ALERTS))

    with paused(postgres_server):
        asking = threading.Thread(target=ask_for_alerts)
        began = time.monotonic()
        asking.start()
        while asking.is_alive():
            sent = time.monotonic()
            assert 200 == server.get("/v1/intervals", reader).status_code
            slowest_s = max(slowest_s, time.monotonic() - sent)
        took_s = time.monotonic() - began
    assert [503] * ALERTS == statuses
    assert took_s < PATIENCE_S
    assert slowest_s < took_s / 2
    until(lambda: desk.ask("GET").status_code == 200)
