"""What is recorded of a vendor's events, as an evaluation that goes on is told it again."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake.recorded import read_recorded, recorded_keys, recorded_sessions

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

    def told(self, session: dt.date, since: int = 0) -> Iterator[pl.DataFrame]:
        """Yield the events of a session in their order, schema `EVENTS`, some at a time.

        Args:
            session: Which.
            since: Those that were received then or later, in microseconds; some before may come.

        Raises:
            StoreError: If the lake cannot be read.
        """
        keys = recorded_keys(self.store, self.source, session)
        # They are in order of receipt: of those that begin earlier only the last is needed.
        first = bisect_left(keys, since, key=self._begin) if since else 0
        for key in keys[max(0, first - 1) :]:
            yield read_recorded(self.store, key)

    def _begin(self, key: str) -> int:
        first = read_recorded(self.store, key)["received"].min()
        return first if isinstance(first, int) else 0

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
