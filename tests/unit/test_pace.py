"""The pace: a token bucket on a clock that the test sets.

calls   | | | | |       |
minute  0 . . . 1 . . . 2      (a rate of 4 a minute, no burst)
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from batch_layer.vendors.pace import Pace, StoppedError
from tests.pacing import Time


def passed(pace: Pace, time: Time, calls: int) -> list[float]:
    instants = []
    for _ in range(calls):
        pace.wait()
        instants.append(time.now - 100)
    return instants


def test_calls_pass_at_the_rate() -> None:
    time = Time()
    pace = time.pace(4)

    assert [0, 15, 30, 45, 60] == passed(pace, time, 5)


def test_a_slow_rate_is_kept_in_every_minute() -> None:
    time = Time()
    instants = passed(time.pace(5), time, 100)

    assert all(later - first >= 60 for first, later in zip(instants, instants[5:], strict=False))


def test_a_burst_passes_at_once_and_fills_again_with_time() -> None:
    time = Time()
    pace = time.pace(60, burst=3)

    assert [0, 0, 0, 1, 2] == passed(pace, time, 5)
    time.sleep(100)
    assert [102, 102, 102, 103] == passed(pace, time, 4)


def test_a_fast_rate_lets_a_second_s_worth_pass_at_once() -> None:
    time = Time()

    assert [0] * 10 == passed(time.pace(600), time, 10)


def test_a_pause_holds_all_and_lets_them_pass_one_by_one_then() -> None:
    time = Time()
    pace = time.pace(60, burst=3)
    pace.pause(30)

    assert [30, 31, 32] == passed(pace, time, 3)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    time = Time()
    pace = time.pace(60)
    pace.pause(30)
    pace.pause(10)

    assert [30] == passed(pace, time, 1)


def test_a_call_given_back_leaves_its_place_to_the_next() -> None:
    time = Time()
    pace = time.pace(1)
    pace.wait()
    pace.give_back()

    assert [0, 60] == passed(pace, time, 2)


def test_threads_together_keep_the_rate() -> None:
    time = Time()
    pace = time.pace(60)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(pace.wait) for _ in range(40)]:
            done.result()

    assert time.now - 100 >= 39


def test_whoever_waits_gives_up_once_the_pace_is_stopped() -> None:
    pace = Pace(0.001)
    pace.wait()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(pace.wait) for _ in range(2)]
        pace.stop()
        for each in waiting:
            with pytest.raises(StoppedError):
                each.result()
    with pytest.raises(StoppedError):
        pace.sleep(0)


def test_instants_only_ever_grow() -> None:
    time = Time()
    instants = passed(time.pace(90, burst=2), time, 20)

    assert all(first <= later for first, later in pairwise(instants))
