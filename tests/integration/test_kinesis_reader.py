"""Events read from Kinesis: all shards, each symbol in order, nothing lost unsaid."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import closing

import polars as pl
import pytest

from lake.clock import SetClock
from lake.errors import DamagedObjectError, StreamError, StreamUnavailableError
from lake.settings import Settings
from lake.wire import decode_events, encode_events
from speed_layer.streams.batch import Batch
from speed_layer.streams.kinesis_reader import KinesisReader
from speed_layer.streams.kinesis_service import Service
from speed_layer.streams.kinesis_writer import Kinesis
from speed_layer.streams.position import Place, Position
from tests.events import heartbeat, sequences, trades
from tests.kinesis import KinesisServer, running
from tests.kinesis_proxy import KinesisProxy

SYMBOLS = [f"S{number}" for number in range(8)]
ROUNDS = 30

MakeReader = Callable[..., KinesisReader]


@pytest.fixture
def proxy(kinesis_server: KinesisServer) -> Iterator[KinesisProxy]:
    with KinesisProxy(kinesis_server.url) as proxy:
        yield proxy


@pytest.fixture
def service(kinesis_server: KinesisServer, proxy: KinesisProxy) -> Iterator[Callable[..., Service]]:
    """Make clients of the server, behind the proxy."""
    made: list[Service] = []

    def make(server: KinesisServer | None = None, **settings: object) -> Service:
        url = server.url if server else proxy.url
        told = kinesis_server.settings(kinesis_endpoint=url, **settings)
        made.append(Service.of(Settings.model_validate(told)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def reader(service: Callable[..., Service]) -> MakeReader:
    """Make a reader of a stream, behind the proxy."""

    def make(name: str, position: Position | None = None, **others: object) -> KinesisReader:
        return KinesisReader(service(), name, position=position, every_s=0.01, **others)  # type: ignore[arg-type]

    return make


@pytest.fixture
def write(service: Callable[..., Service]) -> Callable[[str, pl.DataFrame], None]:
    """Write events into a stream, around the proxy's faults or through them."""

    def put(name: str, events: pl.DataFrame, server: KinesisServer | None = None) -> None:
        with closing(Kinesis(service(server), name, lanes=1)) as stream:
            stream.put(events)

    return put


Write = Callable[..., None]


def drained(reader: KinesisReader, count: int) -> tuple[pl.DataFrame, list[Batch]]:
    """Read so many lines, and then until nothing more comes."""
    batches: list[Batch] = []
    while sum(len(batch.lines) for batch in batches) < count:
        batches.append(reader.read(10))
        assert batches[-1].lines or batches[-1].gaps, "nothing came in time"
    batches.append(reader.read(0.1))
    events, bad = decode_events([line for batch in batches for line in batch.lines])
    assert [] == bad
    return events, batches


def test_all_shards_are_read(
    kinesis_server: KinesisServer, write: Write, reader: MakeReader
) -> None:
    name = kinesis_server.stream(shards=3)
    events = trades(SYMBOLS * 3)
    write(name, events)

    read, batches = drained(reader(name), events.height)

    assert events.equals(read.sort("sequence"))
    assert [()] * len(batches) == [batch.gaps for batch in batches]


def test_nothing_comes_from_an_empty_stream(
    kinesis_server: KinesisServer, reader: MakeReader
) -> None:
    batch = reader(kinesis_server.stream()).read(0.05)

    assert [] == batch.lines
    assert ["shardId-000000000000"] == list(batch.position.shards)


def test_a_reader_goes_on_where_another_stopped(
    kinesis_server: KinesisServer, write: Write, reader: MakeReader
) -> None:
    name = kinesis_server.stream(shards=2)
    write(name, trades(SYMBOLS))
    _, batches = drained(reader(name), len(SYMBOLS))
    write(name, trades(SYMBOLS, first=100))

    position = Position.of(batches[-1].position.document())
    read, _ = drained(reader(name, position), len(SYMBOLS))

    assert list(range(100, 108)) == sorted(read["sequence"])


def test_a_rewound_reader_delivers_all_again(
    kinesis_server: KinesisServer, write: Write, reader: MakeReader
) -> None:
    name = kinesis_server.stream(shards=2)
    write(name, trades(SYMBOLS))
    again = reader(name)
    first, _ = drained(again, len(SYMBOLS))
    again.rewind()

    second, _ = drained(again, len(SYMBOLS))

    assert first.sort("sequence").equals(second.sort("sequence"))


