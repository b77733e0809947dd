"""Deliverers that end or are killed amid their work, or whose parts are away or break."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from database import Database
from database.migrating import upgrade
from database.outbox import Claimed
from lake.clock import SystemClock
from lake.settings import Settings
from speed_layer.delivery import deliverer as module
from speed_layer.delivery.deliverer import Deliverer
from speed_layer.delivery.delivering import delivering
from speed_layer.delivery.outcome import Bounds, NoSender, Outcome
from tests.delivering import ids_of, now, quick, wait_until
from tests.outbox import ME, add_destination, deliveries, notify, states
from tests.parts import PostgresServer, environment
from tests.receiving import SECRET, Start, Told, always, answer

ROOT = Path(__file__).parents[2]
KILLED = """
import sys
from contextlib import closing
from database import open_database
from lake.clock import SystemClock
from lake.settings import Settings
from speed_layer.delivery.delivering import delivering
settings = Settings()
with closing(open_database(settings)) as database, delivering(settings, database, SystemClock()):
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_what_was_under_way_at_the_end_is_due_again_at_once(
    any_settings: Settings,
    any_database: Database,
    receive: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_GRACE_S", 0.2)

    def hang(_: Told) -> Iterable[bytes]:
        receiver.pause(60)
        yield answer()

    receiver = receive(hang)
    add_destination(any_database, receiver.url)
    notify(any_database, "al_1.1.1", made=now())
    with delivering(quick(any_settings), any_database, SystemClock()):
        receiver.wait(1)
    found = deliveries(any_database, "al_1.1.1")["hook"]

    assert ("waiting", 0) == (found.state, found.attempts)
    assert found.due is not None
    assert found.due <= now()
    receiver.answers = always()
    with delivering(quick(any_settings), any_database, SystemClock()):
        wait_until(lambda: ["delivered"] == states(any_database, "al_1.1.1"))


def test_what_was_under_way_at_a_kill_is_delivered_by_whoever_is_left(
    any_settings: Settings,
    any_database: Database,
    receive: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hang(_: Told) -> Iterable[bytes]:
        receiver.pause(60)
        yield answer()

    receiver = receive(hang)
    add_destination(any_database, receiver.url)
    settings = quick(any_settings, delivery_timeout_seconds=1)
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    killed = subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert killed.stdout
        assert b"begun\n" == killed.stdout.readline()
        notify(any_database, "al_1.1.1", made=now())
        receiver.wait(1)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    receiver.answers = always()
    with delivering(settings, any_database, SystemClock()):
        wait_until(lambda: ["delivered"] == states(any_database, "al_1.1.1"))

    assert ["al_1.1.1"] * 2 == ids_of(receiver.told)
    assert 1 == deliveries(any_database, "al_1.1.1")["hook"].attempts


def test_a_database_that_is_away_is_waited_for_and_told_of_once(
    postgres_server: PostgresServer,
    postgres_settings: Settings,
    database_of: Callable[[Settings], Database],
    receive: Start,
) -> None:
    database = database_of(postgres_settings)
    upgrade(database)
    receiver = receive()
    add_destination(database, receiver.url)

    def hold(_: Told) -> Iterable[bytes]:
        postgres_server.kill()
        yield answer()

    receiver.answers = hold
    with (
        capture_logs() as logs,
        delivering(quick(postgres_settings), database, SystemClock()) as deliverer,
    ):
        notify(database, "al_1.1.1", made=now())
        try:
            wait_until(lambda: deliverer.told()["fault"] is not None)
            time.sleep(1.5)
            assert "does not answer" in deliverer.told()["fault"]
        finally:
            postgres_server.start()
        wait_until(lambda: deliverer.told()["fault"] is None)
        wait_until(lambda: ["delivered"] == states(database, "al_1.1.1"))

    # It was delivered once: what became of it was kept until it could be marked.
    assert ["al_1.1.1"] == ids_of(receiver.told)
    events = [each["event"] for each in logs if each["log_level"] in {"error", "warning"}]
    assert ["alerts are not delivered", "alerts are delivered again"] == events


class Breaking:
    """A sender that breaks at its first attempt."""

    def __init__(self) -> None:
        self.attempts = 0

    async def send(self, _: Claimed) -> Outcome:
        self.attempts += 1
        if self.attempts == 1:
            msg = f"broken by {SECRET}"
            raise RuntimeError(msg)
        return Outcome()

    async def close(self) -> None:
        return


def test_an_attempt_that_breaks_ends_no_other(own_database: Database) -> None:
    notify(own_database, "al_1.1.1", to=("hook",), made=now())
    bounds = Bounds(retry_s=0.01, longest_retry_s=0.01)
    senders = {"log": Breaking(), "": Breaking()}
    keep = dt.timedelta(days=1)
    deliverer = Deliverer(own_database, senders, SystemClock(), bounds, keep)
    with capture_logs() as logs:
        deliverer.start()
        wait_until(lambda: ["delivered"] == states(own_database, "al_1.1.1"))
        deliverer.stop()

    (broken,) = [each for each in logs if each["log_level"] == "error"]
    assert ("RuntimeError", "al_1.1.1") == (broken["error"], broken["notification"])
    assert SECRET not in repr(logs)
    assert 2 == deliveries(own_database, "al_1.1.1")["hook"].attempts


def test_a_part_that_is_missing_is_told_at_each_attempt() -> None:
    sender = NoSender("httpx is not installed")
    claimed = Claimed("al_1.1.1", "hook", 0, "", now(), ME, "alert", "{}", None, None)

    assert Outcome("httpx is not installed") == asyncio.run(sender.send(claimed))
