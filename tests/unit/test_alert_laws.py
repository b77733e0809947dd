"""When rules fire on prices, law by law: timelines of prices, and hours in which they may."""

from __future__ import annotations

import datetime as dt

import pytest

from lake.alerts.rule import Rule
from lake.alerts.seen import Seen, SeenBar, Tick
from lake.instant import microseconds
from tests.alerting import (
    ABOVE,
    BELOW,
    DAY_US,
    OPEN,
    bar,
    firings,
    prices,
    rule_of,
    seconds,
    texts,
    tick,
)


def price(relation: str, hysteresis: float = 0) -> Rule:
    when = {"kind": "price", "relation": relation, "level": 100, "hysteresis_percent": hysteresis}
    return rule_of(when)


@pytest.mark.parametrize(
    ("relation", "hysteresis", "of", "fires"),
    [
        # second           0    1    2    3    4    5    6
        ("above", 0, [101, 102, 100, 101, 99, 100, 101], [0, 3, 6]),  # first seen beyond; strictly
        ("below", 0, [99, 98, 100, 99, 101, 100, 99.5], [0, 3, 6]),
        ("crosses_up", 0, [101, 99, 101, 100, 101, 99, 101], [2, 6]),  # 100 is of the side before
        ("crosses_down", 0, [99, 101, 99, 100, 99, 101, 99], [2, 6]),
        ("crosses", 0, [99, 101, 100, 99, 100, 99, 101], [1, 3, 6]),
        ("crosses", 0, [100, 100, 101, 100, 99, 99, 100], [4]),  # the first ones have no side
        ("above", 2, [101, 99, 101, 98.5, 101, 98, 101], [0, 6]),  # false at 98, and at 99 not yet
        ("below", 2, [99, 101, 99, 101.5, 99, 102, 99], [0, 6]),
        ("crosses_up", 2, [99, 101, 99, 101, 98, 101, 99], [1, 5]),
        ("crosses_down", 2, [101, 99, 101, 99, 102, 99, 101], [1, 5]),
        ("crosses", 2, [99, 101, 99, 101, 99, 98, 101], [1, 2, 6]),  # each direction on its own
    ],
)
def test_a_price_fires_when_it_comes_to_lie_so(
    relation: str, hysteresis: float, of: list[float], fires: list[int]
) -> None:
    assert fires == seconds(price(relation, hysteresis), prices(*of))


def test_a_rule_that_does_not_repeat_fires_once() -> None:
    assert [0] == seconds(rule_of(ABOVE, repeat=False), prices(101, 99, 101, 99, 101))


def test_a_cooldown_defers_what_is_still_true_and_loses_what_is_not() -> None:
    """Fired at 0; blocked until 60.

    second   0    10   20         59   60
    price    101  99   101        101  101
    """
    seen = [tick(*each) for each in [(0, 101), (10, 99), (20, 101), (59, 101), (60, 101)]]
    gone = [tick(*each) for each in [(0, 101), (10, 99), (20, 101), (30, 99), (60, 99), (61, 101)]]

    assert [0, 60] == seconds(rule_of(ABOVE, cooldown_seconds=60), seen)
    assert [0, 61] == seconds(rule_of(ABOVE, cooldown_seconds=60), gone)


def test_a_cross_that_is_blocked_is_lost() -> None:
    rule = rule_of({**ABOVE, "relation": "crosses"}, cooldown_seconds=60)
    seen = [tick(*each) for each in [(0, 99), (1, 101), (2, 99), (61, 98), (62, 101)]]

    assert [1, 62] == seconds(rule, seen)


def test_what_becomes_true_at_night_fires_when_the_rule_is_active_again() -> None:
    """Exchange time; OPEN is Monday 09:30, and the rule is active from 10:00 to 16:00."""
    rule = rule_of(ABOVE, active={"start": "10:00", "end": "16:00"})
    half_past, four = 1_800, 6 * 3_600 + 1_800
    next_ten = 86_400 + half_past

    assert [half_past] == seconds(rule, [tick(0, 101), tick(1_799, 101), tick(half_past, 101)])
    assert [next_ten + 5] == seconds(rule, [tick(four, 101), tick(next_ten + 5, 101)])
    assert [] == seconds(rule, [tick(four, 101), tick(next_ten - 1, 99), tick(next_ten, 99)])


@pytest.mark.parametrize(
    ("day", "utc"),
    [
        (dt.date(2026, 3, 6), "14:30"),  # Friday, standard time
        (dt.date(2026, 3, 9), "13:30"),  # Monday after: summer time
        (dt.date(2026, 10, 30), "13:30"),
        (dt.date(2026, 11, 2), "14:30"),
    ],
)
def test_active_hours_are_the_exchange_s_in_winter_and_summer(day: dt.date, utc: str) -> None:
    rule = rule_of(ABOVE, active={"start": "09:30", "end": "16:00"})
    opens = microseconds(dt.datetime.fromisoformat(f"{day}T{utc}:00+00:00"))
    seen = [Tick("AAPL", opens - 1, 1, 101.0), Tick("AAPL", opens, 1, 101.0)]

    assert [opens] == [each.time for each in firings(rule, seen)]


