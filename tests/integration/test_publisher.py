"""From the stream of bars into the view: all of it, whoever is away or killed meanwhile."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake import keys
from lake.errors import StoreError, StreamError, ViewUnavailableError
from lake.interval import Interval
from lake.live import BARS_SCHEMA, PRICES_SCHEMA
from lake.live_wire import Poison, Told, encode_told
from lake.settings import Settings
from lake.store import LocalStore
from lake.wire import decode_events
from speed_layer import set_aside
from speed_layer.checkpoint import Checkpoint, read_checkpoint
from speed_layer.publisher import Pace, Publisher
from speed_layer.streams.kinesis_reader import KinesisReader
from speed_layer.streams.kinesis_service import Service
from speed_layer.views import MemoryView, View
from speed_layer.views.choosing import open_view
from tests.events import OPEN_US, trades
from tests.kinesis import KinesisServer, running
from tests.parts import RedisServer

DAY = dt.date(2026, 1, 5)
SYMBOLS = ["A", "B", "C"]
ALWAYS = Pace(every_s=0, retry_ms=1)
PATIENCE_S = 20


class FragileView(MemoryView):
    """A view that may be away, or lose what it holds as a server does."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self._losses = 0

    @property
    def filling(self) -> str:
        return f"filling {self._losses}"

    def put(self, bars: pl.DataFrame, prices: pl.DataFrame) -> None:
        if self.is_away:
            fact = "The view is away."
            raise ViewUnavailableError(fact)
        super().put(bars, prices)

    def lose(self) -> None:
        self._losses += 1
        MemoryView.__init__(self)


class FragileStore(LocalStore):
    """A lake that may take nothing."""

    is_away = False

    def put(self, key: str, data: bytes) -> str:
        if self.is_away:
            fact = "The lake is away."
            raise StoreError(fact)
        return super().put(key, data)


class Setting:
    """A stream, a lake, a view, and publishers between them."""

    def __init__(
        self, server: KinesisServer, store: FragileStore, view: View | None = None
    ) -> None:
        self.server = server
        self.store = store
        self.name = server.stream(shards=2)
        self.fragile = FragileView()
        self.view = view or self.fragile
        self._services: list[Service] = []

    def put(self, told: Told) -> None:
        with closing(self.server.client()) as client:
            for line in encode_told(told):
                client.put_record(StreamName=self.name, Data=line, PartitionKey=str(len(line)))

    def publisher(self, *, pace: Pace = ALWAYS) -> Publisher:
        settings = Settings.model_validate(self.server.settings(kinesis_attempts=2))
        self._services.append(Service.of(settings))
        checkpoint = read_checkpoint(self.store, self.name)
        reader = KinesisReader(
            self._services[-1], self.name, position=checkpoint.position, every_s=0.01
        )
        return Publisher(reader, self.view, self.store, checkpoint=checkpoint, pace=pace)

    def rejects(self) -> list[dict[str, Any]]:
        found = self.store.fingerprints(keys.REJECTS)
        lines = [gzip.decompress(self.store.get(key).data).splitlines() for key in found]
        return [json.loads(line) for each in lines for line in each]

    def late(self) -> pl.DataFrame:
        found = sorted(self.store.fingerprints(keys.late_events(DAY)))
        lines = [gzip.decompress(self.store.get(key).data).splitlines() for key in found]
        return decode_events([line for each in lines for line in each])[0]

    def close(self) -> None:
        for service in self._services:
            service.close()


@pytest.fixture
def setting(kinesis_server: KinesisServer, tmp_path: Path) -> Iterator[Setting]:
    made = Setting(kinesis_server, FragileStore(tmp_path / "lake"))
    yield made
    made.close()


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server of the test's own, to be killed."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()


def told(version: int, *symbols: str) -> Told:
    """Return a bar and a price of each symbol, in a version."""
    names = symbols or tuple(SYMBOLS)
    rows = [
        {
            "symbol": symbol,
            "interval": "1m",
            "session": DAY,
            "hours": "regular",
            "start": OPEN_US,
            "open": 1.0,
            "high": 2.0,
            "low": 0.5,
            "close": 1.0 + version / 100,
            "volume": 100.0 * version,
            "vwap": None,
            "trades": version,
            "minutes": 1,
            "state": "forming",
            "version": version,
            "price": 1.0 + version / 100,
            "time": OPEN_US,
            "received": OPEN_US,
            "source": "test",
        }
        for symbol in names
    ]
    return Told(
        bars=pl.DataFrame(rows, schema=BARS_SCHEMA, strict=False),
        prices=pl.DataFrame(rows, schema=PRICES_SCHEMA, strict=False),
    )


