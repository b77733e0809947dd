"""What the engine makes of the tricky cases of a flow, each drawn as it comes.

In the timelines, events stand where their time is, numbered in order of receipt.
"""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from typing import Any

import pytest

from lake.event import EVERYTHING, HIGH_LOW, VOLUME, Event
from speed_layer.engine import Changes, Engine
from tests.minutes import at
from tests.trading import Oracle, Told, assert_told, frame, heartbeat, micros, table, trade

DAY = dt.date(2024, 3, 8)
EARLY = dt.date(2024, 11, 29)
SUMMER = dt.date(2024, 3, 11)


def run(*events: Event, engine: Engine | None = None) -> Told:
    """Apply events one by one, and hold what is told to the law."""
    engine, told = engine or Engine(table()), Told()
    for event in events:
        changes = engine.apply(frame([event]))
        told.put(changes.bars, changes.prices)
    assert_told(Oracle(table()).take(events), told)
    return told


def bar(told: Told, interval: str, time: str, day: dt.date = DAY) -> dict[str, Any] | None:
    """Return a bar as it is known, or nothing."""
    start = micros(at(day, time))
    return next(
        (
            row
            for (_, each, session, _, begin), row in told.bars.items()
            if (interval, day) == (each, session) and (interval == "1d" or start == begin)
        ),
        None,
    )


def values(row: dict[str, Any] | None) -> tuple[float, ...]:
    assert row is not None
    return tuple(row[name] for name in ("open", "high", "low", "close", "volume"))


def test_trades_out_of_order_open_and_close_by_their_time() -> None:
    #  09:30      :10       :20       :30
    #    |---------2---------3---------1----
    told = run(trade(DAY, "09:30:30", 12), trade(DAY, "09:30:10", 10), trade(DAY, "09:30:20", 11))

    for interval in ("1m", "5m", "15m", "1h", "2h", "4h", "1d"):
        assert (10, 12, 10, 12, 300) == values(bar(told, interval, "09:30"))
    assert 12 == told.prices["AA"]["price"]


def test_trades_of_one_time_follow_by_sequence() -> None:
    #  09:30      :10
    #    |---------2 (sequence 7)
    #    |---------1 (sequence 8)
    told = run(trade(DAY, "09:30:10", 12, sequence=8), trade(DAY, "09:30:10", 10, sequence=7))

    assert (10, 12, 10, 12, 200) == values(bar(told, "1m", "09:30"))


def test_a_duplicate_changes_nothing() -> None:
    #  09:30      :10
    #    |---------1 = 2 = 3
    engine, again = Engine(table()), trade(DAY, "09:30:10")
    engine.apply(frame([again, again]))

    changes = engine.apply(frame([again]))

    assert (0, 0, 0) == (changes.bars.height, changes.prices.height, changes.late.height)
    assert (1, 2) == (engine.counts.accepted, engine.counts.duplicate)


def test_a_correction_restates_and_may_come_before_what_it_corrects() -> None:
    #  09:30      :10 10.0         :20 11.0
    #    |---------1, 3 (12.0)------2
    original, corrected = (
        trade(DAY, "09:30:10", 10),
        trade(DAY, "09:30:10", 12, size=50.0, revision=1),
    )
    other = trade(DAY, "09:30:20", 11)

    for order in ((original, other, corrected), (corrected, other, original)):
        told = run(*order)

        assert (12, 12, 11, 11, 150) == values(bar(told, "1m", "09:30"))
        assert 2 * 3 == told.bars[next(iter(told.bars))]["version"]


def test_a_cancel_of_the_high_gives_the_next_one_back() -> None:
    #  09:30      :10 10.0     :20 99.0      :30 11.0
    #    |---------1------------2, 4 cancels--3
    wrong = trade(DAY, "09:30:20", 99)
    told = run(
        trade(DAY, "09:30:10", 10),
        wrong,
        trade(DAY, "09:30:30", 11),
        replace(wrong, cancelled=True, revision=1),
    )

    assert (10, 11, 10, 11, 200) == values(bar(told, "1m", "09:30"))
    assert (10, 11, 10, 11, 200) == values(bar(told, "1d", "09:30"))


def test_a_cancel_of_the_only_trade_withdraws_its_bars_and_its_price() -> None:
    #  09:30      :10
    #    |---------1, 2 cancels
    engine, only = Engine(table()), trade(DAY, "09:30:10")
    engine.apply(frame([only]))

    changes = engine.apply(frame([replace(only, cancelled=True, revision=1)]))

    assert 7 == changes.bars.height
    assert [(None,) * 4] * 7 == changes.bars.select("open", "high", "low", "close").rows()
    assert {(0.0, None, 0, 4)} == set(
        changes.bars.select("volume", "vwap", "minutes", "version").rows()
    )
    assert [(None, 0, 0, "", 2)] == changes.prices.select(
        "price", "time", "received", "source", "version"
    ).rows()


