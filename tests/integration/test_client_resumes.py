"""A client's stream goes on where it was: nothing is lost, or a gap told, whatever breaks."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import polars as pl
import pytest

from fiblake import Client, Lake
from fiblake.client import Gap, Price, Status
from lake.clock import SetClock
from lake.instant import from_microseconds
from lake.interval import Interval
from serving_layer.app import create_app
from speed_layer.views import MemoryView
from tests.access import serving
from tests.cutting import CuttingProxy
from tests.live import MINUTE, NO_BARS, OPEN, bar, bars_of, price, prices_of, vanished
from tests.watching import Watching

CHANNELS = ["price:AAPL", "price:*", "bars:1m:AAPL", "bars:5m:*"]
SYMBOLS = ["AAPL", "IBM", "MSFT"]


def test_a_connection_that_is_cut_is_resumed_without_a_gap(
    stream_lake: Lake, live_view: MemoryView
) -> None:
    with (
        serving(create_app(stream_lake.reader, live_view)) as at,
        CuttingProxy(at) as proxy,
        Client(proxy.url) as client,
        Watching(client, "price:AAPL") as watching,
    ):
        watching.until(lambda: watching.items)
        proxy.upstream = ""
        proxy.cut()
        watching.until(lambda: len(watching.of(Status)) == 2)
        live_view.put(NO_BARS, prices_of(price(version=5)))
        proxy.upstream = at
        watching.until(lambda: len(watching.of(Price)) == 2)

    assert [1, 5] == [each.version for each in watching.of(Price)]
    assert [True, False, True] == [each.connected for each in watching.of(Status)]
    assert [] == watching.of(Gap)


def test_a_server_that_is_another_tells_a_gap_and_all_there_is(
    stream_lake: Lake, live_view: MemoryView
) -> None:
    with CuttingProxy() as proxy, Client(proxy.url) as client:
        with serving(create_app(stream_lake.reader, live_view)) as proxy.upstream:
            watching = Watching(client, "price:AAPL", "bars:1m:AAPL")
            watching.__enter__()
            watching.until(lambda: len(watching.items) == 2)
        watching.until(lambda: not watching.of(Status)[-1].connected)
        live_view.put(bars_of(vanished()), prices_of(price(version=5)))
        with serving(create_app(stream_lake.reader, live_view)) as proxy.upstream:
            watching.until(lambda: watching.of(Price)[-1].version == 5)
            watching.until(lambda: len(watching.of(Gap)) == 2)
        watching.__exit__()

    assert {("price:AAPL", "restarted"), ("bars:1m:AAPL", "restarted")} == {
        (each.channel, each.why) for each in watching.of(Gap)
    }
    assert ["price:AAPL"] == [channel for channel, _, _ in watching.items]


def put_something(view: MemoryView, chance: random.Random, version: int) -> None:
    """Change a price, and a bar that is of one of two minutes, or cancel all that made it."""
    symbol, minute = chance.choice(SYMBOLS), chance.randrange(2)
    interval, start = chance.choice(
        [("1m", OPEN + minute * MINUTE), ("5m", OPEN + minute * 5 * MINUTE)]
    )
    made = vanished if chance.random() < 0.1 else bar
    changed = made(symbol, version, interval=interval, start=start)
    view.put(bars_of(changed), prices_of(price(symbol, version)))


def expected_items(view: MemoryView) -> dict[tuple[str, str, Any], float]:
    """What the view holds, as the channels tell it: versions by channel, symbol and start."""
    found: dict[tuple[str, str, Any], float] = {}
    for row in view.price(None).iter_rows(named=True):
        for channel in {f"price:{row['symbol']}", "price:*"} & set(CHANNELS):
            found[channel, row["symbol"], None] = row["version"]
    for channel, symbols in (("bars:1m:AAPL", ["AAPL"]), ("bars:5m:*", SYMBOLS)):
        for symbol in symbols:
            bars = view.bars(symbol, Interval.parse(channel.split(":")[1]))
            for row in bars.filter(pl.col("close").is_not_null()).iter_rows(named=True):
                found[channel, symbol, from_microseconds(row["start"])] = row["version"]
    return found


def disturb(
    view: MemoryView,
    proxy: CuttingProxy,
    chance: random.Random,
    versions: Iterator[int],
    *,
    times: int,
) -> None:
    """Change things, while connections are cut: now, or in the middle of a frame."""
    for _ in range(times):
        put_something(view, chance, next(versions))
        if chance.random() < 0.3:
            proxy.cut(chance.choice([None, chance.randrange(1, 3_000)]))
        time.sleep(chance.random() / 20)
    proxy.cut()


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_whatever_breaks(stream_lake: Lake, clock: SetClock, seed: int) -> None:
    chance, view = random.Random(seed), MemoryView(clock)  # noqa: S311 - to be the same again
    versions = itertools.count(2)
    with (
        CuttingProxy() as proxy,
        Client(proxy.url, attempts=50) as client,
        Watching(client, *CHANNELS) as watching,
    ):
        for _ in range(3):
            with serving(create_app(stream_lake.reader, view)) as proxy.upstream:
                # Some of it happens while it connects, the most once it has.
                disturb(view, proxy, chance, versions, times=3)
                watching.until(watching.is_connected)
                disturb(view, proxy, chance, versions, times=15)
                last = next(versions)
                bars = bars_of(bar(version=last), bar(interval="5m", version=last))
                view.put(bars, prices_of(price(version=last)))
                expected = expected_items(view)
                watching.until(partial(watching.has, expected))

    assert watching.error is None
    assert len([each for each in watching.of(Status) if each.connected]) > 3