def until(publisher: Publisher, done: Callable[[], bool]) -> None:
    """Let it take steps until something holds."""
    for _ in range(200):
        publisher.step(0.1)
        if done():
            return
    pytest.fail("it was not done in 200 steps")


def held(view: View) -> pl.DataFrame:
    minute = Interval.parse("1m")
    return pl.concat([view.bars(symbol, minute) for symbol in SYMBOLS])


def has(setting: Setting, version: int) -> Callable[[], bool]:
    return lambda: [version] * len(SYMBOLS) == setting.view.price()["version"].to_list()


def test_bars_and_prices_reach_the_view(setting: Setting) -> None:
    setting.put(told(1))
    setting.put(told(2))
    until(setting.publisher(), lambda: held(setting.view)["version"].to_list() == [2, 2, 2])

    assert_frame_equal(told(2).bars, held(setting.view))
    assert_frame_equal(told(2).prices, setting.view.price())


def test_late_statements_and_poison_are_kept_and_counted(setting: Setting) -> None:
    late = trades(["A", "B"])
    setting.put(Told(late=late, poison=[Poison(b"half a li", "cut off")]))
    with closing(setting.server.client()) as client:
        client.put_record(StreamName=setting.name, Data=b"\xff", PartitionKey="A")
    publisher = setting.publisher()
    counts = publisher.health.counts
    until(publisher, lambda: (2, 2) == (counts["late"], counts["poison"]))
    publisher.keep()

    assert_frame_equal(late, setting.late().sort("sequence"))
    lines = {each.get("line") or each["base64"] for each in setting.rejects()}
    assert {"half a li", "/w=="} == lines


def test_it_goes_on_where_it_stopped(setting: Setting) -> None:
    setting.put(told(1))
    first = setting.publisher()
    until(first, has(setting, 1))
    first.keep()
    setting.put(told(2))
    second = setting.publisher()
    until(second, has(setting, 2))

    assert len(SYMBOLS) == second.health.counts["bars"]
    assert 0 == second.health.counts["refreshes"]


def test_a_publisher_killed_before_it_kept_its_position_brings_it_all_again(
    setting: Setting,
) -> None:
    setting.put(told(2))
    until(setting.publisher(pace=Pace(every_s=PATIENCE_S)), has(setting, 2))
    before = held(setting.view)
    second = setting.publisher()
    until(second, lambda: len(SYMBOLS) == second.health.counts["bars"])

    assert_frame_equal(before, held(setting.view))


def test_everything_told_twice_and_out_of_order_ends_in_the_same(setting: Setting) -> None:
    for version in (1, 3, 2, 3, 1, 2):
        setting.put(told(version))
    publisher = setting.publisher()
    until(publisher, lambda: 6 * len(SYMBOLS) == publisher.health.counts["bars"])

    assert_frame_equal(told(3).bars, held(setting.view))
    assert_frame_equal(told(3).prices, setting.view.price())


def test_while_the_view_is_away_it_waits_and_says_so_and_then_goes_on(setting: Setting) -> None:
    setting.put(told(1))
    publisher, stop = setting.publisher(), threading.Event()
    setting.fragile.is_away = True
    thread = threading.Thread(target=publisher.run, args=(stop,))
    thread.start()
    _wait(lambda: publisher.health.counts["failures"] > 3)
    was_ready, said = publisher.health.is_ready, publisher.health.document()["away"]
    setting.fragile.is_away = False
    _wait(has(setting, 1))
    stop.set()
    thread.join(PATIENCE_S)

    assert not was_ready
    assert {"view": "The view is away."} == said
    assert publisher.health.is_ready
    assert Checkpoint() != read_checkpoint(setting.store, setting.name)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_view_that_lost_what_it_held_is_filled_anew_though_nothing_new_is_told(
    setting: Setting, *, is_restarted: bool
) -> None:
    setting.put(told(1))
    publisher = setting.publisher()
    until(publisher, has(setting, 1))
    publisher.keep()
    setting.fragile.lose()
    if is_restarted:
        publisher = setting.publisher()
    until(publisher, has(setting, 1))

    assert_frame_equal(told(1).bars, held(setting.view))
    assert 1 == publisher.health.counts["refreshes"]


