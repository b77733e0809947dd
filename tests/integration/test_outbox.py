"""The outbox keeps one contract, in a file of SQLite and on a PostgreSQL server."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from database import Database
from database.audit import latest
from database.deliveries import deliveries_of, latest_deliveries, redeliver
from database.notifications import NotificationRow, add_notification
from database.outbox import Claim, Claimed, Marked, Most, Route, Shares, claim, has_due, mark
from database.pruning import forget_notifications
from database.tables import DELIVERIES, NOTIFICATIONS
from lake.errors import MisuseError, UnknownAlertError, UnknownDestinationError
from lake.settings import Settings
from tests.outbox import ACTOR, ME, NOW, add_destination, deliveries, notify, states
from tests.receiving import SECRET

S = dt.timedelta(seconds=1)
MANY = Most(1000, 1000)


def claimed(
    database: Database,
    *,
    by: str = "a",
    at: dt.datetime = NOW,
    doing: dict[Route, int] | None = None,
    per: int = 1000,
    own: int = 1000,
    most: Most = MANY,
) -> list[Claimed]:
    with database.write() as connection:
        shares = Shares(Counter(doing).elements(), lambda each: per if each.destination else own)
        return claim(connection, Claim(by, at, at + 30 * S), shares, most)


def marked(database: Database, each: Claimed, *, by: str = "a", at: dt.datetime = NOW) -> None:
    with database.write() as connection:
        mark(connection, by, [Marked(each, "delivered", each.attempts + 1, "", None, at)])


def test_deliveries_of_more_than_one_question_can_hold_are_told(any_database: Database) -> None:
    ids = [f"al_1.1.{number}" for number in range(70_000)]
    notify(any_database, ids[0], ids[-1])
    with any_database.read() as connection:
        found = deliveries_of(connection, ids)

    assert ids == list(found)
    assert [ids[0], ids[-1]] == [each.notification for told in found.values() for each in told]


def test_what_is_due_is_claimed_with_all_that_it_takes(any_database: Database) -> None:
    add_destination(any_database, "https://example.com/a")
    notify(any_database, "al_1.1.1", to=("hook", "log"))
    first, second = sorted(claimed(any_database), key=lambda each: each.destination)

    assert ("al_1.1.1", "hook", 0, "", NOW + 30 * S, ME, "alert") == (
        *(first.notification, first.destination, first.attempts, first.error, first.until),
        *(first.owner, first.kind),
    )
    assert ("https://example.com/a", SECRET) == (first.url, first.secret)
    assert ("log", None, None) == (second.destination, second.url, second.secret)
    assert '"id":"al_1.1.1"' in first.body
    assert SECRET not in repr(first)
    assert [Route(ME, "hook"), Route("", "log")] == [first.route, second.route]


def test_a_notification_that_is_there_already_is_not_told_again(any_database: Database) -> None:
    notify(any_database, "al_1.1.1")
    row = NotificationRow(
        "al_1.1.1", "alert", ME, "al_1", None, NOW, NOW, is_muted=False, body="{}"
    )
    with any_database.write() as connection:
        assert not add_notification(connection, row, ["hook", "log"])

    assert ["waiting"] == states(any_database, "al_1.1.1")


def test_a_destination_of_someone_else_s_is_none_of_the_owner_s(any_database: Database) -> None:
    add_destination(any_database, "https://example.com/a", owner="you")
    notify(any_database, "al_1.1.1")

    assert [(None, None)] == [(each.url, each.secret) for each in claimed(any_database)]


def test_what_is_claimed_is_not_claimed_again_until_the_claim_ends(any_database: Database) -> None:
    """
    0 s       30 s
    ├─ claim ─┤├─ claimed again
       ✗     ✗
    """
    notify(any_database, "al_1.1.1")

    assert 1 == len(claimed(any_database))
    assert [] == claimed(any_database, by="b", at=NOW + S)
    assert [] == claimed(any_database, by="b", at=NOW + 29 * S)
    assert ["al_1.1.1"] == [
        each.notification for each in claimed(any_database, by="b", at=NOW + 30 * S)
    ]


def test_what_is_not_due_yet_is_not_claimed(any_database: Database) -> None:
    notify(any_database, "al_1.1.1", made=NOW + S)

    with any_database.read() as connection:
        assert not has_due(connection, NOW)
        assert has_due(connection, NOW + S)
    assert [] == claimed(any_database)


def test_a_claim_that_ended_marks_nothing_once_another_holds(any_database: Database) -> None:
    notify(any_database, "al_1.1.1")
    (late,) = claimed(any_database)
    (held,) = claimed(any_database, by="b", at=NOW + 31 * S)

    marked(any_database, late)
    assert ["waiting"] == states(any_database, "al_1.1.1")
    marked(any_database, held, by="b")
    assert ["delivered"] == states(any_database, "al_1.1.1")


def test_a_claim_that_ended_still_marks_while_no_other_holds(any_database: Database) -> None:
    notify(any_database, "al_1.1.1")
    (late,) = claimed(any_database)

    marked(any_database, late, at=NOW + 60 * S)
    assert ["delivered"] == states(any_database, "al_1.1.1")


def test_a_failure_is_kept_with_when_it_is_tried_again(any_database: Database) -> None:
    notify(any_database, "al_1.1.1")
    (each,) = claimed(any_database)
    with any_database.write() as connection:
        mark(connection, "a", [Marked(each, "waiting", 1, "503", NOW + 5 * S, None)])
    found = deliveries(any_database, "al_1.1.1")["hook"]

    assert ("waiting", 1, "503", NOW + 5 * S, None) == (
        *(found.state, found.attempts, found.error, found.due, found.done),
    )
    assert [(1, "503")] == [
        (each.attempts, each.error) for each in claimed(any_database, at=NOW + 5 * S)
    ]


def test_a_destination_gets_no_more_than_its_share_and_others_theirs(
    any_database: Database,
) -> None:
    notify(any_database, *(f"al_1.1.{each}" for each in range(600)), to=("slow",))
    notify(any_database, "al_2.1.1", to=("quick",), made=NOW + S)
    found = claimed(any_database, at=NOW + S, per=3, doing={Route(ME, "slow"): 1})

    assert {"slow": 2, "quick": 1} == Counter(each.destination for each in found)


def test_a_destination_of_one_name_has_a_share_for_each_owner(any_database: Database) -> None:
    notify(any_database, "al_1.1.1", "al_1.1.2")
    notify(any_database, "al_2.1.1", "al_2.1.2", owner="you")
    found = claimed(any_database, per=1)

    assert {ME: 1, "you": 1} == Counter(each.owner for each in found)


def test_an_owner_has_a_share_for_all_destinations_together(any_database: Database) -> None:
    for number in range(5):
        ids = [f"al_{number}.1.{each}" for each in range(200)]
        notify(any_database, *ids, to=(f"hook{number}",))
    notify(any_database, "al_8.1.1", to=("log",), made=NOW + S)
    notify(any_database, "al_9.1.1", owner="you", made=NOW + S)
    found = claimed(any_database, at=NOW + S, per=2, own=7, doing={Route(ME, "hook4"): 1})

    assert {ME: 6 + 1, "you": 1} == Counter(each.owner for each in found)
    assert {"hook", "log"} <= {each.destination for each in found}


def test_webhooks_take_nothing_from_built_in_destinations(any_database: Database) -> None:
    notify(any_database, "al_1.1.1", "al_1.1.2", to=("hook", "log"))
    found = claimed(any_database, most=Most(1, 0))

    assert ["log"] == [each.destination for each in found]


def test_many_claim_at_once_and_each_delivery_is_one_s(
    any_settings: Settings, any_database: Database, database_of: Callable[[Settings], Database]
) -> None:
    ids = [f"al_1.1.{each}" for each in range(200)]
    notify(any_database, *ids)
    others = [database_of(any_settings) for _ in range(4)]
    start = threading.Barrier(4)

    def take(number: int) -> list[str]:
        start.wait()
        found: list[Claimed] = []
        while True:
            more = claimed(others[number], by=str(number), most=Most(0, 7))
            if not more and not claimed(others[number], by=str(number)):
                return [each.notification for each in found]
            found += more

    with ThreadPoolExecutor(4) as pool:
        taken = [each for part in pool.map(take, range(4)) for each in part]

    assert sorted(taken) == sorted(set(taken))
    with any_database.read() as connection:
        by = connection.execute(sa.select(DELIVERIES.c.claimed_by)).scalars().all()
    assert 200 == len(by)
    assert None not in by


def test_what_was_delivered_is_delivered_again_by_command(any_database: Database) -> None:
    notify(any_database, "al_1.1.1", to=("hook", "log"))
    for each in claimed(any_database):
        marked(any_database, each)
    with any_database.write() as connection:
        count = redeliver(connection, ME, "al_1.1.1", None, actor=ACTOR, at=NOW + S)
        entry = latest(connection, 1)[0]

    assert 2 == count
    assert ["waiting", "waiting"] == states(any_database, "al_1.1.1")
    assert [0, 0] == [each.attempts for each in claimed(any_database, at=NOW + S)]
    assert ("redelivery", "al_1.1.1", "of me, to all its destinations") == (
        *(entry.action, entry.subject, entry.detail),
    )


def test_one_destination_alone_is_delivered_to_again(any_database: Database) -> None:
    notify(any_database, "al_1.1.1", to=("hook", "log"))
    for each in claimed(any_database):
        marked(any_database, each)
    with any_database.write() as connection:
        assert 1 == redeliver(connection, ME, "al_1.1.1", "log", actor=ACTOR, at=NOW + S)

    assert ["delivered", "waiting"] == states(any_database, "al_1.1.1")


def test_what_is_being_delivered_is_not_delivered_beside_it(any_database: Database) -> None:
    notify(any_database, "al_1.1.1")
    claimed(any_database)
    with any_database.write() as connection:
        assert 0 == redeliver(connection, ME, "al_1.1.1", None, actor=ACTOR, at=NOW + S)
        assert 1 == redeliver(connection, ME, "al_1.1.1", None, actor=ACTOR, at=NOW + 30 * S)


def test_nobody_delivers_what_is_someone_else_s(any_database: Database) -> None:
    notify(any_database, "al_1.1.1")
    with (
        pytest.raises(UnknownAlertError, match=r"'you' has no firing 'al_1\.1\.1'"),
        any_database.write() as connection,
    ):
        redeliver(connection, "you", "al_1.1.1", None, actor=ACTOR, at=NOW)


def test_what_is_not_told_somewhere_is_not_told_there_again(any_database: Database) -> None:
    notify(any_database, "al_1.1.1")
    notify(any_database, "al_1.1.2", is_muted=True)
    with (
        pytest.raises(UnknownDestinationError, match=r"not told to 'log'\. Allowed: hook"),
        any_database.write() as connection,
    ):
        redeliver(connection, ME, "al_1.1.1", "log", actor=ACTOR, at=NOW)
    with (
        pytest.raises(MisuseError, match="told nowhere: its alert was muted"),
        any_database.write() as connection,
    ):
        redeliver(connection, ME, "al_1.1.2", None, actor=ACTOR, at=NOW)


def test_deliveries_are_listed_the_latest_first(any_database: Database) -> None:
    notify(any_database, "al_1.1.1")
    notify(any_database, "al_1.1.2", made=NOW + S)
    notify(any_database, "al_2.1.1", owner="you")
    (first, *_) = claimed(any_database, most=Most(0, 1))
    marked(any_database, first)
    with any_database.read() as connection:
        mine = latest_deliveries(connection, ME, None, 10)
        waiting = latest_deliveries(connection, None, "waiting", 10)
        one = latest_deliveries(connection, ME, None, 1)

    assert ["al_1.1.2", "al_1.1.1"] == [each.notification for each in mine]
    assert ["al_1.1.2", "al_2.1.1"] == [each.notification for each in waiting]
    assert ["al_1.1.2"] == [each.notification for each in one]


def test_what_was_told_long_ago_is_forgotten_and_what_waits_never(any_database: Database) -> None:
    later = NOW + 10 * S
    notify(any_database, "al_1.1.1", "al_1.1.2", "al_1.1.3", to=("hook",))
    notify(any_database, "al_1.1.4", is_muted=True)
    notify(any_database, "al_1.1.5", is_muted=True, made=later)
    delivered, late, _ = claimed(any_database)
    marked(any_database, delivered)
    marked(any_database, late, at=later)
    with any_database.write() as connection:
        assert 2 == forget_notifications(connection, later)
        assert 0 == forget_notifications(connection, later)
        left = connection.execute(sa.select(NOTIFICATIONS.c.notification)).scalars()
        assert ["al_1.1.2", "al_1.1.3", "al_1.1.5"] == sorted(left)
        told = connection.execute(sa.select(DELIVERIES.c.notification)).scalars()
        assert ["al_1.1.2", "al_1.1.3"] == sorted(told)


def test_a_long_row_for_one_destination_hides_no_other(any_database: Database) -> None:
    for number in range(5):
        ids = [f"al_{number}.1.{each}" for each in range(600)]
        notify(any_database, *ids, to=(f"slow{number}",))
    notify(any_database, "al_9.1.1", to=("quick",), made=NOW + S)
    found = claimed(any_database, at=NOW + S, per=2)

    assert 11 == len(found)
    assert "quick" in {each.destination for each in found}
