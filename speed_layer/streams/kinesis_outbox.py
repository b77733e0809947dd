"""Which records go into the next request, so that those of one key never overtake one another.

A request's records may fail one by one: had it two of one key, the second could get in before the
first. So a request has only the first that waits of each key, unless more are allowed.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from types_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

LARGEST_RECORD: Final = 1024 * 1024
"""Bytes of a record with its key, on a stream whose owner has not asked for more."""
_LARGEST_REQUEST: Final = 5 * 1024 * 1024
_MOST_RECORDS: Final = 500
_LONGEST_KEY: Final = 256


@dataclass(frozen=True, slots=True)
class Record:
    """A line on its way.

    Attributes:
        key: Records of one key keep their order; it is their partition key.
        line: What is told.
        hash_key: Names the shard in place of the key; empty: the key does.
    """

    key: str
    line: bytes
    hash_key: str = ""

    @property
    def size(self) -> int:
        """How many bytes count."""
        return len(self.line) + len(self.key.encode())

    @property
    def is_too_large(self) -> bool:
        """Whether Kinesis would refuse it."""
        return self.size > LARGEST_RECORD or len(self.key) > _LONGEST_KEY

    def entry(self) -> PutRecordsRequestEntryTypeDef:
        """Return it as `PutRecords` wants it."""
        if self.hash_key:
            return {
                "Data": self.line,
                "PartitionKey": self.key,
                "ExplicitHashKey": self.hash_key,
            }
        return {"Data": self.line, "PartitionKey": self.key}


class Outbox:
    """Records that wait to be written, by key.

    Args:
        records: In the order to keep.
        per_key: How many of one key may go into one request.
    """

    def __init__(self, records: Iterable[Record], *, per_key: int) -> None:
        self._per_key = per_key
        self._waiting: OrderedDict[str, deque[Record]] = OrderedDict()
        for record in records:
            self._waiting.setdefault(record.key, deque()).append(record)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def rest(self) -> list[Record]:
        """Return what waits, each key's records in order."""
        return [record for records in self._waiting.values() for record in records]

    def next_request(self) -> list[Record]:
        """Take out what goes into one request."""
        taken: list[Record] = []
        later: list[tuple[str, deque[Record]]] = []
        size = 0
        while self._waiting:
            key, records = self._waiting.popitem(last=False)
            count = 0
            while records and count < self._per_key and len(taken) < _MOST_RECORDS:
                if size + records[0].size > _LARGEST_REQUEST:
                    break
                size += records[0].size
                taken.append(records.popleft())
                count += 1
            if records:
                later.append((key, records))
            if len(taken) == _MOST_RECORDS or (records and count < self._per_key):
                break
        self._waiting.update(later)
        return taken

    def give_back(self, taken: Sequence[Record], failed: Sequence[bool]) -> None:
        """Let those that failed wait again, and what follows them of the same key."""
        again: dict[str, list[Record]] = {}
        for record, has_failed in zip(taken, failed, strict=True):
            if has_failed or record.key in again:
                again.setdefault(record.key, []).append(record)
        for key, records in reversed(again.items()):
            self._waiting.setdefault(key, deque()).extendleft(reversed(records))
            self._waiting.move_to_end(key, last=False)
