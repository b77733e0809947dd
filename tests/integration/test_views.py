"""What every view promises: in memory, in Redis and in DynamoDB."""

from __future__ import annotations

import datetime as dt
import random
from concurrent.futures import ThreadPoolExecutor
from typing import overload

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.clock import SetClock
from lake.interval import DAILY, MINUTE_INTERVALS, Interval
from lake.interval import MINUTE as ONE_MINUTE
from lake.live import Subscribable
from speed_layer.views import View
from tests.live import (
    MINUTE,
    NO_BARS,
    NO_PRICES,
    OPEN,
    SESSION,
    OpenView,
    bar,
    bars_of,
    price,
    prices_of,
    vanished,
)

FIVE = Interval.parse("5m")
DAY = dt.timedelta(days=1)
DAY_US = 24 * 60 * MINUTE
MIDNIGHT = 1_767_571_200_000_000
LAST_MINUTE = OPEN + (10 * 60 + 29) * MINUTE


@overload
def day_after(count: int) -> dt.date: ...


@overload
def day_after(count: None) -> None: ...


def day_after(count: int | None) -> dt.date | None:
    """Return the date so many days after the session."""
    return None if count is None else SESSION + count * DAY


def test_what_was_put_comes_back_exactly_and_in_order_of_start(view: View) -> None:
    rows = [
        bar(start=OPEN + 2 * MINUTE, open=0.1 + 0.2, low=1e-9, high=1.7976931348623157e38),
        bar(start=OPEN, vwap=None, trades=None, state="final", version=2**53 - 1),
        bar(start=OPEN + MINUTE, volume=0.3333333333333333, minutes=0),
    ]
    told = price(price=0.1 + 0.2, source="a source: \u00e9")

    view.put(bars_of(*rows), prices_of(told))

    assert_frame_equal(bars_of(rows[1], rows[2], rows[0]), view.bars("AAPL", ONE_MINUTE))
    assert_frame_equal(prices_of(told), view.price())


def test_an_unknown_symbol_has_no_bars_and_no_price(view: View) -> None:
    view.put(bars_of(bar()), prices_of(price()))

    assert_frame_equal(NO_BARS, view.bars("MSFT", ONE_MINUTE))
    assert_frame_equal(NO_BARS, view.bars("AAPL", FIVE))
    assert_frame_equal(NO_BARS, view.bars("AAPL", ONE_MINUTE, "extended"))
    assert_frame_equal(NO_PRICES, view.price(["MSFT"]))
    assert_frame_equal(NO_PRICES, view.price([]))


def test_nothing_is_put_into_a_view_and_nothing_is_in_it(view: View) -> None:
    view.put(NO_BARS, NO_PRICES)

    assert_frame_equal(NO_PRICES, view.price())


def test_intervals_hours_and_sessions_are_apart(view: View) -> None:
    rows = [
        bar(interval=str(interval), hours=hours, volume=float(number))
        for number, interval in enumerate(MINUTE_INTERVALS)
        for hours in ("regular", "extended")
    ]
    days = [
        bar(interval="1d", session=SESSION + n * DAY, start=MIDNIGHT + n * DAY_US) for n in range(3)
    ]

    view.put(bars_of(*rows, *days), NO_PRICES)

    for row in rows:
        found = view.bars("AAPL", Interval.parse(row["interval"]), row["hours"])
        assert_frame_equal(bars_of(row), found)
    assert_frame_equal(bars_of(*days), view.bars("AAPL", DAILY))
    assert_frame_equal(NO_BARS, view.bars("AAPL", Interval.parse("13d")))