def test_what_was_cancelled_before_it_came_is_never_told() -> None:
    only = trade(DAY, "09:30:10", revision=1, cancelled=True)

    changes = Engine(table()).apply(frame([only, replace(only, revision=0, cancelled=False)]))

    assert (0, 0) == (changes.bars.height, changes.prices.height)


@pytest.mark.parametrize(
    ("day", "close", "last"), [(DAY, "16:00", "15:59"), (EARLY, "13:00", "12:59")]
)
def test_a_closing_print_closes_the_last_regular_bar(day: dt.date, close: str, last: str) -> None:
    #  15:59      16:00    :02       :05
    #    |--1--------|------2---------3 closing print
    told = run(
        trade(day, f"{last}:30", 10),
        trade(day, f"{close}:02", 20),
        trade(day, f"{close}:05", 11, minute=last),
    )

    assert (10, 11, 10, 11, 200) == values(bar(told, "1m", last, day))
    assert (20, 20, 20, 20, 100) == values(bar(told, "1m", close, day))
    assert (10, 11, 10, 11, 300) == values(bar(told, "1d", last, day))
    assert 11 == told.prices["AA"]["price"]


def test_a_correction_can_make_a_closing_print_of_a_trade_of_extended_hours() -> None:
    #  15:59      16:00    :05
    #    |--1--------|------2, then 3 says: it was the closing print
    told = run(
        trade(DAY, "15:59:30", 10),
        trade(DAY, "16:00:05", 11),
        trade(DAY, "16:00:05", 11, minute="15:59", revision=1),
    )

    assert (10, 11, 10, 11, 200) == values(bar(told, "1m", "15:59"))
    assert bar(told, "1m", "16:00") is None


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_moved_forth_and_back_has_one_version_in_any_order(order: tuple[int, ...]) -> None:
    #  15:59      16:00    :05
    #    |--x-------|------0, then 1 says: it was the closing print; then 2 says: it was none
    plain = trade(DAY, "16:00:05", 11)
    closing = replace(plain, minute=plain.minute - 60_000_000, revision=1)
    told = [plain, closing, replace(plain, revision=2, price=12)]
    first = trade(DAY, "15:59:30", 10)

    made = run(first, *(told[place] for place in order), closing)

    assert (10, 10, 10, 10, 100) == values(bar(made, "1m", "15:59"))
    assert (12, 12, 12, 12, 100) == values(bar(made, "1m", "16:00"))
    assert [2 * 4, 2 * 3, 2 * 7] == [
        (bar(made, interval, start) or {})["version"]
        for interval, start in (("1m", "15:59"), ("1m", "16:00"), ("1d", "15:59"))
    ]


#  15:59      16:00    :05              16:15
#    |----------|------1 ----------------|2: of 15:59, which is final, if it says anything new
@pytest.mark.parametrize(("revision", "is_late"), [(0, False), (2, True)])
def test_what_would_change_the_version_of_a_final_minute_is_late(
    revision: int,
    is_late: bool,  # noqa: FBT001 - pytest gives it by name
) -> None:
    plain = trade(DAY, "16:00:05", 11)
    closing = replace(plain, minute=plain.minute - 60_000_000)
    engine = Engine(table())
    engine.apply(frame([closing, replace(plain, revision=1), heartbeat(DAY, "16:15")]))

    changes = engine.apply(frame([replace(plain, revision=revision)]))

    assert is_late == bool(changes.late.height)
    assert 0 == changes.bars.height


def test_a_lower_revision_that_comes_after_states_its_minute_even_if_the_other_is_final() -> None:
    #  15:59      16:00    :05              16:15
    #    |----------|------1 closing print----|2: an earlier revision, of 16:00
    plain = trade(DAY, "16:00:05", 11)
    closing = replace(plain, minute=plain.minute - 60_000_000, revision=1)

    run(trade(DAY, "16:00:10", 12), closing, heartbeat(DAY, "16:15"), plain)


def test_a_minute_of_odd_lots_is_no_bar_but_counts_in_the_bars_around_it() -> None:
    #  09:30      09:31      09:32
    #    |--1-------|--2 odd---|
    told = run(trade(DAY, "09:30:10", 10), trade(DAY, "09:31:10", 99, size=7.0, moves=VOLUME))

    assert bar(told, "1m", "09:31") is None
    assert (10, 10, 10, 10, 107) == values(bar(told, "5m", "09:30"))
    assert 2 == (bar(told, "5m", "09:30") or {})["minutes"]


def test_extended_hours_are_apart_and_bring_the_day_volume_alone() -> None:
    #  04:00     09:29 | 09:30     15:59 | 16:00     19:59
    #    |---------1---|---2--------3----|----4--------|
    told = run(
        trade(DAY, "09:29:59", 1),
        trade(DAY, "09:30", 10),
        trade(DAY, "15:59", 11),
        trade(DAY, "16:00", 99),
    )

    assert (10, 11, 10, 11, 400) == values(bar(told, "1d", "09:30"))
    assert (1, 1, 1, 1, 100) == values(bar(told, "4h", "08:00"))
    assert 99 == told.prices["AA"]["price"]


