"""Deliverers on both kinds of database and real receivers, many at once."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from database import Database
from database.deliveries import redeliver
from database.tables import NOTIFICATIONS
from lake.clock import SystemClock
from lake.logs import configure_logs
from lake.settings import Settings
from speed_layer.delivery import deliverer as module
from speed_layer.delivery.delivering import delivering
from tests.delivering import PATIENCE_S, ids_of, now, quick, wait_until
from tests.outbox import ACTOR, ME, add_destination, deliveries, notify, states
from tests.receiving import SECRET, Answer, Start, Told, always, answer


def failing(times: int, status: str = "503 Service Unavailable") -> Answer:
    """Return what fails so often for each notification, then takes it."""
    seen: Counter[str] = Counter()

    def say(told: Told) -> Iterable[bytes]:
        seen[told.headers["webhook-id"]] += 1
        yield answer(status if seen[told.headers["webhook-id"]] <= times else "200 OK")

    return say


def test_what_is_due_is_told_to_each_of_its_destinations(
    any_settings: Settings,
    any_database: Database,
    receive: Start,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, other = receive(), receive()
    add_destination(any_database, one.url, name="one")
    add_destination(any_database, other.url, name="other")
    add_destination(any_database, other.url, name="one", owner="you")
    configure_logs(any_settings)
    notify(any_database, "al_1.1.1", to=("one", "other", "log"), made=now())
    with delivering(quick(any_settings), any_database, SystemClock()) as deliverer:
        wait_until(lambda: {"delivered"} == set(states(any_database, "al_1.1.1")))
        told = deliverer.told()

    assert ["al_1.1.1"] == ids_of(one.told) == ids_of(other.told)
    Webhook(SECRET).verify(one.told[0].body, one.told[0].headers)
    expected = {"delivered": 3, "failed": 0, "dead": 0, "in_flight": 0, "fault": None}
    assert expected == told
    said = capsys.readouterr()
    assert "" == said.out
    assert "al_1.1.1" in said.err


def test_the_log_has_a_line_a_notification_whatever_its_level(
    own_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(log_format="json", log_level="error")
    configure_logs(settings)
    notify(own_database, "al_1.1.1", to=("log",), made=now())
    with delivering(settings, own_database, SystemClock()):
        wait_until(lambda: ["delivered"] == states(own_database, "al_1.1.1"))
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)

    assert ("alert", "info", "al_1.1.1", ME) == (
        *(found["event"], found["level"], found["id"], found["owner"]),
    )
    assert "al_1.1.1 ünïcode\nof two lines" == found["text"]
    assert ["AAPL"] == found["symbols"]


def test_a_nudge_is_followed_at_once(
    own_database: Database, receive: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_POLL_S", 3600)
    receiver = receive()
    add_destination(own_database, receiver.url)
    with delivering(quick(Settings()), own_database, SystemClock()) as deliverer:
        for number in range(5):
            notify(own_database, f"al_1.1.{number}", made=now())
            deliverer.nudge()
            receiver.wait(number + 1)
    deliverer.nudge()  # it has ended: nothing happens


def test_what_nobody_nudges_for_is_found_soon(own_database: Database, receive: Start) -> None:
    receiver = receive()
    add_destination(own_database, receiver.url)
    with delivering(quick(Settings()), own_database, SystemClock()):
        time.sleep(0.2)
        notify(own_database, "al_1.1.1", made=now())
        receiver.wait(1)


def test_a_failure_is_tried_again_by_the_same_id_until_it_is_taken(
    any_settings: Settings, any_database: Database, receive: Start
) -> None:
    receiver = receive(failing(3))
    add_destination(any_database, receiver.url)
    notify(any_database, "al_1.1.1", "al_1.1.2", made=now())
    with delivering(quick(any_settings), any_database, SystemClock()):
        wait_until(lambda: ["delivered"] * 2 == states(any_database, "al_1.1.1", "al_1.1.2"))

    assert {"al_1.1.1": 4, "al_1.1.2": 4} == Counter(ids_of(receiver.told))
    assert 4 == deliveries(any_database, "al_1.1.1")["hook"].attempts
    assert "" == deliveries(any_database, "al_1.1.1")["hook"].error


def test_a_dead_letter_is_kept_and_delivered_by_command(
    any_settings: Settings, any_database: Database, receive: Start
) -> None:
    receiver = receive(always("500 Oops", body=b"no disk"))
    add_destination(any_database, receiver.url)
    notify(any_database, "al_1.1.1", made=now())
    settings = quick(any_settings, delivery_attempts=3)
    with capture_logs() as logs, delivering(settings, any_database, SystemClock()):
        wait_until(lambda: ["dead"] == states(any_database, "al_1.1.1"))
        dead = deliveries(any_database, "al_1.1.1")["hook"]
        receiver.answers = always()
        with any_database.write() as connection:
            redeliver(connection, ME, "al_1.1.1", None, actor=ACTOR, at=now())
        wait_until(lambda: ["delivered"] == states(any_database, "al_1.1.1"))

    said = "500 Internal Server Error: no disk"
    assert (3, said, None) == (dead.attempts, dead.error, dead.due)
    assert dead.done is not None
    assert ["al_1.1.1"] * 4 == ids_of(receiver.told)
    (warned,) = [each for each in logs if each["log_level"] == "warning"]
    assert ("a delivery is given up on", "hook", 3, said) == (
        *(warned["event"], warned["destination"], warned["attempts"], warned["error"]),
    )


def test_what_is_gone_is_dead_at_once(own_database: Database, receive: Start) -> None:
    receiver = receive(always("410 Gone"))
    add_destination(own_database, receiver.url)
    notify(own_database, "al_1.1.1", to=("hook", "removed"), made=now())
    with delivering(quick(Settings()), own_database, SystemClock()):
        wait_until(lambda: ["dead", "dead"] == states(own_database, "al_1.1.1"))
    found = deliveries(own_database, "al_1.1.1")

    assert (1, "410 Gone") == (found["hook"].attempts, found["hook"].error)
    assert "there is no destination 'removed' any more" == found["removed"].error


def test_a_thousand_to_ten_webhooks_take_seconds_and_each_is_told_once(
    own_database: Database, receive: Start
) -> None:
    receivers = [receive() for _ in range(10)]
    for number, each in enumerate(receivers):
        add_destination(own_database, each.url, name=f"hook{number}")
        ids = [f"al_{number}.1.{firing}" for firing in range(100)]
        notify(own_database, *ids, to=(f"hook{number}",), made=now())
    begun = time.monotonic()
    with delivering(quick(Settings()), own_database, SystemClock()) as deliverer:
        wait_until(lambda: deliverer.told()["delivered"] == 1000)
    took = time.monotonic() - begun

    assert [100] * 10 == [len(set(ids_of(each.told))) for each in receivers]
    assert [100] * 10 == [len(each.told) for each in receivers]
    assert max(each.most_at_once for each in receivers) <= 8
    assert took < PATIENCE_S


def test_receivers_that_hang_hold_up_no_other(own_database: Database, receive: Start) -> None:
    def hang(_: Told) -> Iterable[bytes]:
        stuck.pause(60)
        yield answer()

    stuck, prompt = receive(hang), receive()
    for number in range(10):
        add_destination(own_database, stuck.url, name=f"stuck{number}")
        ids = [f"al_{number}.1.{firing}" for firing in range(12)]
        notify(own_database, *ids, to=(f"stuck{number}",), made=now())
    add_destination(own_database, prompt.url, name="prompt", owner="you")
    ids = [f"al_99.1.{firing}" for firing in range(100)]
    notify(own_database, *ids, to=("prompt", "log"), owner="you", made=now())
    with delivering(quick(Settings()), own_database, SystemClock()):
        wait_until(lambda: {"delivered"} == set(states(own_database, *ids)))
        wait_until(lambda: stuck.most_at_once == 64)
        assert set(ids) == set(ids_of(prompt.told))


def test_who_fails_gets_one_attempt_at_a_time(own_database: Database, receive: Start) -> None:
    def slowly(_: Told) -> Iterable[bytes]:
        receiver.pause(0.05)
        yield answer("500 Oops")

    receiver = receive(slowly)
    add_destination(own_database, receiver.url)
    notify(own_database, "al_0.1.1", made=now())
    settings = quick(Settings(), delivery_attempts=2)
    with delivering(settings, own_database, SystemClock()):
        receiver.wait(1)
        wait_until(lambda: deliveries(own_database, "al_0.1.1")["hook"].attempts > 0)
        ids = [f"al_1.1.{firing}" for firing in range(5)]
        notify(own_database, *ids, made=now())
        wait_until(lambda: {"dead"} == set(states(own_database, *ids)))

    assert 1 == receiver.most_at_once


def test_of_several_deliverers_one_makes_each_attempt(
    any_settings: Settings,
    any_database: Database,
    database_of: Callable[[Settings], Database],
    receive: Start,
) -> None:
    receiver = receive()
    add_destination(any_database, receiver.url)
    ids = [f"al_1.1.{firing}" for firing in range(200)]
    settings = quick(any_settings)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(delivering(settings, database_of(any_settings), SystemClock()))
        notify(any_database, *ids, made=now())
        wait_until(lambda: {"delivered"} == set(states(any_database, *ids)))

    assert sorted(ids) == sorted(ids_of(receiver.told))


def test_what_cannot_be_sent_here_says_why_and_waits(own_database: Database) -> None:
    notify(own_database, "al_1.1.1", to=("sns",), made=now())
    with delivering(Settings(), own_database, SystemClock()):
        wait_until(lambda: deliveries(own_database, "al_1.1.1")["sns"].attempts > 0)
    found = deliveries(own_database, "al_1.1.1")["sns"]

    assert ("waiting", "FIBLAKE_SNS_ALERTS names no topic") == (found.state, found.error)


def test_old_notifications_are_forgotten(own_database: Database) -> None:
    old = now() - dt.timedelta(days=91)
    notify(own_database, "al_1.1.1", to=("log",), made=old, is_muted=True)
    notify(own_database, "al_1.1.2", to=("sns",), made=old)
    with delivering(Settings(), own_database, SystemClock()):
        wait_until(lambda: not _is_there(own_database, "al_1.1.1"))

    assert _is_there(own_database, "al_1.1.2")


def _is_there(database: Database, notification: str) -> bool:
    asked = sa.select(NOTIFICATIONS.c.notification)
    with database.read() as connection:
        found = connection.scalar(asked.where(NOTIFICATIONS.c.notification == notification))
    return found is not None
