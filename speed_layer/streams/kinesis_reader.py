"""The stream over Kinesis, as its reader sees it: every shard, and no child before its parents.

    shard 0 ────────┤ split          what a reader has of one symbol is in the order
    shard 1         ├──────┤ merge   in which it was written: 0, then 1 or 2, then 3
    shard 2         ├──────┤
    shard 3                ├─────►

It delivers at least once. What it cannot deliver any more it reports as a gap, and goes on.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from lake.clock import SystemClock
from lake.errors import StreamError
from speed_layer.streams.batch import Batch
from speed_layer.streams.kinesis_service import code_of
from speed_layer.streams.kinesis_shards import Shard, list_shards, readable
from speed_layer.streams.position import Place, Position

if TYPE_CHECKING:
    from types_boto3_kinesis.type_defs import (
        GetRecordsOutputTypeDef,
        GetShardIteratorInputTypeDef,
    )

    from lake.clock import Clock
    from speed_layer.streams.kinesis_service import Service

_EVERY_S: Final = 0.25
_MOST_RECORDS: Final = 10_000
_EXPIRED: Final = "ExpiredIteratorException"
_UNKNOWN: Final = ("InvalidArgumentException", "ResourceNotFoundException")
_HOUR_MS: Final = 3_600_000


class KinesisReader:
    """Reads a stream from a position on; of one thread.

    Args:
        service: Where it is; closed with it.
        name: The stream's.
        position: Where to go on; None: from the stream's start.
        every_s: A shard is asked at most this often; Kinesis allows 0.2.
        clock: Tells how old what was read is.
    """

    def __init__(
        self,
        service: Service,
        name: str,
        *,
        position: Position | None = None,
        every_s: float = _EVERY_S,
        clock: Clock | None = None,
    ) -> None:
        self._service = service
        self._name = name
        self._every_s = every_s
        self._clock = clock or SystemClock()
        self._created = position.created if position else ""
        self._places = dict(position.shards) if position else {}
        self._shards: list[Shard] | None = None
        self._retained_ms = 24 * _HOUR_MS
        self._iterators: dict[str, str] = {}
        self._due: dict[str, float] = {}
        self._gaps: list[str] = []

    @property
    def name(self) -> str:
        """The stream's name."""
        return self._name

    def read(self, timeout_s: float) -> Batch:
        """Return what came since; wait for it so many seconds at most, then return no lines.

        Raises:
            StreamUnavailableError: If Kinesis does not answer; read again, and nothing is lost.
            StreamError: If it refuses.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            lines = self._ask_the_due()
            now = time.monotonic()
            if lines or self._gaps or now >= deadline:
                return self._batch(lines)
            due = min(self._due.values(), default=now)
            time.sleep(max(0.0, min(deadline, due) - now))

    def rewind(self, position: Position | None = None) -> None:
        """Read again what follows a position; None: all, from the stream's start."""
        self._places = dict(position.shards) if position else {}
        self._look_again()

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def _batch(self, lines: list[bytes]) -> Batch:
        gaps = tuple(self._gaps)
        self._gaps.clear()
        return Batch(lines, Position(self._created, dict(self._places)), gaps)

    def _ask_the_due(self) -> list[bytes]:
        lines: list[bytes] = []
        try:
            for shard in self._readable():
                if self._due.get(shard, 0.0) <= time.monotonic():
                    lines += self._read_shard(shard)
        except StreamError:
            # Who answers next may be another: a stream of this name that was made anew.
            self._look_again()
            if not lines:
                raise
        return lines

    def _readable(self) -> list[str]:
        if self._shards is None:
            self._shards = self._open()
        ended = {name for name, place in self._places.items() if place.is_ended}
        return [shard.name for shard in readable(self._shards, ended)]

    def _look_again(self) -> None:
        self._shards = None
        self._iterators.clear()
        self._due.clear()

    def _open(self) -> list[Shard]:
        """Return the shards, after a look at what became of those that were read before."""
        client = self._service.client
        answer = self._service.ask(
            f"read {self._name}", lambda: client.describe_stream_summary(StreamName=self._name)
        )
        summary = answer["StreamDescriptionSummary"]
        shards = list_shards(self._service, self._name)
        created = summary["StreamCreationTimestamp"].isoformat()
        self._retained_ms = summary["RetentionPeriodHours"] * _HOUR_MS
        if self._created not in {"", created}:
            self._gap(f"it was made anew at {created}: what the old one still held is lost")
            self._places.clear()
        self._created = created
        self._forget({shard.name for shard in shards})
        return shards

    def _forget(self, known: set[str]) -> None:
        """Forget the shards that Kinesis has forgotten."""
        for name in self._places.keys() - known:
            if not self._places[name].is_ended:
                self._gap(f"{name} is no longer kept, and was not read to its end")
            del self._places[name]

    def _read_shard(self, shard: str) -> list[bytes]:
        self._report_what_is_too_old(shard)
        answer = self._records(shard)
        self._due[shard] = time.monotonic() + self._every_s
        if answer is None:
            return []
        place = self._places.get(shard, Place())
        reached_ms = self._now_ms() - answer.get("MillisBehindLatest", 0)
        place = replace(place, reached_ms=reached_ms)
        if answer["Records"]:
            place = replace(place, after=answer["Records"][-1]["SequenceNumber"])
        following = answer.get("NextShardIterator")
        if following:
            self._iterators[shard] = following
        else:
            place = replace(place, is_ended=True)
            self._look_again()  # for its children
        self._places[shard] = place
        return [
            line for record in answer["Records"] for line in record["Data"].splitlines() or [b""]
        ]

    def _records(self, shard: str) -> GetRecordsOutputTypeDef | None:
        """Return what a shard holds next; None where that is to be asked anew."""
        iterator = self._iterators.pop(shard, None) or self._iterator(shard)
        if iterator is None:
            return None
        client = self._service.client
        try:
            return self._service.ask(
                f"read {self._name}",
                lambda: client.get_records(ShardIterator=iterator, Limit=_MOST_RECORDS),
                but=(_EXPIRED,),
            )
        except ClientError:
            return None  # expired: the next is taken after the last record read

    def _iterator(self, shard: str) -> str | None:
        """Return an iterator after the last record read; None where that is unknown by now."""
        after = self._places.get(shard, Place()).after
        request: GetShardIteratorInputTypeDef = {
            "StreamName": self._name,
            "ShardId": shard,
            "ShardIteratorType": "TRIM_HORIZON",
        }
        if after:
            request["ShardIteratorType"] = "AFTER_SEQUENCE_NUMBER"
            request["StartingSequenceNumber"] = after
        client = self._service.client
        try:
            answer = self._service.ask(
                f"read {self._name}",
                lambda: client.get_shard_iterator(**request),
                but=_UNKNOWN if after else (),
            )
        except ClientError as error:
            self._gap(f"{shard} does not know the last record read ({code_of(error)})")
            del self._places[shard]
            self._look_again()
            return None
        return answer["ShardIterator"]

    def _report_what_is_too_old(self, shard: str) -> None:
        place = self._places.get(shard)
        if place is None or not place.reached_ms:
            return
        if self._now_ms() - place.reached_ms > self._retained_ms:
            hours = self._retained_ms // _HOUR_MS
            self._gap(f"{shard} was not read for more than the {hours} hours it keeps records")

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    def _gap(self, what: str) -> None:
        gap = f"{self._name}: {what}."
        if gap not in self._gaps:
            self._gaps.append(gap)
