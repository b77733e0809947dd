"""A client's stream: what is live, and nothing lost, or a gap told, whatever breaks."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import polars as pl
import pytest
from fastapi import FastAPI

from fiblake import Client, Lake
from fiblake.client import Bar, Complete, Event, Gap, Price, Status
from lake.clock import SetClock
from lake.errors import (
    AccessError,
    ForbiddenError,
    InvalidIntervalError,
    MisuseError,
    NoFeedError,
    ServerError,
    ServerUnavailableError,
)
from lake.instant import from_microseconds
from lake.interval import Interval
from serving_layer.app import create_app
from speed_layer.views import MemoryView
from tests.access import FOREIGN, Guarded, serving
from tests.conftest import NOW
from tests.cutting import CuttingProxy
from tests.live import (
    MINUTE,
    NO_BARS,
    NO_PRICES,
    OPEN,
    SESSION,
    bar,
    bars_of,
    price,
    prices_of,
    vanished,
)

PATIENCE_S = 30
CHANNELS = ["price:AAPL", "price:*", "bars:1m:AAPL", "bars:5m:*"]
SYMBOLS = ["AAPL", "IBM", "MSFT"]
Items = dict[tuple[str, str, dt.datetime | dt.date | None], Price | Bar]


@pytest.fixture(scope="module")
def stream_lake(sample_lake_folder: Path) -> Lake:
    return Lake(sample_lake_folder, clock=SetClock(NOW))


@pytest.fixture
def live_view(clock: SetClock) -> MemoryView:
    """A view of one price and two bars of AAPL."""
    view = MemoryView(clock)
    view.put(bars_of(bar(), bar(interval="5m")), prices_of(price()))
    return view


class Watching:
    """What a client is told, taken in by a thread: events, and the items that they leave."""

    def __init__(self, client: Client, *channels: str, **asked: Any) -> None:
        self.events: list[Event] = []
        self.items: Items = {}
        self.error: BaseException | None = None
        self._changed = threading.Condition()
        self._watch = client.watch(channels, **asked)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()
        self._thread.join()

    def of(self, kind: type[Event]) -> list[Any]:
        with self._changed:
            return [event for event in self.events if isinstance(event, kind)]

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait until something is so, which events may make so."""
        with self._changed:
            assert self._changed.wait_for(lambda: is_so() or self.error, PATIENCE_S), self.events
        assert is_so(), self.error

    def has(self, versions: dict[tuple[str, str, Any], float]) -> bool:
        """Return whether the items are those of some versions."""
        return versions == {key: item.version for key, item in self.items.items()}

    def is_connected(self) -> bool:
        """Return whether the last status says so."""
        statuses = self.of(Status)
        return bool(statuses) and statuses[-1].connected

    def until_it_fails(self) -> BaseException:
        """Wait until it ends by an error, and return that."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.error, PATIENCE_S), self.events
            assert self.error is not None
            return self.error

    def _run(self) -> None:
        try:
            for event in self._watch:
                with self._changed:
                    self._take(event)
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - the test tells
            with self._changed:
                self.error = error
                self._changed.notify_all()

    def _take(self, event: Event) -> None:
        self.events.append(event)
        match event:
            case Gap():
                kept = {key: item for key, item in self.items.items() if key[0] != event.channel}
                self.items = kept
            case Price():
                self.items[event.channel, event.symbol, None] = event
            case Bar(vanished=True):
                self.items.pop((event.channel, event.symbol, event.start), None)
            case Bar():
                self.items[event.channel, event.symbol, event.start] = event


@contextmanager
def streaming(lake: Lake, view: MemoryView, *channels: str) -> Iterator[Watching]:
    with (
        serving(create_app(lake.reader, view)) as at,
        Client(f"http://{at}") as client,
        Watching(client, *channels) as watching,
    ):
        yield watching


def test_a_stream_begins_with_all_there_is_and_goes_on_with_changes(
    stream_lake: Lake, live_view: MemoryView
) -> None:
    with streaming(stream_lake, live_view, "price:AAPL", "bars:5m:aapl") as watching:
        watching.until(lambda: len(watching.items) == 2)
        live_view.put(
            bars_of(bar(interval="5m", version=5, state="final")), prices_of(price(version=7))
        )
        watching.until(lambda: watching.of(Complete))
        watching.until(lambda: any(each.version == 7 for each in watching.of(Price)))

    start = from_microseconds(OPEN)
    last = watching.items["bars:5m:AAPL", "AAPL", start]
    paid = watching.items["price:AAPL", "AAPL", None]
    assert [Status(connected=True)] == watching.of(Status)
    assert isinstance(last, Bar)
    assert isinstance(paid, Price)
    assert ("5m", start, 11.0, "final", 5, SESSION, False) == (
        *(last.interval, last.start, last.close, last.state, last.version, last.through),
        last.vanished,
    )
    assert (7.0, from_microseconds(OPEN + 7), SESSION, "massive") == (
        *(paid.price, paid.time, paid.session, paid.source),
    )
    complete = watching.of(Complete)[0]
    assert ("bars:5m:AAPL", start, 1) == (complete.channel, complete.start, complete.symbols)
    assert complete.end - complete.start == dt.timedelta(minutes=5)


def test_bars_of_sessions_form_with_the_day(stream_lake: Lake, live_view: MemoryView) -> None:
    live_view.put(bars_of(bar(interval="1d")), NO_PRICES)
    with streaming(stream_lake, live_view, "bars:13d:AAPL") as watching:
        watching.until(lambda: watching.items)
        live_view.put(bars_of(bar(interval="1d", version=9, close=11.5)), NO_PRICES)
        watching.until(lambda: any(each.close == 11.5 for each in watching.of(Bar)))

    expected = Lake(stream_lake.store.location, clock=SetClock(NOW)).bars("AAPL", "13d")
    last = watching.of(Bar)[-1]
    assert last.start > expected["start"][-1]
    assert ("13d", "forming", SESSION, 1) == (
        last.interval,
        last.state,
        last.through,
        last.sessions,
    )


def test_an_async_loop_is_told_the_same(stream_lake: Lake, live_view: MemoryView) -> None:
    async def told(client: Client) -> list[Event]:
        async with client.stream("price:*") as events:
            return [await anext(events) for _ in range(2)]

    with serving(create_app(stream_lake.reader, live_view)) as at, Client(f"http://{at}") as client:
        status, first = asyncio.run(told(client))

    assert Status(connected=True) == status
    assert isinstance(first, Price)
    assert ("price:*", "AAPL", 1.0) == (first.channel, first.symbol, first.price)


def test_more_channels_than_fit_into_a_frame(stream_lake: Lake, live_view: MemoryView) -> None:
    names = [f"bars:5m:S{number:04}:extended" for number in range(900)]
    with (
        serving(create_app(stream_lake.reader, live_view)) as at,
        CuttingProxy(at) as proxy,
        Client(proxy.url) as client,
        Watching(client, *names, "price:AAPL") as watching,
    ):
        watching.until(lambda: watching.items)
        proxy.cut()
        watching.until(lambda: len(watching.of(Status)) == 3)
        live_view.put(NO_BARS, prices_of(price(version=3)))
        watching.until(lambda: watching.of(Price)[-1].version == 3)


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


@pytest.mark.parametrize(
    ("channels", "kind", "told"),
    [
        (["price:AAPL", "trades:AAPL"], MisuseError, "trades:AAPL"),
        (["bars:7m:AAPL"], InvalidIntervalError, "7m"),
        ([f"price:S{number}" for number in range(1_001)], MisuseError, "at most 1,000"),
    ],
)
def test_a_channel_that_is_none_ends_it(
    stream_lake: Lake, live_view: MemoryView, channels: list[str], kind: type, told: str
) -> None:
    with (
        serving(create_app(stream_lake.reader, live_view)) as at,
        Client(f"http://{at}") as client,
        client.watch(channels) as events,
        pytest.raises(kind, match=told),
    ):
        list(events)


def test_no_channel_is_said_at_once() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(MisuseError, match="No channel"):
        client.stream([])


def test_where_nothing_feeds_there_is_no_stream(stream_lake: Lake) -> None:
    with (
        serving(create_app(stream_lake.reader)) as at,
        Client(f"http://{at}") as client,
        client.watch("price:AAPL") as events,
        pytest.raises(NoFeedError),
    ):
        next(events)


def test_who_is_not_there_is_given_up_on() -> None:
    with (
        CuttingProxy() as proxy,
        Client(proxy.url, attempts=2) as client,
        client.watch("price:AAPL") as events,
        pytest.raises(ServerUnavailableError, match=f"{proxy.url} does not answer"),
    ):
        next(events)
    assert 2 == proxy.connections


def test_who_stays_away_is_given_up_on(stream_lake: Lake, live_view: MemoryView) -> None:
    with CuttingProxy() as proxy, Client(proxy.url) as client:
        with serving(create_app(stream_lake.reader, live_view)) as proxy.upstream:
            watching = Watching(client, "price:AAPL", reconnect_s=0.5)
            watching.__enter__()
            watching.until(lambda: watching.items)
        assert isinstance(watching.until_it_fails(), ServerUnavailableError)
        watching.__exit__()


def test_another_kind_of_server_has_no_stream() -> None:
    with (
        serving(FastAPI()) as at,
        Client(f"http://{at}", attempts=1) as client,
        client.watch("price:AAPL") as events,
        pytest.raises(ServerError, match="is that the URL of a fiblake server"),
    ):
        next(events)


def test_keys_are_looked_at_while_it_streams(
    guarded: Guarded, stream_lake: Lake, live_view: MemoryView
) -> None:
    guarded.app = create_app(stream_lake.reader, live_view, access=guarded.access)
    key, other = guarded.key("live"), guarded.key("read").secret
    with serving(guarded.app) as at:
        for shown, kind in ((None, AccessError), (FOREIGN, AccessError), (other, ForbiddenError)):
            with (
                Client(f"http://{at}", shown) as client,
                client.watch("price:AAPL") as events,
                pytest.raises(kind) as error,
            ):
                next(events)
            assert shown is None or shown not in str(error.value)
        with Client(f"http://{at}", key.secret) as client, Watching(client, "price:*") as watching:
            watching.until(lambda: watching.items)
            guarded.revoke(key.key.key)
            assert type(watching.until_it_fails()) is AccessError


def test_a_key_is_in_no_log_of_a_stream(
    guarded: Guarded,
    stream_lake: Lake,
    live_view: MemoryView,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("fiblake").setLevel(logging.DEBUG)
    guarded.app = create_app(stream_lake.reader, live_view, access=guarded.access)
    key = guarded.key("live").secret
    with (
        serving(guarded.app) as at,
        Client(f"http://{at}", key) as client,
        client.watch("price:AAPL") as events,
    ):
        assert isinstance(next(events), Status)

    client_side = [record for record in caplog.records if record.name.startswith("fiblake")]
    assert key not in "".join(record.getMessage() for record in client_side)


def test_a_watch_may_be_closed_whenever_another_thread_reads(
    stream_lake: Lake, live_view: MemoryView
) -> None:
    with (
        serving(create_app(stream_lake.reader, live_view)) as at,
        Client(f"http://{at}") as client,
    ):
        for number in range(20):
            events = client.watch("price:AAPL")
            reading = threading.Thread(target=list, args=(events,), daemon=True)
            reading.start()
            time.sleep(number / 1000)
            events.close()
            reading.join(30)
            assert not reading.is_alive()


def test_a_watch_that_is_closed_by_another_thread_ends(
    stream_lake: Lake, live_view: MemoryView
) -> None:
    with (
        serving(create_app(stream_lake.reader, live_view)) as at,
        Client(f"http://{at}") as client,
        client.watch("price:AAPL") as events,
    ):
        taken = [next(events), next(events)]
        threading.Timer(0.2, events.close).start()
        assert [] == list(events)

    assert [Status, Price] == [type(each) for each in taken]
