"""How far a stream of Kinesis was read: a document, to go on from after a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from lake.errors import DamagedObjectError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Place:
    """How far a shard was read.

    Attributes:
        after: The sequence number of the last record read; empty: of none.
        reached_ms: All that came before this instant was read; milliseconds since 1970.
        is_ended: Whether there is no more: it was split or merged, and read to its end.
    """

    after: str = ""
    reached_ms: int = 0
    is_ended: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """How far each shard was read.

    Attributes:
        created: When the stream was made, as Kinesis tells it: one of the same name that was made
            later is another.
        shards: By name; of those not named, nothing was read.
    """

    created: str
    shards: Mapping[str, Place] = field(default_factory=dict)

    @property
    def reached_ms(self) -> int:
        """Up to when the stream was read, as far as it goes on; 0: nothing was read yet."""
        reached = (place.reached_ms for place in self.shards.values() if not place.is_ended)
        return min(reached, default=0)

    def document(self) -> dict[str, Any]:
        """Return it as a document of the lake."""
        shards = {
            name: {"after": place.after, "reached_ms": place.reached_ms, "ended": place.is_ended}
            for name, place in sorted(self.shards.items())
        }
        return {"created": self.created, "shards": shards}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return the position that a document tells.

        Raises:
            DamagedObjectError: If it tells none.
        """
        try:
            shards = {
                str(name): Place(str(told["after"]), int(told["reached_ms"]), bool(told["ended"]))
                for name, told in document["shards"].items()
            }
            return cls(str(document["created"]), shards)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            fact = "The document of a stream's position is damaged."
            raise DamagedObjectError(fact, hint="remove it: the stream is read anew.") from error
