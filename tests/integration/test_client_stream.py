"""A client's stream: all there is, then what changes, until it is closed."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fiblake import Client, Lake
from fiblake.client import Bar, Complete, Event, Price, Status
from lake.clock import SetClock
from lake.instant import from_microseconds
from serving_layer.app import create_app
from speed_layer.views import MemoryView
from tests.access import serving
from tests.conftest import NOW
from tests.cutting import CuttingProxy
from tests.live import NO_BARS, NO_PRICES, OPEN, SESSION, bar, bars_of, price, prices_of
from tests.watching import Watching


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
