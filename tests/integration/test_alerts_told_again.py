"""Alerts beside the feed where a day is told to them again, from its record or by a replay."""

from __future__ import annotations

import threading
import time

from database import Database
from lake.clock import SetClock
from lake.instant import from_microseconds
from lake.store import LocalStore
from speed_layer.alerts.embedded import PRESENT
from speed_layer.alerts.inlet import Inlet
from tests.alert_day import DAY, RULES
from tests.embedded_alerts import Start, above, at, begun, pieces
from tests.evaluated_alerts import evaluated_at_once, put_alert, put_alerts, texts, told
from tests.feeding import eventually


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
