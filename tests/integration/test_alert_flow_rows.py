"""What whoever evaluates alerts keeps: all of it or nothing, and nothing once another took over."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Final

import pytest
import sqlalchemy as sa

from database import Database
from database.alert_flow import (
    Progress,
    StateRow,
    all_market,
    all_rules,
    all_states,
    keep_progress,
    rules_of,
    take_over,
    versions,
)
from database.notifications import NotificationRow
from database.tables import ALERT_RULES, DELIVERIES, NOTIFICATIONS
from lake.errors import TakenOverError

NOW: Final = dt.datetime(2026, 1, 5, 15, 0, 0, 123_456, tzinfo=dt.UTC)


def state(alert: str, fired: int = 0) -> StateRow:
    return StateRow(alert, 1, "{}", fired, NOW if fired else None, is_done=False, adopted=NOW)


def told(number: int) -> tuple[NotificationRow, tuple[str, ...]]:
    row = NotificationRow(
        f"al_1.1.{number}", "alert", "anyone", "al_1", "AAPL", NOW, NOW, is_muted=False, body="{}"
    )
    return row, ("log", "sns")


def add_rule(database: Database, alert: str, changed: dt.datetime = NOW, **others: object) -> None:
    row = {
        "alert": alert,
        "owner": "anyone",
        "symbol": "AAPL",
        "definition": "{}",
        "revision": 1,
        "created": NOW,
        "changed": changed,
        **others,
    }
    with database.write() as connection:
        connection.execute(sa.insert(ALERT_RULES).values(row))


def count(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def test_what_is_kept_is_what_the_next_one_begins_with(any_database: Database) -> None:
    kept = [state("al_1", 2), state("al_2")]
    with any_database.write() as connection:
        mine = take_over(connection)
    with any_database.write() as connection:
        first = Progress("early", [state("al_1"), state("al_3")], {"A": "1", "B": "2"}, [told(1)])
        keep_progress(connection, mine.epoch, first)
    with any_database.write() as connection:
        then = Progress("late", kept, {"A": "3", "B": None}, [told(1), told(2)], ["al_3"])
        keep_progress(connection, mine.epoch, then)

    with any_database.write() as connection:
        after = take_over(connection)
        states, market = all_states(connection), all_market(connection)
    assert (1, "") == (mine.epoch, mine.position)
    assert (2, "late") == (after.epoch, after.position)
    assert {"al_1": kept[0], "al_2": kept[1]} == states
    assert {"A": "3"} == market
    assert (2, 4) == (count(any_database, NOTIFICATIONS), count(any_database, DELIVERIES))


def test_who_was_taken_over_from_keeps_nothing(any_database: Database) -> None:
    with any_database.write() as connection:
        mine = take_over(connection)
    with any_database.write() as connection:
        take_over(connection)

    with pytest.raises(TakenOverError, match="taken over"), any_database.write() as connection:
        keep_progress(connection, mine.epoch, Progress("x", [state("al_1")], {}, [told(1)]))

    with any_database.read() as connection:
        assert {} == all_states(connection)
    assert 0 == count(any_database, NOTIFICATIONS)


def test_who_takes_over_waits_for_what_is_being_kept(any_database: Database) -> None:
    with any_database.write() as connection:
        mine = take_over(connection)
    found: list[str] = []

    def take() -> None:
        with any_database.write() as connection:
            found.append(take_over(connection).position)

    with any_database.write() as connection:
        keep_progress(connection, mine.epoch, Progress("kept", [state("al_1")]))
        other = threading.Thread(target=take)
        other.start()
        other.join(0.3)
        assert [] == found
    other.join(30)
    assert ["kept"] == found


def test_alerts_that_changed_since_are_found_deleted_ones_too(any_database: Database) -> None:
    later = NOW + dt.timedelta(microseconds=1)
    add_rule(any_database, "al_1")
    add_rule(any_database, "al_2", later, muted_until=later)
    add_rule(any_database, "al_3", later, deleted=later)

    with any_database.read() as connection:
        whole = all_rules(connection)
        since = {each.alert: each for each in versions(connection, later)}
        everything = [each.alert for each in versions(connection, None)]
        named = rules_of(connection, ["al_3", "al_1", "al_0"])
    assert ["al_1", "al_2"] == sorted(each.alert for each in whole)
    assert {"al_2", "al_3"} == since.keys()
    assert later == since["al_2"].muted_until
    assert later == since["al_3"].deleted
    assert ["al_1", "al_2"] == sorted(everything)
    assert [("al_1", None), ("al_3", later)] == sorted((row.alert, row.deleted) for row in named)


def test_ten_thousand_rows_are_kept_in_a_second_or_so(any_database: Database) -> None:
    states = [state(f"al_{each}") for each in range(10_000)]
    market = {f"S{each}": "{}" for each in range(10_000)}
    with any_database.write() as connection:
        mine = take_over(connection)
    for position in ("first", "again"):
        with any_database.write() as connection:
            keep_progress(connection, mine.epoch, Progress(position, states, market))

    with any_database.write() as connection:
        keep_progress(
            connection, mine.epoch, Progress("gone", (), {}, (), [*all_states(connection)])
        )
    with any_database.read() as connection:
        assert {} == all_states(connection)
