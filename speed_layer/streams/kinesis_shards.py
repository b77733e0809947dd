"""The shards of a stream, and which of them may be read: never a child before its parents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from types_boto3_kinesis.type_defs import ListShardsInputTypeDef, ShardTypeDef

    from speed_layer.streams.kinesis_service import Service


@dataclass(frozen=True, slots=True)
class Shard:
    """One of a stream.

    Attributes:
        name: Its id.
        parents: Of which shards it was made; they may be forgotten by now.
        first_key: The first of its hash keys.
        is_open: Whether it takes records; else it was split or merged.
    """

    name: str
    parents: tuple[str, ...]
    first_key: str
    is_open: bool


def list_shards(service: Service, stream: str) -> list[Shard]:
    """Return the shards of a stream, those too that can only be read.

    Raises:
        StreamError: If they cannot be had.
    """
    what = f"list the shards of {stream}"
    found: list[Shard] = []
    page: ListShardsInputTypeDef = {"StreamName": stream}
    while True:
        answer = service.ask(what, partial(service.client.list_shards, **page))
        found += map(_shard, answer["Shards"])
        token = answer.get("NextToken")
        if not token:
            return found
        page = {"NextToken": token}


def readable(shards: Iterable[Shard], ended: Collection[str]) -> list[Shard]:
    """Return the shards that may be read: not ended, and after the end of those they come from."""
    known = {shard.name: shard for shard in shards}
    return [
        shard
        for shard in known.values()
        if shard.name not in ended
        and all(parent in ended or parent not in known for parent in shard.parents)
    ]


def _shard(told: ShardTypeDef) -> Shard:
    parents = (told.get("ParentShardId"), told.get("AdjacentParentShardId"))
    return Shard(
        name=told["ShardId"],
        parents=tuple(parent for parent in parents if parent),
        first_key=told["HashKeyRange"]["StartingHashKey"],
        is_open="EndingSequenceNumber" not in told["SequenceNumberRange"],
    )
