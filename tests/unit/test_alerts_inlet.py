"""The inlet of alerts: it holds up nobody, and says what it dropped."""

from __future__ import annotations

import threading

import polars as pl

from lake.clock import SystemClock
from lake.instant import microseconds
from speed_layer.alerts.embedded import HELD_BACK_US, held_back
from speed_layer.alerts.inlet import Inlet
from tests.events import heartbeat
from tests.feeding import a_day, eventually

EVENTS = a_day(30)


def test_events_come_out_in_the_order_in_which_they_came_in() -> None:
    inlet = Inlet()
    for at in range(0, 30, 7):
        inlet.put(EVENTS[at : at + 7])
    taken = inlet.take(1)

    assert taken
    assert EVENTS.equals(taken.events)
    assert 0 == inlet.waiting == taken.lost


def test_what_there_is_no_room_for_is_dropped_from_then_on_and_counted() -> None:
    inlet = Inlet(most=10)
    for at in range(0, 30, 10):
        inlet.put(EVENTS[at : at + 10])
    first = inlet.take(1)
    inlet.put(EVENTS[:5])
    second = inlet.take(0)
    lost = inlet.resume()
    inlet.put(EVENTS[:1])
    third = inlet.take(1)

    assert first
    assert (10, 20) == (first.events.height, first.lost)
    assert second
    assert (0, 25) == (second.events.height, second.lost)
    assert (25, EVENTS["received"].max()) == lost
    assert third
    assert (1, 0) == (third.events.height, third.lost)


def test_what_waits_is_dropped_with_what_there_was_no_room_for_where_it_is_read_elsewhere() -> None:
    inlet = Inlet(most=10)
    inlet.put(EVENTS[:10])
    inlet.put(heartbeat(microseconds(SystemClock().now())))
    inlet.clear()

    assert (0, 11) == (inlet.waiting, inlet.lost)
    assert (11, EVENTS[:10]["received"].max()) == inlet.resume()
    assert 0 == inlet.lost


def test_a_replay_waits_for_room_and_no_longer_than_it_is_open() -> None:
    inlet = Inlet(waits=True, most=10)
    inlet.put(EVENTS[:10])
    thread = threading.Thread(target=inlet.put, args=(EVENTS[10:],))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    assert inlet.take(1)
    thread.join(30)
    assert 20 == inlet.waiting
    stuck = threading.Thread(target=inlet.put, args=(EVENTS,))
    stuck.start()
    inlet.close()
    stuck.join(30)
    assert eventually(lambda: inlet.take(0) is None)


def test_heartbeats_alone_are_held_back() -> None:
    beat = heartbeat(7)
    both = pl.concat([EVENTS[:2], beat])
    told = held_back(both)

    assert EVENTS[:2].equals(told[:2])
    assert beat["time"].item() - HELD_BACK_US == told["time"][2]
    assert EVENTS is held_back(EVENTS)