def test_what_is_not_of_the_engines_kind_or_in_no_hours_is_foreign() -> None:
    engine = Engine(table())

    changes = engine.apply(
        frame([trade(DAY, "09:30", kind="minute"), replace(trade(DAY, "09:30"), minute=-1)])
    )

    assert (0, 2, 0) == (changes.bars.height, engine.counts.foreign, engine.clock)


#  09:30   09:31                      09:46
#    |--1----|-- 15 minutes of grace ---|
@pytest.mark.parametrize(("clock", "is_late"), [("09:45:59.999999", False), ("09:46", True)])
def test_a_trade_is_late_exactly_once_its_minute_has_been_over_for_so_long(
    clock: str,
    is_late: bool,  # noqa: FBT001 - pytest gives it by name
) -> None:
    engine = Engine(table())
    engine.apply(frame([heartbeat(DAY, clock)]))

    changes = engine.apply(frame([trade(DAY, "09:30:10")]))

    assert (is_late, not is_late) == (bool(changes.late.height), bool(changes.bars.height))
    assert int(is_late) == engine.counts.late


def test_the_clock_is_that_of_each_row_and_not_of_the_batch() -> None:
    #  09:30                    09:46
    #    |--1 in time, 3 late ----2
    changes = Engine(table()).apply(
        frame([trade(DAY, "09:30:10", 10), heartbeat(DAY, "09:46"), trade(DAY, "09:30:20", 11)])
    )

    assert [11] == changes.late["price"].to_list()
    assert {("forming", 2)} == set(_of(changes, "5m") + _of(changes, "1d"))
    assert [("final", 3)] == _of(changes, "1m")


def _of(changes: Changes, interval: str) -> list[tuple[Any, ...]]:
    bars = changes.bars.filter(interval=interval)
    return bars.select("state", "version").rows()


def test_a_heartbeat_closes_the_bars_of_a_quiet_symbol() -> None:
    #  09:30  09:31  09:35          09:46  09:50
    #    |--1---|------|--------------2------3
    engine = Engine(table())
    engine.apply(frame([trade(DAY, "09:30:10")]))

    first, second, again = (
        engine.apply(frame([heartbeat(DAY, time)])) for time in ("09:46", "09:50", "09:50:01")
    )

    assert [("final", 3)] == _of(first, "1m") == _of(second, "5m")
    assert [1, 1, 0] == [changes.bars.height for changes in (first, second, again)]


def test_a_session_ends_with_its_day_and_the_next_one_begins_anew() -> None:
    #  Friday 09:30        20:15 | Monday 09:30
    #    |------1------------2---|----3
    engine = Engine(table())
    engine.apply(frame([trade(DAY, "09:30", 10)]))
    ended = engine.apply(frame([heartbeat(DAY, "20:15")]))

    changes = engine.apply(frame([trade(SUMMER, "09:30", 20)]))

    assert [("final", 3)] == _of(ended, "1d")
    assert {SUMMER} == set(changes.bars["session"]) == set(changes.prices["session"])
    assert {1} == set(changes.bars["minutes"])


def test_a_missing_vwap_makes_that_of_the_bars_around_unknown() -> None:
    known = Event(
        kind="minute",
        symbol="AA",
        time=micros(at(DAY, "09:30")),
        minute=micros(at(DAY, "09:30")),
        price=10,
        size=100,
        open=10,
        high=10,
        low=10,
        vwap=10,
        trades=3,
    )
    later = known.time + 60_000_000
    unknown = replace(known, time=later, minute=later, vwap=None, trades=None)

    changes = Engine(table(), kind="minute").apply(frame([known, unknown]))

    assert [(10, 3), (None, None)] == (
        changes.bars.filter(interval="1m").sort("start").select("vwap", "trades").rows()
    )
    assert [(None, None)] == changes.bars.filter(interval="5m").select("vwap", "trades").rows()


def test_an_aggregate_that_is_sent_again_replaces() -> None:
    start = micros(at(DAY, "09:30"))
    sent = Event("minute", "AA", start, revision=61_000, minute=start, price=10, size=100, open=9)
    engine = Engine(table(), kind="minute")
    engine.apply(frame([replace(sent, high=11, low=8)]))

    changes = engine.apply(frame([replace(sent, high=12, low=8, size=150.0, revision=75_000)]))

    assert [(9, 12, 8, 10, 150, 2 * 75_001)] == (
        changes.bars.filter(interval="1m")
        .select("open", "high", "low", "close", "volume", "version")
        .rows()
    )


def test_a_price_that_may_not_be_the_last_moves_the_extremes_alone() -> None:
    told = run(
        trade(DAY, "09:30:10", 10, moves=EVERYTHING),
        trade(DAY, "09:30:20", 12, moves=HIGH_LOW | VOLUME),
    )

    assert (10, 12, 10, 10, 200) == values(bar(told, "1m", "09:30"))
    assert 10 == told.prices["AA"]["price"]
