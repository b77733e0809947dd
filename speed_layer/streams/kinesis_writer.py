"""The stream over Kinesis, as its writer sees it: a plain line of JSON in each record.

    events ──► by symbol into lanes ──► requests of one record a symbol ──► shards, by symbol
    heartbeats ──────────────────────────────────────────────────────────► every shard

Lanes write at once, each one request after the other. A heartbeat waits for all before it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING, Final
from zlib import crc32

from lake.errors import RecordTooLargeError, StreamClosedError, StreamError, StreamUnavailableError
from lake.wire import encode_events
from speed_layer.streams.kinesis_outbox import LARGEST_RECORD, Outbox, Record
from speed_layer.streams.kinesis_service import ERRORS, Service, error_of, is_passing, passes
from speed_layer.streams.kinesis_shards import list_shards

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl
    from types_boto3_kinesis.type_defs import PutRecordsOutputTypeDef

_LANES: Final = 4
_CHANGES: Final = 10
_HEARTBEAT: Final = "heartbeat"


class Kinesis:
    """A stream of Kinesis that exists.

    Args:
        service: Where it is; closed with it.
        name: The stream's.
        per_symbol: How many events of a symbol may go into one request. With 1 they keep their
            order whatever fails; with more, what followed a failed one is told again after it.
        lanes: How many requests are made at once.
    """

    def __init__(
        self, service: Service, name: str, *, per_symbol: int = 1, lanes: int = _LANES
    ) -> None:
        self._service = service
        self._name = name
        self._per_symbol = per_symbol
        self._pool = ThreadPoolExecutor(lanes, thread_name_prefix=f"kinesis-{name}")
        self._lanes = lanes
        self._lock = Lock()
        self._is_closed = False
        self._beats: dict[str, str] = {}

    def put(self, events: pl.DataFrame) -> None:
        """Write events, and return when all are written.

        Raises:
            RecordTooLargeError: If one is larger than a record may be; none was written.
            StreamUnavailableError: If Kinesis did not take some at any attempt.
            StreamError: If it refuses them.
        """
        lines = encode_events(events)
        symbols = events["symbol"].to_list()
        beats = (events["kind"] == _HEARTBEAT).to_list()
        records = [
            Record(_HEARTBEAT if beat or not symbol else symbol, line)
            for symbol, beat, line in zip(symbols, beats, lines, strict=True)
        ]
        self._refuse_the_too_large(records)
        with self._lock:
            if self._is_closed:
                raise _closed(self._name, lines)
            self._put_in_turn(records, beats)

    def close(self) -> None:
        """Close the connections; a put that runs is finished first."""
        with self._lock:
            self._is_closed = True
            self._pool.shutdown()
            self._service.close()

    def _put_in_turn(self, records: Sequence[Record], beats: Sequence[bool]) -> None:
        done = 0
        for is_beat, group in groupby(beats):
            count = len(list(group))
            span = records[done : done + count]
            try:
                if is_beat:
                    self._beat_everywhere(span)
                else:
                    self._write(span)
            except StreamError as error:
                rest = [record.line for record in records[done + count :]]
                raise _lacking(error, self._name, [*error.unwritten, *rest]) from error
            done += count

    def _write(self, records: Iterable[Record]) -> set[str]:
        """Write records, and return the shards that took them."""
        lanes: list[list[Record]] = [[] for _ in range(self._lanes)]
        for record in records:
            lanes[crc32(record.key.encode()) % self._lanes].append(record)
        lane = self._pool.map(self._write_lane, [each for each in lanes if each])
        shards: set[str] = set()
        failures: list[StreamError] = []
        for told in lane:
            if isinstance(told, StreamError):
                failures.append(told)
            else:
                shards |= told
        if failures:
            unwritten = [line for failure in failures for line in failure.unwritten]
            raise _lacking(failures[0], self._name, unwritten) from failures[0]
        if not shards <= self._beats.keys():
            self._beats = {}
        return shards

    def _write_lane(self, records: list[Record]) -> set[str] | StreamError:
        """Write records one request after the other: the shards that took them, or what failed."""
        outbox = Outbox(records, per_key=self._per_symbol)
        shards: set[str] = set()
        tried = 0
        while outbox:
            taken = outbox.next_request()
            try:
                answer = self._request(taken)
            except ERRORS as error:
                outbox.give_back(taken, [True] * len(taken))
                tried += 1
                if not passes(error) or tried == self._service.attempts:
                    failure = error_of(error, f"write to {self._name}", tried=tried)
                    return _with(failure, outbox)
                self._service.pause(tried)
                continue
            shards |= {told["ShardId"] for told in answer["Records"] if told.get("ShardId")}
            if not answer.get("FailedRecordCount"):
                tried = 0
                continue
            failed = [bool(told.get("ErrorCode")) for told in answer["Records"]]
            outbox.give_back(taken, failed)
            tried = tried + 1 if all(failed) else 1
            refusal = _refusal(answer, self._name, tried, self._service.attempts)
            if refusal:
                return _with(refusal, outbox)
            self._service.pause(tried)
        return shards

    def _request(self, records: Sequence[Record]) -> PutRecordsOutputTypeDef:
        entries = [record.entry() for record in records]
        return self._service.client.put_records(StreamName=self._name, Records=entries)

    def _beat_everywhere(self, beats: Sequence[Record]) -> None:
        """Write heartbeats to every shard that is open: also to those of a moment ago."""
        for _ in range(_CHANGES):
            if not self._beats:
                self._beats = self._open_shards(beats)
            reached = self._write(
                Record(f"{_HEARTBEAT}-{shard}", beat.line, hash_key)
                for beat in beats
                for shard, hash_key in self._beats.items()
            )
            if reached == self._beats.keys():
                return
            self._beats = {}
        fact = f"The shards of {self._name} kept changing while a heartbeat was written."
        raise StreamUnavailableError(fact, unwritten=[beat.line for beat in beats])

    def _open_shards(self, beats: Sequence[Record]) -> dict[str, str]:
        """Return the shards that take records, each with a hash key of its own."""
        try:
            shards = list_shards(self._service, self._name)
        except StreamError as error:
            raise _lacking(error, self._name, [beat.line for beat in beats]) from error
        return {shard.name: shard.first_key for shard in shards if shard.is_open}

    def _refuse_the_too_large(self, records: Iterable[Record]) -> None:
        for record in records:
            if record.is_too_large:
                fact = (
                    f"An event of {record.key[:20]!r} has {record.size:,} bytes. "
                    f"Allowed in a record of {self._name}: {LARGEST_RECORD:,}."
                )
                raise RecordTooLargeError(fact, unwritten=[each.line for each in records])


def _refusal(
    answer: PutRecordsOutputTypeDef, name: str, tried: int, attempts: int
) -> StreamError | None:
    """Return why records are given up on; None: they are to be tried again."""
    told = [each for each in answer["Records"] if each.get("ErrorCode")]
    hard = [each for each in told if not is_passing(each["ErrorCode"])]
    if not hard and tried < attempts:
        return None
    first = (hard or told)[0]
    fact = f"Could not write to {name}: {first['ErrorCode']}: {first.get('ErrorMessage', '')}"
    if hard:
        return StreamError(f"{fact.rstrip('.')}.", hint="check the stream.")
    fact = f"{fact.rstrip('.')} (given up after {tried} attempts)."
    return StreamUnavailableError(fact, hint="add shards, or try again later.")


def _with(error: StreamError, outbox: Outbox) -> StreamError:
    unwritten = [record.line for record in outbox.rest()]
    return type(error)(error.fact, hint=error.hint, unwritten=unwritten)


def _lacking(error: StreamError, name: str, unwritten: Sequence[bytes]) -> StreamError:
    """Return an error that says how much may be missing."""
    fact = error.fact.partition(" Not written:")[0]
    fact = f"{fact} Not written: {len(unwritten)} lines to {name}."
    return type(error)(fact, hint=error.hint, unwritten=unwritten)


def _closed(name: str, lines: Sequence[bytes]) -> StreamClosedError:
    fact = f"{len(lines)} events came after the stream {name} was closed."
    return StreamClosedError(fact, unwritten=lines)
