"""What every view that can be subscribed to promises: in memory and in Redis."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.live import Changes, Subscribable, Subscription
from speed_layer.views import View
from tests.live import (
    MINUTE,
    NO_BARS,
    NO_PRICES,
    OPEN,
    OpenView,
    bar,
    bars_of,
    price,
    prices_of,
    vanished,
)

PATIENCE_S = 30


class LiveView(View, Subscribable, Protocol):
    """A view that can be subscribed to."""


@pytest.fixture
def view(opened: OpenView) -> LiveView:
    view = opened()
    assert isinstance(view, Subscribable)
    return view


pytestmark = pytest.mark.parametrize("opened", ["memory", "redis"], indirect=True)


def seen_by(subscription: Subscription, *, until: str) -> Changes:
    """Return the last state of all that a subscriber sees until a symbol's price comes."""
    bars, prices = [NO_BARS], [NO_PRICES]
    while until not in prices[-1]["symbol"]:
        changes = subscription.get(PATIENCE_S)
        assert changes
        bars.append(changes.bars)
        prices.append(changes.prices)
    key = ["symbol", "interval", "hours", "start"]
    return Changes(
        pl.concat(bars).unique(key, keep="last").sort(key),
        pl.concat(prices).unique("symbol", keep="last").sort("symbol"),
    )


def end(view: View) -> None:
    view.put(NO_BARS, prices_of(price("END")))


def test_a_subscriber_sees_what_changes(view: LiveView) -> None:
    with view.subscribe() as subscription:
        view.put(bars_of(bar(), bar("MSFT")), prices_of(price()))
        end(view)
        seen = seen_by(subscription, until="END")

    assert_frame_equal(bars_of(bar(), bar("MSFT")), seen.bars)
    assert_frame_equal(prices_of(price(), price("END")), seen.prices)


def test_a_subscriber_sees_its_symbols_alone(view: LiveView) -> None:
    with view.subscribe(["MSFT", "END"]) as subscription:
        view.put(bars_of(bar(), bar("MSFT")), prices_of(price(), price("MSFT")))
        end(view)
        seen = seen_by(subscription, until="END")

    assert ["MSFT"] == seen.bars["symbol"].to_list()
    assert ["END", "MSFT"] == seen.prices["symbol"].to_list()


def test_what_changes_nothing_is_not_told(view: LiveView) -> None:
    view.put(bars_of(bar(version=4)), prices_of(price(version=4)))

    with view.subscribe() as subscription:
        view.put(bars_of(bar(version=4), bar(version=2)), prices_of(price(version=3)))
        end(view)
        seen = seen_by(subscription, until="END")

    assert_frame_equal(NO_BARS, seen.bars)
    assert ["END"] == seen.prices["symbol"].to_list()


def test_what_vanishes_is_told(view: LiveView) -> None:
    view.put(bars_of(bar(version=2)), NO_PRICES)

    with view.subscribe() as subscription:
        view.put(bars_of(vanished(version=4)), NO_PRICES)
        end(view)
        seen = seen_by(subscription, until="END")

    assert_frame_equal(bars_of(vanished(version=4)), seen.bars)


def test_each_bar_is_seen_in_its_last_state_while_four_put(
    opened: OpenView, view: LiveView
) -> None:
    def write(first: int) -> None:
        writer = opened()
        for version in range(1 + first, 200, 4):
            rows = [bar(start=OPEN + n * MINUTE, version=version) for n in range(5)]
            writer.put(bars_of(*rows), prices_of(price(version=version)))

    with view.subscribe() as subscription, ThreadPoolExecutor(5) as pool:
        seen = pool.submit(seen_by, subscription, until="END")
        list(pool.map(write, range(4)))
        end(view)

        assert [199] * 5 == seen.result().bars["version"].to_list()
        assert [199, 1] == seen.result().prices["version"].to_list()


def test_a_slow_subscriber_gets_the_latest_of_each_and_is_told_how_many_that_replaced(
    view: LiveView,
) -> None:
    with view.subscribe() as slow, view.subscribe() as quick:
        for version in range(1, 51):
            view.put(bars_of(bar(version=version)), prices_of(price(version=version)))
        end(view)
        seen_by(quick, until="END")
        wait_for_conflation(slow, 98)
        changes = slow.get(PATIENCE_S)

    assert changes is not None
    assert_frame_equal(bars_of(bar(version=50)), changes.bars)
    assert [50] == changes.prices.filter(symbol="AAPL")["version"].to_list()
    assert (98, 0, False) == (slow.conflated, slow.dropped, changes.is_gap)


def wait_for_conflation(subscription: Subscription, count: int) -> None:
    waited = threading.Event()
    for _ in range(PATIENCE_S * 100):
        if subscription.conflated >= count:
            return
        waited.wait(0.01)


def test_nothing_changed_within_the_time_is_no_change(view: LiveView) -> None:
    with view.subscribe() as subscription:
        changes = subscription.get(0)

    assert changes is not None
    assert not changes
    assert_frame_equal(NO_BARS, changes.bars)
    assert_frame_equal(NO_PRICES, changes.prices)


@pytest.mark.parametrize("who", ["subscription", "view"])
def test_whoever_waits_is_told_that_it_is_closed(view: LiveView, who: str) -> None:
    subscription = view.subscribe()

    with ThreadPoolExecutor(2) as pool:
        waits = pool.submit(subscription.get, PATIENCE_S)
        iterates = pool.submit(list, subscription)
        (subscription if who == "subscription" else view).close()

        assert (None, []) == (waits.result(), iterates.result())

    assert subscription.get(PATIENCE_S) is None
    subscription.close()


def test_nobody_is_told_after_closing(view: LiveView) -> None:
    with view.subscribe() as subscription:
        pass
    end(view)

    assert subscription.get(0) is None
    assert_frame_equal(prices_of(price("END")), view.price())
