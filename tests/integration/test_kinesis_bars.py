"""Bars of events that went through Kinesis twice, and through all that can happen there.

events ──► Kinesis ──► engine ──► Kinesis ──► publisher ──► view
           throttled,             all told
           split, merged,         twice
           expired, told twice
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

import polars as pl
from polars.testing import assert_frame_equal

from lake.bar import Hours
from lake.interval import DAILY, MINUTE_INTERVALS
from lake.live_wire import Told, encode_told
from lake.session import SessionTable
from lake.settings import Settings
from lake.store import LocalStore
from lake.wire import decode_events
from speed_layer.engine import Engine
from speed_layer.publisher import Publisher
from speed_layer.streams.kinesis_reader import KinesisReader
from speed_layer.streams.kinesis_service import Service
from speed_layer.streams.kinesis_writer import Kinesis
from speed_layer.views import MemoryView
from tests.events import MINUTE_US, OPEN_US, heartbeat, trades
from tests.kinesis import KinesisServer
from tests.kinesis_proxy import KinesisProxy

SYMBOLS = [f"S{number}" for number in range(6)]
ROUNDS = 15
HOURS: tuple[Hours, ...] = ("regular", "extended")


def test_bars_are_those_of_an_engine_that_was_told_the_events_directly(
    kinesis_server: KinesisServer, sessions: SessionTable, store: LocalStore
) -> None:
    name, bars = kinesis_server.stream(shards=2), kinesis_server.stream(shards=2)
    directly, by_kinesis = MemoryView(), MemoryView()
    engine = Engine(sessions)
    with KinesisProxy(kinesis_server.url) as proxy:
        service = Service.of(
            Settings.model_validate(kinesis_server.settings(kinesis_endpoint=proxy.url))
        )
        with closing(Kinesis(service, name)) as stream:
            for number in range(ROUNDS):
                if number == ROUNDS // 3:
                    kinesis_server.split(name, "shardId-000000000000")
                if number == 2 * ROUNDS // 3:
                    kinesis_server.merge(name, "shardId-000000000002", "shardId-000000000003")
                proxy.throttle(lambda record: record["PartitionKey"] == "S1")
                proxy.refuse("PutRecords", "InternalFailure", after=number % 3)
                stream.put(_events(number))
                _apply(engine, _events(number), directly)
            reader = KinesisReader(service, name, every_s=0.01)
            told = [*_tell(reader, sessions, proxy)]
    _put(kinesis_server, bars, told)
    _put(kinesis_server, bars, told)
    with closing(Service.of(Settings.model_validate(kinesis_server.settings()))) as service:
        publisher = Publisher(KinesisReader(service, bars, every_s=0.01), by_kinesis, store)
        while sum(publisher.health.counts[each] for each in ("bars", "prices")) < 2 * len(told):
            publisher.step(1)

    assert 0 == publisher.health.counts["late"] + publisher.health.counts["gaps"]
    assert_frame_equal(directly.price(), by_kinesis.price())
    assert_frame_equal(_bars(directly), _bars(by_kinesis))
    assert 5 * len(SYMBOLS) < _bars(by_kinesis).height


def _events(number: int) -> pl.DataFrame:
    """Return a trade of each symbol, two seconds apart, a correction of the first, a heartbeat."""
    plain = trades(SYMBOLS, first=number * len(SYMBOLS))
    time = OPEN_US + pl.col("sequence") * 2_000_000
    spread = plain.with_columns(time=time, minute=time - time % MINUTE_US)
    correction = spread[:1].with_columns(revision=pl.lit(1, pl.Int64), price=pl.col("price") * 2)
    return pl.concat([spread, correction, heartbeat(number)])


def _apply(engine: Engine, events: pl.DataFrame, view: MemoryView) -> Told:
    changes = engine.apply(events)
    view.put(changes.bars, changes.prices)
    return Told(changes.bars, changes.prices, changes.late)


def _tell(reader: KinesisReader, sessions: SessionTable, proxy: KinesisProxy) -> Iterable[bytes]:
    """Read the events twice, with iterators that expire; yield what an engine tells of them."""
    engine, view = Engine(sessions), MemoryView()
    for _ in range(2):
        proxy.refuse("GetRecords", "ExpiredIteratorException", times=3)
        while lines := reader.read(1).lines:
            events, bad = decode_events(lines)
            assert [] == bad
            yield from encode_told(_apply(engine, events, view))
        reader.rewind()


def _put(server: KinesisServer, name: str, lines: list[bytes]) -> None:
    with closing(server.client()) as client:
        for at in range(0, len(lines), 500):
            some = lines[at : at + 500]
            records = [{"Data": line, "PartitionKey": str(len(line))} for line in some]
            client.put_records(StreamName=name, Records=records)  # type: ignore[arg-type]


def _bars(view: MemoryView) -> pl.DataFrame:
    return pl.concat(
        view.bars(symbol, interval, hours)
        for symbol in SYMBOLS
        for interval in (*MINUTE_INTERVALS, DAILY)
        for hours in HOURS
    )
