"""What a stream of events promises to whoever writes into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl


class Stream(Protocol):
    """Events on their way to an engine: each symbol's in the order in which they were put."""

    def put(self, events: pl.DataFrame) -> None:
        """Bring events in, in order of receipt; wait while there is no room for them.

        Args:
            events: Schema `EVENTS`, as Polars has it: `lake.wire.SCHEMA`.

        Raises:
            StreamError: If some did not get in; its `unwritten` are those.
        """
        ...

    def close(self) -> None:
        """Take nothing any more."""
        ...