def test_a_line_that_tells_no_event_is_handed_out_as_it_came(
    kinesis_server: KinesisServer, reader: MakeReader
) -> None:
    name = kinesis_server.stream()
    lines = [b"poison", b'{"kind": 1}', b"\xff\x00", *encode_events(trades(["A"]))]
    with closing(kinesis_server.client()) as client:
        for line in lines:
            client.put_record(StreamName=name, Data=line, PartitionKey="A")

    batch = reader(name).read(10)

    assert lines == batch.lines


@pytest.mark.parametrize("times", [1, 3])
def test_an_expired_iterator_is_renewed_at_the_last_record(
    kinesis_server: KinesisServer,
    write: Write,
    reader: MakeReader,
    proxy: KinesisProxy,
    times: int,
) -> None:
    name = kinesis_server.stream()
    again = reader(name)
    write(name, trades(["A", "B"]))
    drained(again, 2)
    proxy.refuse("GetRecords", "ExpiredIteratorException", times=times)
    write(name, trades(["A", "B"], first=2))

    read, batches = drained(again, 2)

    assert [2, 3] == read["sequence"].to_list()
    assert [] == [gap for batch in batches for gap in batch.gaps]
    assert "AFTER_SEQUENCE_NUMBER" == _iterators(proxy)[-1]["ShardIteratorType"]


def test_an_iterator_that_expires_before_anything_was_read_is_renewed_at_the_start(
    kinesis_server: KinesisServer, write: Write, reader: MakeReader, proxy: KinesisProxy
) -> None:
    name = kinesis_server.stream()
    proxy.refuse("GetRecords", "ExpiredIteratorException")
    write(name, trades(["A"]))

    read, _ = drained(reader(name), 1)

    assert [0] == read["sequence"].to_list()
    assert ["TRIM_HORIZON"] * 2 == [each["ShardIteratorType"] for each in _iterators(proxy)]


def test_a_throttled_reader_asks_again(
    kinesis_server: KinesisServer, write: Write, reader: MakeReader, proxy: KinesisProxy
) -> None:
    name = kinesis_server.stream()
    write(name, trades(["A", "B"]))
    proxy.refuse("GetRecords", "ProvisionedThroughputExceededException", times=4)

    read, _ = drained(reader(name), 2)

    assert [0, 1] == read["sequence"].to_list()


def test_a_reader_that_is_throttled_for_too_long_says_so_and_loses_nothing(
    kinesis_server: KinesisServer,
    write: Write,
    service: Callable[..., Service],
    proxy: KinesisProxy,
) -> None:
    name = kinesis_server.stream()
    write(name, trades(["A", "B"]))
    again = KinesisReader(service(kinesis_attempts=2), name, every_s=0.01)
    proxy.refuse("GetRecords", "ProvisionedThroughputExceededException", times=2)

    with pytest.raises(StreamUnavailableError, match="given up after 2 attempts"):
        again.read(1)
    read, _ = drained(again, 2)

    assert [0, 1] == read["sequence"].to_list()


def test_what_was_read_is_not_lost_when_the_next_shard_fails(
    kinesis_server: KinesisServer,
    write: Write,
    service: Callable[..., Service],
    proxy: KinesisProxy,
) -> None:
    name = kinesis_server.stream(shards=2)
    write(name, trades(SYMBOLS))
    again = KinesisReader(service(kinesis_attempts=1), name, every_s=0.01)
    proxy.refuse("GetRecords", "InternalFailure", after=1)

    first = again.read(1).lines
    read, _ = drained(again, len(SYMBOLS) - len(first))

    assert 0 < len(first) < len(SYMBOLS)
    assert SYMBOLS == sorted([*read["symbol"], *decode_events(first)[0]["symbol"]])


