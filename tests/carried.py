"""What compose.yaml's processes need of a test beside them: a clock that goes on, and a carrier."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from lake.instant import microseconds
from speed_layer import flink_job
from tests.clocked import WallClock
from tests.kinesis import client_of

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

BEGINS: Final = dt.datetime(2026, 1, 5, 9, 2, tzinfo=dt.UTC)
_LOOK_S: Final = 0.2
_MOST: Final = 500


@contextmanager
def ticking(path: Path) -> Iterator[Path]:
    """Yield the file of a clock that goes on from 04:02 at the exchange, on a Monday."""
    wall, ended, begun = WallClock(path), threading.Event(), time.monotonic()
    begins = microseconds(BEGINS)

    def tick() -> None:
        while not ended.wait(0.02):
            wall.advance(begins + int((time.monotonic() - begun) * 1e6))

    wall.advance(begins)
    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        ended.set()
        thread.join()
        wall.close()


@contextmanager
def carried(folder: Path, url: str, *, events: str, bars: str) -> Iterator[list[str]]:
    """Carry lines between Kinesis and Flink by files, where Flink has no connector.

    It is for a job that is not killed: of files that wait Flink reads any one first.

    Args:
        folder: For the files.
        url: Of the Kinesis server, which need not run yet, and may be away for some minutes.
        events: The stream that goes to Flink, whose shards stay as they are.
        bars: The stream that what comes from there goes to.

    Yields:
        What `fiblake flink run` needs to be told beside; nothing where it has its connector.
    """
    if flink_job.has_connector():
        yield []
        return
    carrier, ended = _Carrier(folder, events, bars), threading.Event()
    thread = threading.Thread(target=carrier.carry, args=(url, ended), daemon=True)
    thread.start()
    try:
        yield carrier.options
    finally:
        ended.set()
        thread.join()


class _Carrier:
    """Takes lines from a stream to files, and from other files to another stream."""

    def __init__(self, folder: Path, events: str, bars: str) -> None:
        self._events, self._bars = events, bars
        self._to_flink, self._from_flink = folder / "events", folder / "bars"
        for each in (self._to_flink, self._from_flink):
            each.mkdir(parents=True)
        places = ["--events", str(self._to_flink), "--bars", str(self._from_flink)]
        self.options = [*places, "--follow-ms", "200", "--checkpoint-ms", "500"]
        self._read: dict[str, str] = {}
        self._brought: set[Path] = set()

    def carry(self, url: str, ended: threading.Event) -> None:
        with closing(client_of(url)) as kinesis:
            while not ended.wait(_LOOK_S):
                # What failed is tried again: what then comes twice counts once.
                with suppress(BotoCoreError, ClientError):
                    self._take(kinesis)
                    self._bring(kinesis)

    def _take(self, kinesis: KinesisClient) -> None:
        if not self._read:
            shards = kinesis.list_shards(StreamName=self._events)["Shards"]
            self._read = {each["ShardId"]: self._begin(kinesis, each["ShardId"]) for each in shards}
        answers = {
            shard: kinesis.get_records(ShardIterator=place) for shard, place in self._read.items()
        }
        records = [each for answer in answers.values() for each in answer["Records"]]
        if records:
            name = f"{time.monotonic_ns()}.jsonl"
            hidden = self._to_flink / f".{name}"
            hidden.write_bytes(b"".join(each["Data"] + b"\n" for each in records))
            hidden.rename(self._to_flink / name)
        self._read = {shard: answer["NextShardIterator"] for shard, answer in answers.items()}

    def _begin(self, kinesis: KinesisClient, shard: str) -> str:
        told = kinesis.get_shard_iterator(
            StreamName=self._events, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )
        return told["ShardIterator"]

    def _bring(self, kinesis: KinesisClient) -> None:
        for path in sorted({*self._from_flink.rglob("part-*")} - self._brought):
            records: list[PutRecordsRequestEntryTypeDef] = [
                {"Data": line, "PartitionKey": str(number)}
                for number, line in enumerate(path.read_bytes().splitlines())
            ]
            answers = [
                kinesis.put_records(StreamName=self._bars, Records=records[at : at + _MOST])
                for at in range(0, len(records), _MOST)
            ]
            if not any(each["FailedRecordCount"] for each in answers):
                self._brought.add(path)
