"""How far a stream of bars was brought into the view: what the publisher goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from lake import keys
from lake.documents import encode_document, read_document
from lake.errors import DamagedObjectError, ObjectNotFoundError
from speed_layer.streams.position import Position

if TYPE_CHECKING:
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a stream was brought into a view, as the lake keeps it.

    Attributes:
        position: Of the stream; None: of its start.
        filling: Which filling of the view has all before it; empty: unknown.
        probe: The line of a price that the view has: put again, it tells which filling there is.
    """

    position: Position | None = None
    filling: str = ""
    probe: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as a document of the lake."""
        position = self.position.document() if self.position else None
        return {"position": position, "filling": self.filling, "probe": self.probe}


def read_checkpoint(store: ObjectStore, stream: str) -> Checkpoint:
    """Return how far a stream was brought; its start, where nothing, or nothing sound, is known.

    Raises:
        StoreError: If the lake cannot be read.
    """
    key = keys.published(stream)
    try:
        told, _ = read_document(store, key)
        position = Position.of(told["position"]) if told.get("position") else None
        return Checkpoint(position, str(told.get("filling", "")), str(told.get("probe", "")))
    except ObjectNotFoundError:
        return Checkpoint()
    except DamagedObjectError as error:
        _log.warning("published anew", key=key, said=str(error))
        return Checkpoint()


def keep_checkpoint(store: ObjectStore, stream: str, checkpoint: Checkpoint) -> None:
    """Keep how far a stream was brought.

    Raises:
        StoreError: If the lake takes nothing.
    """
    store.put(keys.published(stream), encode_document(checkpoint.document()))
