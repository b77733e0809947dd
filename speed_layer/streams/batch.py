"""What a reader of a stream hands out at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speed_layer.streams.position import Position


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read.

    Attributes:
        lines: One a record, or more where a record has line breaks; each shard's in order.
        position: How far the stream is read with them.
        gaps: What was lost before them, in words; what could be read again comes again.
    """

    lines: list[bytes]
    position: Position
    gaps: tuple[str, ...] = ()
