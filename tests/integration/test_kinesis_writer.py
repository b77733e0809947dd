"""Events written to Kinesis: each symbol's in order, and none lost unsaid, whatever fails."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator
from contextlib import closing

import polars as pl
import pytest

from lake.errors import RecordTooLargeError, StreamClosedError, StreamError, StreamUnavailableError
from lake.settings import Settings
from lake.wire import decode_events
from speed_layer.streams.kinesis_service import Service
from speed_layer.streams.kinesis_writer import Kinesis
from tests.events import heartbeat, sequences, trades
from tests.kinesis import KinesisServer, running
from tests.kinesis_proxy import KinesisProxy

MakeWriter = Callable[..., Kinesis]


@pytest.fixture
def proxy(kinesis_server: KinesisServer) -> Iterator[KinesisProxy]:
    with KinesisProxy(kinesis_server.url) as proxy:
        yield proxy


@pytest.fixture
def writer(kinesis_server: KinesisServer, proxy: KinesisProxy) -> Iterator[MakeWriter]:
    """Make a writer into a stream, behind the proxy."""
    made: list[Kinesis] = []

    def make(name: str, *, per_symbol: int = 1, lanes: int = 1, **settings: object) -> Kinesis:
        told = kinesis_server.settings(kinesis_endpoint=proxy.url, **settings)
        service = Service.of(Settings.model_validate(told))
        made.append(Kinesis(service, name, per_symbol=per_symbol, lanes=lanes))
        return made[-1]

    yield make
    for each in made:
        each.close()


def told(server: KinesisServer, name: str) -> pl.DataFrame:
    events, bad = decode_events(server.lines(name))
    assert [] == bad
    return events


@pytest.mark.parametrize("lanes", [1, 3])
def test_events_come_out_as_they_went_in(
    kinesis_server: KinesisServer, writer: MakeWriter, lanes: int
) -> None:
    name = kinesis_server.stream(shards=2)
    events = trades(["A", "B", "C", "A", "B", "A"] * 10)
    writer(name, lanes=lanes, per_symbol=10).put(events)

    found = told(kinesis_server, name)

    assert events.equals(found.sort("sequence"))
    for symbol in ("A", "B", "C"):
        assert events.filter(symbol=symbol).equals(found.filter(symbol=symbol))


@pytest.mark.parametrize("per_symbol", [1, 4])
def test_a_throttled_record_is_tried_again_and_not_overtaken(
    kinesis_server: KinesisServer, writer: MakeWriter, proxy: KinesisProxy, per_symbol: int
) -> None:
    # A0 A1 B2 A3 B4: A1 fails three times and B2 once; A3 and B4 wait for them.
    name = kinesis_server.stream()
    events = trades(["A", "A", "B", "A", "B"])
    proxy.throttle(_is(1), times=3)
    proxy.throttle(_is(2), times=1)

    writer(name, per_symbol=per_symbol).put(events)

    found = told(kinesis_server, name)
    last = found.unique(["symbol", "sequence"], keep="last", maintain_order=True)
    assert [0, 1, 3] == last.filter(symbol="A")["sequence"].to_list()
    assert [2, 4] == last.filter(symbol="B")["sequence"].to_list()
    if per_symbol == 1:
        assert [0, 1, 3] == found.filter(symbol="A")["sequence"].to_list()
        assert [2, 4] == found.filter(symbol="B")["sequence"].to_list()


def test_a_throttled_request_is_made_again(
    kinesis_server: KinesisServer, writer: MakeWriter, proxy: KinesisProxy
) -> None:
    name = kinesis_server.stream()
    proxy.refuse("PutRecords", "ProvisionedThroughputExceededException", times=3)

    writer(name).put(trades(["A", "B"]))

    assert ["A", "B"] == told(kinesis_server, name)["symbol"].to_list()
    assert 4 == len(proxy.requests("PutRecords"))


def test_what_is_throttled_at_every_attempt_is_given_up_on_and_named(
    kinesis_server: KinesisServer, writer: MakeWriter, proxy: KinesisProxy
) -> None:
    name = kinesis_server.stream()
    events = trades(["A", "B", "A", "B"])
    proxy.throttle(lambda record: record["PartitionKey"] == "A", times=math.inf)

    with pytest.raises(StreamUnavailableError, match="given up after 4 attempts") as error:
        writer(name, kinesis_attempts=4).put(events)

    assert "Not written: 2 lines" in str(error.value)
    unwritten = decode_events(error.value.unwritten)[0]
    assert events.filter(symbol="A").equals(unwritten)
    assert [1, 3] == told(kinesis_server, name)["sequence"].to_list()


def test_a_stream_that_does_not_exist_is_an_error_at_once(
    writer: MakeWriter, proxy: KinesisProxy
) -> None:
    with pytest.raises(StreamError, match="ResourceNotFoundException") as error:
        writer("none").put(trades(["A"]))

    assert 1 == len(proxy.requests("PutRecords"))
    assert "create the stream" in error.value.hint
    assert 1 == len(error.value.unwritten)


def test_an_event_too_large_for_a_record_is_refused_with_its_batch(
    kinesis_server: KinesisServer, writer: MakeWriter, proxy: KinesisProxy
) -> None:
    name = kinesis_server.stream()
    large = trades(["B"]).with_columns(source=pl.lit("x" * 2**20))

    with pytest.raises(RecordTooLargeError, match=r"'B' has 1,048,\d+ bytes"):
        writer(name).put(pl.concat([trades(["A"]), large]))

    assert [] == proxy.requests("PutRecords")


def test_what_comes_after_the_end_is_refused(
    kinesis_server: KinesisServer, writer: MakeWriter
) -> None:
    kinesis = writer(kinesis_server.stream())
    kinesis.close()

    with pytest.raises(StreamClosedError):
        kinesis.put(trades(["A"]))


def test_a_heartbeat_reaches_every_shard_after_what_was_before_it(
    kinesis_server: KinesisServer, writer: MakeWriter
) -> None:
    name = kinesis_server.stream(shards=3)
    writer(name).put(pl.concat([trades(["A", "B"]), heartbeat(9), trades(["A"], first=10)]))

    by_shard = {shard: decode_events(lines)[0] for shard, lines in kinesis_server.by_shard(name)}

    assert 3 == len(by_shard)
    for events in by_shard.values():
        assert [9] == events.filter(kind="heartbeat")["sequence"].to_list()
        assert events["sequence"].is_sorted()


def test_a_heartbeat_reaches_the_shards_made_since_the_last(
    kinesis_server: KinesisServer, writer: MakeWriter
) -> None:
    # 0 ──┬─ 1 ──┐
    #     └─ 2 ──┴─ 3
    name = kinesis_server.stream()
    kinesis = writer(name)
    kinesis.put(heartbeat(0))
    kinesis_server.split(name, "shardId-000000000000")
    kinesis.put(heartbeat(1))
    kinesis_server.merge(name, "shardId-000000000001", "shardId-000000000002")
    kinesis.put(heartbeat(2))

    by_shard = [
        set(decode_events(lines)[0]["sequence"]) for _, lines in kinesis_server.by_shard(name)
    ]

    assert [{0}, {1}, {1}, {2}] == by_shard


def test_what_a_killed_server_did_not_take_is_named_and_can_be_put_again() -> None:
    with running() as server:
        name = server.stream()
        settings = Settings.model_validate(server.settings(kinesis_attempts=2))
        with closing(Kinesis(Service.of(settings), name)) as kinesis:
            kinesis.put(trades(["A", "B"]))
            server.kill()
            with pytest.raises(StreamUnavailableError, match="Not written: 3 lines") as error:
                kinesis.put(trades(["A", "B", "C"], first=2))
            server.start()
            server.stream(name=name)
            kinesis.put(decode_events(error.value.unwritten)[0])
        found = told(server, name)

    assert [2, 3, 4] == sorted(found["sequence"])


def test_a_busy_symbol_is_written_in_order_across_requests(
    kinesis_server: KinesisServer, writer: MakeWriter
) -> None:
    name = kinesis_server.stream(shards=2)
    events = trades(["HOT"] * 700 + ["COLD"])
    writer(name, per_symbol=500).put(events)

    found = told(kinesis_server, name)

    assert list(range(700)) == sequences(found, "HOT")
    assert [700] == sequences(found, "COLD")


def _is(sequence: int) -> Callable[[dict[str, object]], bool]:
    def check(record: dict[str, object]) -> bool:
        line = base64.b64decode(str(record["Data"]))
        return [sequence] == decode_events([line])[0]["sequence"].to_list()

    return check
