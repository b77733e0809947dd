"""What is recorded of a vendor's events, as an evaluation that goes on is told it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake.recorded import read_recorded, recorded, recorded_keys, recorded_sessions

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    import polars as pl

    from lake.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Record:
    """The events of one source.

    Attributes:
        store: The lake.
        source: As `massive`.
    """

    store: ObjectStore
    source: str

    def since(self, session: dt.date) -> list[dt.date]:
        """Return the sessions, from one on, of which there are events.

        Raises:
            StoreError: If the lake cannot be read.
        """
        found = recorded_sessions(self.store, self.source)
        return [each for each in found if each >= session]

    def told(self, session: dt.date) -> Iterator[pl.DataFrame]:
        """Yield the events of a session in their order, schema `EVENTS`, some at a time.

        Raises:
            StoreError: If the lake cannot be read.
        """
        yield from recorded(self.store, self.source, session)

    def reached(self, session: dt.date) -> int:
        """Return when the last event was received that the lake has of a session; 0: it has none.

        Raises:
            StoreError: If the lake cannot be read.
        """
        for key in reversed(recorded_keys(self.store, self.source, session)):
            last = read_recorded(self.store, key)["received"].max()
            if isinstance(last, int):
                return last
        return 0