@pytest.mark.parametrize(
    ("interval", "start", "time", "fires"),
    [
        ("1d", -52_200, 23_400, True),  # the session that closes at 16:00, its end
        ("13d", -52_200 - 20 * 86_400, 23_400, True),
        ("1d", -52_200, 23_401, False),
        ("5m", 23_100, 23_405, True),  # the last five minutes; it counts after the grace
        ("1h", 21_600, 23_405, True),
        ("5m", 23_400, 23_705, False),
        ("5m", 0, 305, True),
        ("5m", -300, 5, False),
    ],
)
def test_a_complete_bar_is_of_active_hours_by_when_it_was_made(
    interval: str,
    start: int,
    time: int,
    fires: bool,  # noqa: FBT001 - of the table
) -> None:
    """OPEN is 09:30; 23,400 s later it is 16:00."""
    when = {"kind": "close", "interval": interval, "relation": "above", "than": {"level": 100}}
    seen: list[Seen] = [bar(interval, start, 101, time=time)]
    rule = rule_of({**when, "hours": "extended"}, active={"start": "09:30", "end": "16:00"})
    if interval in {"5m", "1h"}:
        seen = [each._replace(hours="extended") for each in seen if isinstance(each, SeenBar)]

    assert [time] * fires == seconds(rule, seen)


def test_a_bar_as_it_forms_is_of_active_hours_by_its_time() -> None:
    when = {"kind": "close", "interval": "1h", "relation": "above", "than": {"level": 100}}
    rule = rule_of({**when, "state": "forming"}, active={"start": "09:30", "end": "16:00"})

    def at(time: int) -> list[Seen]:
        return [bar("1h", 21_600, 101, time=time, state="forming")]

    assert [23_399] == seconds(rule, at(23_399))
    assert [] == seconds(rule, at(23_400))


def test_the_last_bar_of_a_day_fires_though_a_price_after_it_had_to_wait() -> None:
    close = {"kind": "close", "interval": "5m", "relation": "above", "than": {"level": 100}}
    rule = rule_of({"kind": "any", "of": [ABOVE, close]}, active={"start": "09:30", "end": "16:00"})
    seen: list[Seen] = [tick(23_401, 101), bar("5m", 23_100, 101, time=23_405), tick(86_400, 101)]

    assert [23_405] == seconds(rule, seen)


def test_a_daily_bar_that_is_told_after_a_later_firing_is_not_blocked_by_it() -> None:
    """It is of 16:00, and told in the evening; at 16:57 a price fired."""
    daily = {"kind": "close", "interval": "1d", "relation": "crosses_up", "than": {"level": 100}}
    crossed = {"kind": "price", "relation": "crosses_up", "level": 120}
    rule = rule_of({"kind": "any", "of": [daily, crossed]}, cooldown_seconds=60)
    seen: list[Seen] = [
        bar("1d", -138_600, 90, time=-63_000),
        tick(26_000, 119),
        tick(26_820, 121),
        bar("1d", -52_200, 110, time=23_400),
    ]

    assert [26_820, 23_400] == seconds(rule, seen)
    assert [23_400, 26_820] == seconds(rule, sorted(seen, key=lambda each: each.time))


def test_active_days_pass_over_the_weekend() -> None:
    rule = rule_of(ABOVE, active={"days": ["fri", "mon"], "start": "09:30"})
    tuesday, thursday, friday, saturday, monday = 1, 3, 4, 5, 7

    def on(day: int, price: float) -> Tick:
        return Tick("AAPL", OPEN + day * DAY_US, 1, price)

    assert [OPEN + friday * DAY_US] == [
        each.time for each in firings(rule, [on(tuesday, 101), on(thursday, 101), on(friday, 101)])
    ]
    assert [OPEN + monday * DAY_US] == [
        each.time for each in firings(rule, [on(saturday, 101), on(monday, 101)])
    ]


def test_ticks_that_are_not_later_than_the_last_change_nothing() -> None:
    seen = [tick(5, 99, sequence=2), tick(5, 101, sequence=2), tick(5, 101, sequence=1)]

    assert [] == seconds(rule_of(ABOVE), [*seen, tick(4, 101)])
    assert [5] == seconds(rule_of(ABOVE), [*seen, tick(5, 101, sequence=3)])


def test_a_cross_fires_within_any_and_needs_the_others_within_all() -> None:
    cross = {"kind": "price", "relation": "crosses_up", "level": 105}
    seen = prices(101, 104, 106, 104, 106, 99, 106)

    assert [0, 2, 4, 6] == seconds(rule_of({"kind": "any", "of": [ABOVE, cross]}), seen)
    assert [2, 4, 6] == seconds(rule_of({"kind": "all", "of": [ABOVE, cross]}), seen)
    assert [] == seconds(rule_of({"kind": "all", "of": [BELOW, cross]}), seen)


def test_any_is_told_by_what_makes_it_true() -> None:
    lost = {"kind": "all", "of": [ABOVE, {**BELOW, "level": 50}]}
    rule = rule_of({"kind": "any", "of": [lost, {**ABOVE, "level": 90}]})

    assert ["AAPL 101.00 above 90.00"] == texts(rule, prices(101))
