"""Alerts beside the feed that change meanwhile: made, replaced, muted, deleted, or split."""

from __future__ import annotations

import datetime as dt
import time
from typing import Final

import polars as pl
import pytest
import sqlalchemy as sa

from database import Database
from database.alert_flow import all_states
from database.tables import DELIVERIES, NOTIFICATIONS
from lake.envelope import decode_envelope
from tests.embedded_alerts import Start, above, at, begun, now
from tests.evaluated_alerts import NoBars, put_alert, rule, told
from tests.feeding import eventually

SECOND: Final = dt.timedelta(seconds=1)


def test_alerts_that_change_are_evaluated_as_they_are_within_a_second(
    any_database: Database, start_alerts: Start
) -> None:
    running = start_alerts(any_database)
    running.inlet.put(at(0, 100.0))
    assert eventually(lambda: running.health["waiting"] == 0)
    put_alert(any_database, "al_a", above(90, note="buy?", name="high"), changed=now())
    assert begun(running, 1)
    running.inlet.put(at(1, 101.0))
    assert eventually(lambda: told(any_database).keys() == {"al_a.1.1"})
    # By a clock that is behind, and of the instant that was looked at last.
    put_alert(any_database, "al_a", above(200), revision=2, changed=now() - 5 * SECOND)
    put_alert(any_database, "al_b", above(90), muted_until=now() + 60 * SECOND, changed=now())
    assert begun(running, 2)
    assert eventually(lambda: state_of(any_database, "al_a") == 2)
    running.inlet.put(at(2, 150.0))
    running.inlet.put(at(3, 201.0))
    assert eventually(lambda: {"al_a.2.1", "al_b.1.1"} <= told(any_database).keys())
    put_alert(any_database, "al_b", None, deleted=now(), changed=now())
    put_alert(
        any_database, "al_a", None, revision=2, muted_until=now() + 60 * SECOND, changed=now()
    )
    assert begun(running, 1)
    time.sleep(0.2)
    running.inlet.put(at(4, 80.0))
    running.inlet.put(at(5, 202.0))
    running.end()

    assert {
        "al_a.1.1": "AAPL 101.00 above 90.00\nbuy?",
        "al_b.1.1": "AAPL 150.00 above 90.00",
        "al_a.2.1": "AAPL 201.00 above 200.00",
        "al_a.2.2": "AAPL 202.00 above 200.00",
    } == told(any_database)
    with any_database.read() as connection:
        asked = sa.select(NOTIFICATIONS).order_by(NOTIFICATIONS.c.notification)
        first, *others = connection.execute(asked).mappings().all()
        unheard = set(connection.scalars(sa.select(DELIVERIES.c.notification)))
        assert {"al_a"} == all_states(connection).keys()
    assert {"al_a.1.1", "al_a.2.1"} == unheard
    assert_is_told_in_full(first)
    assert ["al_a.2.2", "al_b.1.1"] == [each["notification"] for each in others if each["is_muted"]]


def assert_is_told_in_full(first: sa.RowMapping) -> None:
    assert ("anyone", "al_a", "AAPL", "alert") == tuple(
        first[name] for name in ("owner", "alert", "symbol", "kind")
    )
    envelope = decode_envelope(first["body"])
    assert ("high", ("AAPL",)) == (envelope.title, envelope.symbols)
    assert {
        "alert": "al_a",
        "revision": 1,
        "number": 1,
        "symbol": "AAPL",
        "price": 101.0,
        "name": "high",
    } == envelope.data


def state_of(database: Database, alert: str) -> int | None:
    with database.read() as connection:
        state = all_states(connection).get(alert)
    return state.revision if state else None


def test_an_alert_is_not_told_of_what_was_before_it_when_the_day_is_told_again(
    any_database: Database, start_alerts: Start
) -> None:
    """The flow is told from the session's begin, and the alert was made at the bar.

    prices  100 --- 100 --|-- 90 --- 90 --X
    again   100 --- 100 --|-- 90 --- 90 ---- 100
    """
    put_alert(any_database, "al_other", above(1000))
    before = [at(second, 100.0) for second in range(0, 600, 30)]
    running = start_alerts(any_database)
    assert begun(running, 1)
    for piece in before:
        running.inlet.put(piece)
    assert eventually(lambda: running.health["evaluated"] == len(before))
    five = {"kind": "close", "interval": "5m", "relation": "above", "than": {"level": 99}}
    put_alert(any_database, "al_price", above(99), changed=now())
    put_alert(any_database, "al_bar", rule("AAPL", five), changed=now())
    assert begun(running, 3)
    after = [at(second, 90.0) for second in range(600, 1300, 30)]
    for piece in after:
        running.inlet.put(piece)
    running.stop.set()
    running.end()
    assert {} == told(any_database)

    again = start_alerts(any_database)
    for piece in [*before, *after, at(1400, 100.0)]:
        again.inlet.put(piece)
    again.end()
    assert {"al_price.1.1"} == told(any_database).keys()


class Splitting(NoBars):
    """A lake that knows of a split of two for one on 2026-01-06."""

    def splits(self, session: dt.date) -> dict[str, float]:
        return {"AAPL": 2.0} if session == dt.date(2026, 1, 6) else {}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_split_moves_the_levels_of_alerts_once_however_often_its_session_begins(
    own_database: Database,
    start_alerts: Start,
    is_restarted: bool,  # noqa: FBT001 - a test's parameter
) -> None:
    put_alert(own_database, "al_old", above(100))
    day = 86_400
    parts = [[at(0, 99.0)], [at(day, 49.5)], [at(day + 1, 50.5)]]
    running = start_alerts(own_database, history=Splitting())
    assert begun(running, 1)
    told_by_now: list[pl.DataFrame] = []
    for number, part in enumerate(parts):
        if is_restarted and number:
            running.stop.set()
            running.end()
            running = start_alerts(own_database, history=Splitting())
            assert begun(running, 1)
            for each in told_by_now:
                running.inlet.put(each)
            assert eventually(lambda: running.health["waiting"] == 0)  # noqa: B023 - at once
        if number == 2:
            # On the basis of the day on which it is made.
            put_alert(own_database, "al_new", above(50), changed=now())
            assert begun(running, 2)
        for each in part:
            running.inlet.put(each)
        told_by_now += part
        assert eventually(lambda: running.health["waiting"] == 0)  # noqa: B023 - at once
    running.stop.set()
    running.end()

    assert {
        "al_old.1.1": "AAPL 50.50 above 50.00",
        "al_new.1.1": "AAPL 50.50 above 50.00",
    } == told(own_database)
