"""What compose.yaml's processes need of a test beside them: a clock that goes on, and a carrier."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import boto3

from lake.instant import microseconds
from tests.clocked import WallClock
from tests.compose import Composed, wait_until

BEGINS: Final = dt.datetime(2026, 1, 5, 9, 2, tzinfo=dt.UTC)


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


class Carried:
    """Lines between Kinesis and Flink, carried by files where its connector is missing."""

    def __init__(self, folder: Path) -> None:
        self._events, self._bars = folder / "events", folder / "bars"
        for each in (self._events, self._bars):
            each.mkdir(parents=True)
        places = ["--events", str(self._events), "--bars", str(self._bars)]
        self.options = [*places, "--follow-ms", "200", "--checkpoint-ms", "500"]

    @contextmanager
    def between(self, system: Composed) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._carry, args=(system, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _carry(self, system: Composed, ended: threading.Event) -> None:
        own: Any = {
            "endpoint_url": f"http://{system.hosts['kinesis']}:4568",
            "region_name": "us-east-1",
            "aws_access_key_id": "key",
            "aws_secret_access_key": "secret",
        }
        wait_until(lambda: ended.is_set() or "kinesis" in system.processes, system.said)
        with closing(boto3.client("kinesis", **own)) as it:
            wait_until(lambda: ended.is_set() or system.is_healthy("kinesis"), system.said)
            shards = it.list_shards(StreamName="fiblake-events")["Shards"]
            places = [_begin(it, each["ShardId"]) for each in shards]
            brought: dict[Path, int] = {}
            while not ended.wait(0.2):
                places = [self._to_flink(it, place) for place in places]
                self._from_flink(it, brought)

    def _to_flink(self, kinesis: Any, place: str) -> str:
        answer = kinesis.get_records(ShardIterator=place)
        if answer["Records"]:
            name = f"{time.monotonic_ns()}.jsonl"
            hidden = self._events / f".{name}"
            hidden.write_bytes(b"".join(each["Data"] + b"\n" for each in answer["Records"]))
            hidden.rename(self._events / name)
        return str(answer["NextShardIterator"])

    def _from_flink(self, kinesis: Any, brought: dict[Path, int]) -> None:
        for path in sorted(self._bars.rglob("part-*")):
            if path not in brought:
                lines = path.read_bytes().splitlines()
                brought[path] = len(lines)
                for first in range(0, len(lines), 500):
                    some = lines[first : first + 500]
                    records = [
                        {"Data": line, "PartitionKey": str(n)} for n, line in enumerate(some)
                    ]
                    kinesis.put_records(StreamName="fiblake-bars", Records=records)


def _begin(kinesis: Any, shard: str) -> str:
    told = kinesis.get_shard_iterator(
        StreamName="fiblake-events", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
    return str(told["ShardIterator"])