def test_while_the_lake_is_away_bars_go_on_and_what_is_late_waits(setting: Setting) -> None:
    setting.store.is_away = True
    setting.put(Told(told(1).bars, told(1).prices, late=trades(["A"])))
    publisher = setting.publisher()
    until(publisher, lambda: has(setting, 1)() and publisher.health.counts["late"] == 1)
    until(publisher, lambda: "lake" in publisher.health.away)
    was_ready, kept = publisher.health.is_ready, setting.late()
    setting.store.is_away = False
    publisher.keep()

    assert was_ready
    assert kept.is_empty()
    assert_frame_equal(trades(["A"]), setting.late())
    assert {} == publisher.health.away


@pytest.mark.parametrize("is_restarted", [False, True])
def test_though_no_more_may_wait_for_the_lake_bars_go_on_and_what_is_late_stays_in_the_stream(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, *, is_restarted: bool
) -> None:
    monkeypatch.setattr(set_aside, "_MOST", 2)
    setting.store.is_away = True
    publisher = setting.publisher()
    for version in range(1, 6):
        bars, prices = told(version).bars, told(version).prices
        setting.put(Told(bars, prices, late=trades(["A"], first=version)))
        until(publisher, has(setting, version))
    waited = publisher.health.counts["late"]
    setting.store.is_away = False
    if is_restarted:
        publisher = setting.publisher()
    until(publisher, lambda: 5 == setting.late()["sequence"].n_unique())
    publisher.keep()

    assert publisher.health.is_ready
    assert 2 == waited
    assert [1, 2, 3, 4, 5] == setting.late()["sequence"].unique().sort().to_list()
    again = setting.publisher()
    again.step(0.1)
    assert 0 == again.health.counts["late"]


def test_a_redis_killed_mid_stream_and_started_empty_ends_with_all_bars(
    kinesis_server: KinesisServer, tmp_path: Path, views: list[View], redis: RedisServer
) -> None:
    told_to = {"view": "redis", "redis_url": redis.url, "redis_retry_ms": 1}
    views.append(open_view(Settings.model_validate(told_to)))
    setting = Setting(kinesis_server, FragileStore(tmp_path / "lake"), views[0])
    setting.put(told(1, "A"))
    publisher, stop = setting.publisher(), threading.Event()
    thread = threading.Thread(target=publisher.run, args=(stop,))
    thread.start()
    _wait(lambda: 1 == publisher.health.counts["bars"])
    redis.stop()
    setting.put(told(2, "B", "C"))
    _wait(lambda: "view" in publisher.health.away)
    redis.start()
    _wait(lambda: publisher.health.is_ready and setting.view.price().height == len(SYMBOLS))
    stop.set()
    thread.join(PATIENCE_S)
    bars, prices = held(setting.view), setting.view.price()
    setting.close()

    assert_frame_equal(pl.concat([told(1, "A").bars, told(2, "B", "C").bars]), bars)
    assert [1, 2, 2] == prices["version"].to_list()


def test_a_stream_lost_with_its_server_is_a_gap_that_is_told_and_kept(tmp_path: Path) -> None:
    with running() as server:
        setting = Setting(server, FragileStore(tmp_path / "lake"))
        setting.put(told(1))
        publisher = setting.publisher()
        until(publisher, has(setting, 1))
        server.kill()
        with pytest.raises(StreamError):
            publisher.step(1)
        server.start()
        server.stream(shards=2, name=setting.name)
        setting.put(told(2))
        until(publisher, has(setting, 2))
        publisher.keep()
        setting.close()

    assert 1 == publisher.health.counts["gaps"]
    assert "it was made anew" in publisher.health.gaps[0]
    assert list(publisher.health.gaps) == [each["gap"] for each in setting.rejects()]


@pytest.mark.parametrize("damaged", [b"{", b"[]", b'{"position": 5}', b'{"position": {"x": 1}}'])
def test_a_damaged_checkpoint_is_the_stream_s_start(setting: Setting, damaged: bytes) -> None:
    setting.store.put(keys.published(setting.name), damaged)

    assert Checkpoint() == read_checkpoint(setting.store, setting.name)


def _wait(done: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(PATIENCE_S * 100):
        if done():
            return
        pause.wait(0.01)
    pytest.fail("it did not come to pass in time")