def test_the_highest_version_is_held_whatever_the_order_and_however_often(view: View) -> None:
    shuffled = random.Random(7)  # noqa: S311 - no secret
    rows = [bar(start=OPEN + n * MINUTE, version=v) for n in range(3) for v in range(1, 8)]
    told = [price(version=v, session=SESSION + n * DAY) for n in range(2) for v in range(1, 5)]
    rows, told = rows * 2, told * 2
    shuffled.shuffle(rows)
    shuffled.shuffle(told)

    for at in range(0, len(rows), 10):
        view.put(bars_of(*rows[at : at + 10]), prices_of(*told[at // 3 : at // 3 + 4]))

    expected = bars_of(*(bar(start=OPEN + n * MINUTE, version=7) for n in range(3)))
    assert_frame_equal(expected, view.bars("AAPL", ONE_MINUTE))
    assert_frame_equal(prices_of(price(version=4, session=SESSION + DAY)), view.price())


def test_an_equal_version_changes_nothing(view: View) -> None:
    view.put(bars_of(bar(version=4)), prices_of(price(version=4)))
    view.put(bars_of(bar(version=4, close=99.0)), prices_of(price(version=4, price=99.0)))

    assert [11.0] == view.bars("AAPL", ONE_MINUTE)["close"].to_list()
    assert [4.0] == view.price()["price"].to_list()


def test_a_price_of_a_later_session_wins_over_a_higher_version(view: View) -> None:
    later = price(version=1, session=SESSION + DAY)

    view.put(NO_BARS, prices_of(price(version=900)))
    view.put(NO_BARS, prices_of(later))
    view.put(NO_BARS, prices_of(price(version=901)))

    assert_frame_equal(prices_of(later), view.price(["AAPL"]))


def test_what_vanished_is_not_returned_and_an_older_version_does_not_bring_it_back(
    view: View,
) -> None:
    view.put(bars_of(bar(version=2)), prices_of(price(version=2)))
    view.put(bars_of(vanished(version=6)), prices_of(price(version=6, price=None)))
    view.put(bars_of(bar(version=4)), prices_of(price(version=4)))

    assert_frame_equal(NO_BARS, view.bars("AAPL", ONE_MINUTE))
    assert_frame_equal(bars_of(vanished(version=6)), view.bars("AAPL", ONE_MINUTE, vanished=True))
    assert_frame_equal(NO_PRICES, view.price())
    assert_frame_equal(NO_PRICES, view.price(["AAPL"]))

    view.put(bars_of(bar(version=8)), prices_of(price(version=8)))

    assert_frame_equal(bars_of(bar(version=8)), view.bars("AAPL", ONE_MINUTE))
    assert_frame_equal(prices_of(price(version=8)), view.price())


@pytest.mark.parametrize(
    ("daily", "minute"),
    [(None, None), (0, None), (None, 1), (1, 0), (2, 2), (-1, -1)],
)
def test_what_batch_has_covered_is_forgotten_and_no_more(
    view: View, daily: int | None, minute: int | None
) -> None:
    sessions = [SESSION + n * DAY for n in range(3)]
    days = [
        bar(interval="1d", session=each, start=MIDNIGHT + n * DAY_US)
        for n, each in enumerate(sessions)
    ]
    # The last minute of extended hours is tomorrow's by UTC.
    minutes = [
        bar(interval=name, session=each, start=start + n * DAY_US, hours=hours)
        for n, each in enumerate(sessions)
        for name, hours, start in (("1m", "extended", LAST_MINUTE), ("4h", "regular", OPEN))
    ]
    view.put(bars_of(*days, *minutes), prices_of(price()))

    view.forget(daily=day_after(daily), minute=day_after(minute))

    left = [
        view.bars("AAPL", DAILY),
        view.bars("AAPL", ONE_MINUTE, "extended"),
        view.bars("AAPL", Interval.parse("4h")),
    ]
    kept_days = [each for each in sessions if daily is None or each > day_after(daily)]
    kept_minutes = [each for each in sessions if minute is None or each > day_after(minute)]
    assert [kept_days, kept_minutes, kept_minutes] == [each["session"].to_list() for each in left]
    assert_frame_equal(prices_of(price()), view.price())


def test_what_was_forgotten_can_be_put_again(view: View) -> None:
    view.put(bars_of(bar()), NO_PRICES)
    view.forget(daily=SESSION, minute=SESSION)
    view.put(bars_of(bar()), NO_PRICES)

    assert_frame_equal(bars_of(bar()), view.bars("AAPL", ONE_MINUTE))


def test_of_many_writers_at_once_the_highest_version_is_held(opened: OpenView) -> None:
    def write(seed: int) -> None:
        versions = list(range(1, 11))
        random.Random(seed).shuffle(versions)  # noqa: S311 - likewise
        writer = opened()
        for version in versions:
            rows = [bar(start=OPEN + n * MINUTE, version=version) for n in range(2)]
            writer.put(bars_of(*rows), prices_of(price(version=version)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))

    view = opened()
    assert [10, 10] == view.bars("AAPL", ONE_MINUTE)["version"].to_list()
    assert [10] == view.price()["version"].to_list()


def test_many_symbols_are_held_each_on_its_own(view: View) -> None:
    symbols = [f"S{n:03}" for n in range(120)]

    view.put(bars_of(*map(bar, symbols)), prices_of(*map(price, symbols)))

    assert symbols == view.price()["symbol"].to_list()
    assert symbols[::2] == view.price(symbols[::2])["symbol"].to_list()
    assert_frame_equal(bars_of(bar("S107")), view.bars("S107", ONE_MINUTE))


@pytest.mark.parametrize("opened", ["memory", "dynamodb"], indirect=True)
def test_bars_go_when_their_days_are_over(view: View, clock: SetClock) -> None:
    view.put(bars_of(bar()), NO_PRICES)
    clock.instant += 7 * DAY - dt.timedelta(seconds=1)

    assert_frame_equal(bars_of(bar()), view.bars("AAPL", ONE_MINUTE))

    clock.instant += dt.timedelta(seconds=1)

    assert_frame_equal(NO_BARS, view.bars("AAPL", ONE_MINUTE))

    view.put(bars_of(bar(session=SESSION + DAY, start=OPEN + DAY_US)), NO_PRICES)

    assert [OPEN + DAY_US] == view.bars("AAPL", ONE_MINUTE)["start"].to_list()


def test_what_can_be_subscribed_to_says_so_by_its_type(
    open_memory: OpenView, open_redis: OpenView, open_dynamodb: OpenView
) -> None:
    kinds = [isinstance(each(), Subscribable) for each in (open_memory, open_redis, open_dynamodb)]

    assert [True, True, False] == kinds


def test_a_view_is_the_same_filling_for_as_long_as_it_holds_all(view: View) -> None:
    view.put(bars_of(bar()), NO_PRICES)
    filling = view.filling
    view.put(NO_BARS, prices_of(price()))
    view.put(NO_BARS, NO_PRICES)

    assert filling == view.filling
    assert filling


def test_a_bar_s_schema_is_what_readers_get(view: View) -> None:
    assert isinstance(view.bars("AAPL", DAILY), pl.DataFrame)
    assert NO_BARS.schema == view.bars("AAPL", DAILY).schema
