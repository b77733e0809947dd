"""Alerts beside the feed: what fires is told once, whatever ends or is away meanwhile."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import sqlalchemy as sa

from batch_layer.backups.dump import dump
from batch_layer.backups.load import load
from database import Database
from database.alert_flow import all_states
from database.migrating import upgrade
from database.tables import ALERT_RULES, DELIVERIES
from lake.alerts.book import BarsKey
from lake.alerts.rule import rule_document
from lake.alerts.seen import SeenBar
from lake.errors import TakenOverError, UnavailableError
from lake.settings import Settings
from lake.store import LocalStore
from tests.alert_day import DAY, RULES
from tests.embedded_alerts import Start, above, begun, now, pieces
from tests.evaluated_alerts import NoBars, evaluated_at_once, put_alerts, texts, told
from tests.feeding import eventually
from tests.parts import PostgresServer


def test_what_fires_is_what_fires_where_all_is_evaluated_at_once(
    any_database: Database, start_alerts: Start
) -> None:
    expected = texts(evaluated_at_once(RULES, DAY.tape))
    put_alerts(any_database, RULES)
    running = start_alerts(any_database)
    assert begun(running, len(RULES))
    for piece in pieces(DAY.tape):
        running.inlet.put(piece)
    running.end()

    assert len(expected) > 100
    assert len({each.partition(".")[0] for each in expected}) > len(RULES) * 0.8
    assert expected == told(any_database)
    with any_database.read() as connection:
        states = all_states(connection)
        waiting = connection.scalar(sa.select(sa.func.count()).select_from(DELIVERIES))
    assert RULES.keys() == states.keys()
    assert len(expected) == sum(each.fired for each in states.values()) == waiting
    assert {"rules": len(RULES), "fired": len(expected), "uncommitted": 0}.items() <= (
        running.health.items()
    )


def test_a_database_that_is_away_holds_up_no_evaluation_and_gets_all_in_the_end(
    postgres_server: PostgresServer,
    postgres_settings: Settings,
    database_of: Callable[[Settings], Database],
    start_alerts: Start,
) -> None:
    """The database is away while most of the day is evaluated.

    evaluated |=========================|
    database  |=====X             ======|
    """
    database = database_of(postgres_settings)
    upgrade(database)
    expected = texts(evaluated_at_once(RULES, DAY.tape))
    put_alerts(database, RULES)
    running = start_alerts(database)
    assert begun(running, len(RULES))
    running.inlet.put(DAY.tape.head(500))
    assert eventually(lambda: told(database) != {})
    postgres_server.kill()
    try:
        for piece in pieces(DAY.tape[500:]):
            running.inlet.put(piece)
        assert eventually(lambda: running.health["fired"] == len(expected))
        assert eventually(lambda: bool(running.health["away"].get("database")))
        uncommitted = running.health["uncommitted"]
    finally:
        postgres_server.start()
    assert eventually(lambda: running.health["uncommitted"] == 0)
    running.end()

    assert 0 < uncommitted <= len(expected)
    assert expected == told(database)
    assert {} == running.health["away"]


class Away(NoBars):
    """A lake that is away until it is back."""

    def __init__(self) -> None:
        self.is_back = threading.Event()

    def before(
        self, wanted: Mapping[BarsKey, tuple[int, int]], as_of: dt.date
    ) -> dict[BarsKey, list[SeenBar]]:
        if not self.is_back.is_set():
            fact = "The lake does not answer."
            raise UnavailableError(fact)
        return super().before(wanted, as_of)


def test_alerts_wait_for_a_lake_that_is_away_and_nothing_is_lost(
    own_database: Database, start_alerts: Start
) -> None:
    expected = texts(evaluated_at_once(RULES, DAY.tape))
    put_alerts(own_database, RULES)
    lake = Away()
    running = start_alerts(own_database, history=lake)
    assert begun(running, len(RULES))
    for piece in pieces(DAY.tape):
        running.inlet.put(piece)
    assert eventually(lambda: "does not answer" in running.health["away"].get("lake", ""))
    lake.is_back.set()
    running.end()

    assert expected == told(own_database)
    assert {} == running.health["away"]


def test_what_was_not_evaluated_when_all_ended_is_evaluated_at_the_next_start(
    own_database: Database, start_alerts: Start
) -> None:
    expected = texts(evaluated_at_once(RULES, DAY.tape))
    put_alerts(own_database, RULES)
    for lake in (Away(), NoBars()):
        running = start_alerts(own_database, history=lake)
        assert begun(running, len(RULES))
        for piece in pieces(DAY.tape):
            running.inlet.put(piece)
        if isinstance(lake, Away):
            assert eventually(lambda: bool(running.health["away"]))  # noqa: B023 - at once
            running.stop.set()
        running.end()

    assert expected == told(own_database)


def test_alerts_restored_from_a_backup_go_on_and_tell_the_same_by_the_same_ids(
    any_database: Database, start_alerts: Start, tmp_path: Path
) -> None:
    expected = texts(evaluated_at_once(RULES, DAY.tape))
    put_alerts(any_database, RULES)
    running = start_alerts(any_database)
    assert begun(running, len(RULES))
    for piece in pieces(DAY.tape[: DAY.tape.height // 2]):
        running.inlet.put(piece)
    assert eventually(lambda: len(told(any_database)) > 20)
    running.stop.set()
    running.end()
    place, before = LocalStore(tmp_path / "backups"), told(any_database)
    kept = dump(any_database, place, "one")

    for is_restored in (False, True):
        if is_restored:
            load(kept, place, any_database, replace=True)
            assert before == told(any_database)
        running = start_alerts(any_database)
        assert begun(running, len(RULES))
        for piece in pieces(DAY.tape):
            running.inlet.put(piece)
        running.end()
        assert expected == told(any_database)

    assert before.items() < expected.items()


def test_a_later_one_takes_over_and_the_earlier_one_ends_and_says_so(
    any_database: Database, start_alerts: Start
) -> None:
    expected = texts(evaluated_at_once(RULES, DAY.tape))
    put_alerts(any_database, RULES)
    first = start_alerts(any_database)
    assert begun(first, len(RULES))
    half = DAY.tape.height // 2
    first.inlet.put(DAY.tape.head(half))
    assert eventually(lambda: first.health["waiting"] == 0 and told(any_database) != {})
    second = start_alerts(any_database)
    assert begun(second, len(RULES))
    for piece in pieces(DAY.tape):
        first.inlet.put(piece)
        second.inlet.put(piece)
    second.end()

    assert eventually(lambda: isinstance(first.failure, TakenOverError))
    assert "taken over" in first.health["failure"]
    assert expected == told(any_database)
    first.inlet.put(DAY.tape)
    assert 0 == first.inlet.waiting


def test_many_alerts_are_evaluated_seconds_after_the_start(
    own_database: Database, start_alerts: Start
) -> None:
    definition = orjson.dumps(rule_document(above(1000))).decode()
    rows = [
        {
            "alert": f"al_{each:012x}",
            "owner": "anyone",
            "symbol": f"S{each % 10_000}",
            "definition": definition.replace("AAPL", f"S{each % 10_000}"),
            "revision": 1,
            "created": now(),
            "changed": now(),
        }
        for each in range(20_000)
    ]
    with own_database.write() as connection:
        connection.execute(sa.insert(ALERT_RULES), rows)
    for _ in range(2):
        begin = time.process_time()  # whatever else the machine does
        running = start_alerts(own_database)
        assert begun(running, len(rows))
        assert time.process_time() - begin < 10
        running.stop.set()
        running.end()