def test_a_split_and_a_merge_during_a_run_lose_nothing_and_keep_each_symbol_in_order(
    kinesis_server: KinesisServer, service: Callable[..., Service]
) -> None:
    # 0 ──┬─ 2 ──┐
    #     └─ 3 ──┴─ 4 ──►   the symbols of shard 0 pass through three generations
    # 1 ────────────────►
    name = kinesis_server.stream(shards=2)
    again = KinesisReader(service(), name, every_s=0.01)
    lines: list[bytes] = []
    with closing(Kinesis(service(), name, lanes=2)) as stream:
        for number in range(ROUNDS):
            if number == ROUNDS // 3:
                kinesis_server.split(name, "shardId-000000000000")
            if number == 2 * ROUNDS // 3:
                kinesis_server.merge(name, "shardId-000000000002", "shardId-000000000003")
            stream.put(trades(SYMBOLS, first=number * len(SYMBOLS)))
            stream.put(heartbeat(1_000_000 + number))
            if number % 7 == 0:
                lines += again.read(0).lines
    while batch := again.read(0.5).lines:
        lines += batch

    events = decode_events(lines)[0]
    for place, symbol in enumerate(SYMBOLS):
        told = list(range(place, ROUNDS * len(SYMBOLS), len(SYMBOLS)))
        assert told == sequences(events, symbol)
    assert set(range(1_000_000, 1_000_000 + ROUNDS)) == set(sequences(events, ""))
    assert {"shardId-000000000001", "shardId-000000000004"} == set(kinesis_server.open_shards(name))


def test_a_reader_goes_on_inside_a_split(
    kinesis_server: KinesisServer, write: Write, reader: MakeReader
) -> None:
    name = kinesis_server.stream()
    write(name, trades(SYMBOLS))
    _, batches = drained(reader(name), len(SYMBOLS))
    write(name, trades(SYMBOLS, first=100))
    kinesis_server.split(name, "shardId-000000000000")
    write(name, trades(SYMBOLS, first=200))

    read, _ = drained(reader(name, batches[-1].position), 2 * len(SYMBOLS))

    for place, symbol in enumerate(SYMBOLS):
        assert [100 + place, 200 + place] == sequences(read, symbol)


def test_a_server_that_is_killed_and_comes_back_without_its_records_is_a_gap(
    service: Callable[..., Service],
) -> None:
    with running() as server:
        name = server.stream()
        own = service(server, kinesis_attempts=2)
        again = KinesisReader(own, name, every_s=0.01)
        with closing(Kinesis(service(server), name)) as stream:
            stream.put(trades(["A", "B"]))
        drained(again, 2)
        server.kill()
        with pytest.raises(StreamUnavailableError):
            again.read(1)
        server.start()
        with pytest.raises(StreamError, match="ResourceNotFoundException"):
            again.read(1)
        server.stream(name=name)
        with closing(Kinesis(service(server), name)) as stream:
            stream.put(trades(["A", "B"], first=10))

        read, batches = drained(again, 2)

    gaps = [gap for batch in batches for gap in batch.gaps]
    assert [10, 11] == sorted(read["sequence"])
    assert 1 == len(gaps)
    assert "it was made anew" in gaps[0]


def test_a_record_that_is_no_longer_known_is_a_gap_and_all_comes_again(
    kinesis_server: KinesisServer, write: Write, reader: MakeReader
) -> None:
    name = kinesis_server.stream()
    write(name, trades(["A"]))
    _, batches = drained(reader(name), 1)
    lost = Place(after="49590338271490256608559692538361571095921575989136588898")
    position = Position(batches[0].position.created, {"shardId-000000000000": lost})

    read, batches = drained(reader(name, position), 1)

    assert [0] == read["sequence"].to_list()
    assert "does not know the last record" in batches[0].gaps[0]


def test_a_shard_that_is_gone_before_its_end_was_read_is_a_gap(
    kinesis_server: KinesisServer, write: Write, reader: MakeReader
) -> None:
    name = kinesis_server.stream()
    write(name, trades(["A"]))
    created = reader(name).read(1).position.created
    position = Position(created, {"shardId-9": Place(after="1"), "shardId-8": Place(is_ended=True)})

    _, batches = drained(reader(name, position), 1)

    gaps = [gap for batch in batches for gap in batch.gaps]
    assert [f"{name}: shardId-9 is no longer kept, and was not read to its end."] == gaps


def test_a_reader_that_was_away_for_longer_than_records_are_kept_reports_a_gap(
    kinesis_server: KinesisServer, write: Write, reader: MakeReader
) -> None:
    name = kinesis_server.stream()
    write(name, trades(["A"]))
    _, batches = drained(reader(name), 1)
    later = SetClock(dt.datetime.now(dt.UTC) + dt.timedelta(hours=25))

    batch = reader(name, batches[-1].position, clock=later).read(1)

    assert "not read for more than the 24 hours" in batch.gaps[0]


def test_a_damaged_position_is_an_error() -> None:
    with pytest.raises(DamagedObjectError, match="damaged"):
        Position.of({"shards": 5})


def _iterators(proxy: KinesisProxy) -> list[dict[str, object]]:
    return proxy.requests("GetShardIterator")
