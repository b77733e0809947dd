"""Alerts beside the feed: what fires is told once, whatever ends or is away meanwhile."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
import pytest
import sqlalchemy as sa

from batch_layer.backups.dump import dump
from batch_layer.backups.load import load
from database import Database
from database.alert_flow import all_states
from database.migrating import upgrade
from database.tables import ALERT_RULES, DELIVERIES, NOTIFICATIONS
from lake.alerts.book import BarsKey
from lake.alerts.rule import Rule, rule_document
from lake.alerts.seen import SeenBar
from lake.clock import Clock, SetClock, SystemClock
from lake.envelope import decode_envelope
from lake.errors import TakenOverError, UnavailableError
from lake.instant import from_microseconds, microseconds
from lake.settings import Settings
from lake.store import LocalStore
from speed_layer.alerts.embedded import PRESENT, Embedded, Setting
from speed_layer.alerts.inlet import Inlet
from speed_layer.alerts.keeper import Keeper, Pace
from speed_layer.alerts.record import Record
from tests.days import SESSION, calendar, made_day
from tests.evaluated_alerts import (
    GRACE,
    NoBars,
    evaluated_at_once,
    many_rules,
    put_alert,
    put_alerts,
    rule,
    texts,
    told,
)
from tests.feeding import OPEN_US, eventually, frame, trade
from tests.parts import PostgresServer

SECOND: Final = dt.timedelta(seconds=1)
SOON: Final = Pace(poll_s=0.02, retry_s=0.01, longest_s=0.1)
DAY: Final = made_day(6, 600)
SYMBOLS: Final = tuple(DAY.bars["symbol"])
RULES: Final = many_rules(DAY.bars, SYMBOLS[:4])


class Running:
    """An evaluation in a thread of its own."""

    def __init__(
        self,
        database: Database,
        store: LocalStore | None,
        inlet: Inlet,
        flow: str,
        clock: Clock,
        history: NoBars,
    ) -> None:
        self.inlet = inlet
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        setting = Setting(
            flow=flow,
            kind="trade",
            record=Record(store, "generated") if store else None,
            session=None if store else SESSION,
            table=calendar(),
            grace=GRACE,
            history=history,
            clock=clock,
            started=microseconds(clock.now()),
        )
        self.embedded = Embedded(
            setting, inlet, lambda: Keeper(database, SystemClock(), pace=SOON), self.stop
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.embedded.run()
        except TakenOverError as error:
            self.failure = error

    def end(self) -> None:
        """Let it end once all that waits is evaluated."""
        self.inlet.close()
        self._thread.join(60)
        assert not self._thread.is_alive()

    @property
    def health(self) -> dict[str, Any]:
        return self.embedded.document()


Start = Callable[..., Running]


@pytest.fixture
def start_alerts() -> Iterator[Start]:
    started: list[Running] = []

    def start(
        database: Database,
        *,
        record: LocalStore | None = None,
        inlet: Inlet | None = None,
        flow: str = "replay",
        clock: Clock | None = None,
        history: NoBars | None = None,
    ) -> Running:
        of_clock, bars = clock or SystemClock(), history or NoBars()
        started.append(Running(database, record, inlet or Inlet(), flow, of_clock, bars))
        return started[-1]

    yield start
    for each in started:
        each.stop.set()
        each.end()


def pieces(events: pl.DataFrame, size: int = 200) -> list[pl.DataFrame]:
    return [events[at : at + size] for at in range(0, events.height, size)]


def begun(running: Running, rules: int) -> bool:
    return eventually(lambda: running.health["rules"] == rules)


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


def at(second: int, price: float, sequence: int = 1, symbol: str = "AAPL") -> pl.DataFrame:
    """Return a trade so many seconds after the open of a present day."""
    return frame(trade(symbol, sequence, time=OPEN_US + second * 10**6, price=price))


def above(level: float, **others: Any) -> Rule:
    more = {"repeat": True, "cooldown_seconds": 0, **others}
    return rule("AAPL", {"kind": "price", "relation": "above", "level": level}, **more)


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
    assert ["al_a.2.2", "al_b.1.1"] == [each["notification"] for each in others if each["is_muted"]]


def now() -> dt.datetime:
    return SystemClock().now()


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


def test_what_the_inlet_had_no_room_for_is_told_from_the_record(
    any_database: Database, start_alerts: Start, store: LocalStore
) -> None:
    expected = texts(evaluated_at_once(RULES, DAY.tape))
    put_alerts(any_database, RULES)
    DAY.record(store, each=500)
    clock = SetClock(DAY.hours.dawn)
    running = start_alerts(
        any_database, inlet=Inlet(most=300), record=store, flow=PRESENT, clock=clock
    )
    assert begun(running, len(RULES))
    clock.instant = from_microseconds(DAY.tape["received"].item(-1))
    for piece in pieces(DAY.tape):
        running.inlet.put(piece)
    assert eventually(lambda: running.health["lost"] > 0 and running.health["waiting"] == 0)
    assert eventually(lambda: running.health["fired"] >= len(expected))
    running.end()

    assert expected == told(any_database)


def test_alerts_catch_up_with_a_feed_that_goes_on_while_the_day_is_told_again(
    own_database: Database, start_alerts: Start, store: LocalStore
) -> None:
    """Room for a part of what comes meanwhile; what was kept of the day is not evaluated again."""
    expected = texts(evaluated_at_once(RULES, DAY.tape))
    put_alerts(own_database, RULES)
    DAY.record(store, each=500)
    half = DAY.tape.height // 2
    first = start_alerts(own_database, flow=PRESENT, record=store, clock=SetClock(DAY.hours.dawn))
    assert begun(first, len(RULES))
    for piece in pieces(DAY.tape[:half]):
        first.inlet.put(piece)
    first.end()
    inlet = Inlet(most=1_000)
    for piece in pieces(DAY.tape[half:]):
        inlet.put(piece)
    second = start_alerts(own_database, inlet=inlet, record=store, flow=PRESENT)
    feeding = threading.Event()

    def feed() -> None:
        while not feeding.wait(0.05):
            inlet.put(DAY.tape[-25:])

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        assert eventually(lambda: second.health["lost"] > 0)
        lost = second.health["lost"]
        time.sleep(2.0)
        assert lost == second.health["lost"]
    finally:
        feeding.set()
        feeder.join()
    second.end()

    assert expected == told(own_database)
    assert 0 < lost
    assert second.health["evaluated"] < DAY.tape.height


def test_a_replay_that_was_told_to_its_end_is_another_one_when_it_is_told_again(
    any_database: Database, start_alerts: Start
) -> None:
    put_alert(any_database, "al_once", above(99, repeat=False))
    put_alert(any_database, "al_each", above(99))
    for number in (1, 2):
        running = start_alerts(any_database)
        assert begun(running, 2)
        for second, price in enumerate((100.0, 90.0, 101.0)):
            running.inlet.put(at(second, price))
        running.end()
        fired = {f"al_each.1.{each + 1}" for each in range(2 * number)}
        assert {"al_once.1.1"} | fired == told(any_database).keys()

    stopped = start_alerts(any_database, flow="another")
    assert begun(stopped, 2)
    stopped.inlet.put(at(0, 100.0))
    assert eventually(lambda: "al_each.1.5" in told(any_database))
    stopped.stop.set()
    stopped.end()
    resumed = start_alerts(any_database, flow="another")
    for second, price in enumerate((100.0, 90.0, 101.0)):
        resumed.inlet.put(at(second, price))
    resumed.end()
    assert 1 + 6 == len(told(any_database))


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
