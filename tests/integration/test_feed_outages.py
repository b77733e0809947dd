"""A feed whose stream or lake is away for a while: it goes on, and loses nothing."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from structlog.testing import capture_logs

from fiblake import Lake
from lake.errors import StreamUnavailableError
from lake.recorded import all_recorded
from lake.settings import Settings
from lake.wire import decode_events
from speed_layer.feed import Delivery, Feed, Health, Malformed, Recorder
from speed_layer.streams.kinesis_service import Service
from speed_layer.streams.kinesis_writer import Kinesis
from tests.feeding import DAY, OPEN_US, Listing, a_day, eventually, hours, judge
from tests.kinesis import KinesisServer, running
from tests.kinesis_proxy import KinesisProxy
from tests.moto_serially import REGION
from tests.parts import MotoServer

EVENTS = a_day(100)
BATCHES = [Delivery(each) for each in EVENTS.iter_slices(25)]


class Telling:
    """A source that tells deliveries one after the other, silence between them, and then nothing.

    Attributes:
        room: While it is not set, it is silent.
    """

    name = "told"

    def __init__(self, *deliveries: Delivery) -> None:
        self._left = [each for told in deliveries for each in (told, Delivery())]
        self._closed = threading.Event()
        self.room = threading.Event()
        self.room.set()

    def start(self) -> None:
        pass

    def take(self, timeout_s: float) -> Delivery | None:
        if self._left and self.room.is_set():
            return self._left.pop(0)
        return None if self._closed.wait(timeout_s) else Delivery()

    @property
    def is_told(self) -> bool:
        return not self._left

    def now_us(self) -> int:
        return OPEN_US

    def close(self) -> None:
        self._closed.set()


def started(feed: Feed) -> tuple[threading.Thread, list[Exception]]:
    failures: list[Exception] = []

    def run() -> None:
        try:
            feed.run()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, failures


def writer(server: KinesisServer, proxy: KinesisProxy, name: str) -> Kinesis:
    told = server.settings(kinesis_endpoint=proxy.url, kinesis_attempts=2)
    return Kinesis(Service.of(Settings.model_validate(told)), name)


def told(server: KinesisServer, name: str) -> pl.DataFrame:
    events, _ = decode_events(server.lines(name))
    return events.filter(pl.col("kind") != "heartbeat")


def assert_in_order(found: pl.DataFrame) -> None:
    """Every event is there once, and those of each symbol in order."""
    assert EVENTS["sequence"].to_list() == found["sequence"].sort().to_list()
    for (symbol,), of_symbol in found.group_by("symbol"):
        expected = EVENTS.filter(symbol=symbol)["sequence"].to_list()
        assert expected == of_symbol["sequence"].to_list()


def test_while_kinesis_refuses_all_waits_and_then_goes_on_in_order(
    kinesis_server: KinesisServer,
) -> None:
    name, health = kinesis_server.stream(shards=2), Health()
    health.connected(is_subscribed=True)
    source = Telling(*BATCHES)
    with (
        KinesisProxy(kinesis_server.url) as proxy,
        closing(writer(kinesis_server, proxy, name)) as stream,
        capture_logs() as logs,
    ):
        feed = Feed(source, judge(), stream, recorder=None, health=health, heartbeat_s=0.01)
        # Some records of a request get in, others do not.
        proxy.throttle(lambda record: record["PartitionKey"] == "AAPL", times=math.inf)
        thread, failures = started(feed)
        assert eventually(lambda: bool(health.waiting))
        proxy.refuse("PutRecords", "ServiceUnavailable", times=math.inf)
        puts = len(proxy.requests("PutRecords"))
        assert eventually(lambda: len(proxy.requests("PutRecords")) > puts + 3)
        while_away = (health.is_ready, health.document()["waiting"] != "", source.is_told)
        proxy.heal()
        assert eventually(lambda: health.is_ready and source.is_told)
        feed.stop()
        thread.join()

    assert (False, True, False) == while_away
    assert [] == failures
    assert_in_order(told(kinesis_server, name))
    said = [each["event"] for each in logs if "stream is away" in each["event"]]
    assert 1 == len(said)


def test_a_killed_kinesis_that_comes_back_is_told_what_it_did_not_take() -> None:
    health, source = Health(), Telling(*BATCHES)
    health.connected(is_subscribed=True)
    source.room.clear()
    with running() as first, running() as second, KinesisProxy(first.url) as proxy:
        name = first.stream()
        second.stream(name=name)
        with closing(writer(first, proxy, name)) as stream:
            feed = Feed(source, judge(), stream, recorder=None, health=health, heartbeat_s=0.01)
            thread, failures = started(feed)
            assert eventually(lambda: health.counts["heartbeats"] > 2)
            first.kill()
            assert eventually(lambda: bool(health.waiting))
            source.room.set()
            # Where it has no memory, all it is told comes after the kill.
            proxy.upstream = urlsplit(second.url).netloc
            assert eventually(lambda: bool(failures) or (health.is_ready and source.is_told))
            feed.stop()
            thread.join()
        assert [] == failures
        assert_in_order(told(second, name))


def test_a_feed_that_is_stopped_while_the_stream_is_away_says_what_is_missing(
    kinesis_server: KinesisServer,
) -> None:
    name, health = kinesis_server.stream(), Health()
    with (
        KinesisProxy(kinesis_server.url) as proxy,
        closing(writer(kinesis_server, proxy, name)) as stream,
    ):
        proxy.refuse("PutRecords", "ServiceUnavailable", times=math.inf)
        feed = Feed(Telling(Delivery(EVENTS)), judge(), stream, recorder=None, health=health)
        thread, failures = started(feed)
        assert eventually(lambda: bool(health.waiting))
        feed.stop()
        thread.join()

    (failure,) = failures
    assert isinstance(failure, StreamUnavailableError)
    assert EVENTS.height == len(failure.unwritten)


@pytest.mark.parametrize("is_refused_first", [False, True])
def test_while_s3_is_away_what_is_told_waits_on_this_machine(
    is_refused_first: bool,  # noqa: FBT001 - whether a reject is what comes first
    open_lake: Callable[[Settings], Lake],
    tmp_path: Path,
) -> None:
    server = MotoServer()
    server.start()
    settings = server.settings()
    store = open_lake(settings).store
    poison = Delivery(malformed=[Malformed("no", OPEN_US)])
    deliveries = [poison, *BATCHES] if is_refused_first else [*BATCHES, poison]
    source, stream, health = Telling(*deliveries), Listing(), Health()
    try:
        with Recorder(store, "told", tmp_path / "spool", hours()) as recorder:
            server.stop()
            feed = Feed(source, judge(), stream, recorder=recorder, health=health)
            thread, failures = started(feed)
            assert eventually(lambda: stream.count == EVENTS.height and source.is_told)
            server.start()
            _create(settings)
            feed.stop()
            thread.join()
        recorded = all_recorded(store, "told", DAY)
        rejects = store.fingerprints("rejects/live/told/")
    finally:
        server.stop()

    assert [] == failures
    assert_frame_equal(stream.events, recorded)
    assert 1 == len(rejects)
    assert [] == list((tmp_path / "spool").rglob("*.jsonl"))


def _create(settings: Settings) -> None:
    """Make the bucket anew: the server had it in memory."""
    client = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=REGION,
        aws_access_key_id="key",
        aws_secret_access_key="secret",  # noqa: S106 - the test's own
    )
    client.create_bucket(Bucket=settings.lake.removeprefix("s3://").partition("/")[0])
    client.close()
