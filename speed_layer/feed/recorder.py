"""The recorder: every event that the feed takes, and every one that it refuses, into the lake."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import polars as pl

from lake import keys
from lake.recorded import recorded, recorded_sessions
from lake.wire import encode_lines
from speed_layer.feed.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lake.hours import Timetable
    from lake.store import ObjectStore
    from speed_layer.feed.spool import Limits

_TAKEN: Final = "session"
_REFUSED: Final = "rejects"


@dataclass(frozen=True, slots=True)
class Known:
    """What of a source's events is recorded.

    Attributes:
        until: Time of the last one, in microseconds; None: there is none.
        symbols: Of those of the last session.
    """

    until: int | None = None
    symbols: frozenset[str] = field(default_factory=frozenset)


class Recorder:
    """Records what one source tells.

    Args:
        store: The lake.
        source: As `massive`.
        folder: Of the spool, on this machine.
        days: The hours of the sessions that events may be of.
        limits: When what is spooled is landed.

    Raises:
        BusyError: If another process records the source into that folder.
    """

    def __init__(
        self,
        store: ObjectStore,
        source: str,
        folder: Path,
        days: Timetable,
        limits: Limits | None = None,
    ) -> None:
        self._store = store
        self._source = source
        self._days = days
        self._folder = folder / source
        self._spool = Spool(self._folder, store, self._key_of, limits)

    def __enter__(self) -> Self:
        self._spool.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the lake have all there is, and end; a second time nothing happens."""
        self._spool.close()

    def record(self, events: pl.DataFrame) -> None:
        """Write events down: when this returns, a kill of the process does not lose them.

        Args:
            events: Of sessions that the timetable has.

        Raises:
            StoreError: If they cannot be written.
        """
        if events.is_empty():
            return
        day = self._days.of(events["time"].to_numpy())
        for each in np.unique(day):
            some = events.filter(pl.Series(day == each)) if day.min() != day.max() else events
            topic = f"{_TAKEN}={self._days.days[each].session}"
            self._spool.append(topic, encode_lines(some))

    def refuse(self, lines: Sequence[dict[str, object]]) -> None:
        """Write down what was refused, under the day (UTC) on which it was received.

        Args:
            lines: With `received`, in microseconds.

        Raises:
            StoreError: If they cannot be written.
        """
        for line in lines:
            received = dt.datetime.fromtimestamp(int(str(line["received"])) // 10**6, dt.UTC)
            topic = f"{_REFUSED}={received.date()}"
            self._spool.append(topic, json.dumps(line).encode() + b"\n")

    def tick(self) -> None:
        """Let the lake have what has waited long enough."""
        self._spool.tick()

    @property
    def waiting(self) -> int:
        """How many files the lake does not have yet."""
        return self._spool.waiting

    @property
    def unfinished(self) -> Path:
        """A file beside the spool, for what is being asked of the vendor."""
        return self._folder / "unfinished"

    def known(self) -> Known:
        """Return what the lake has of the source's events.

        Raises:
            StoreError: If it cannot be read.
        """
        sessions = recorded_sessions(self._store, self._source)
        until: int | None = None
        symbols: set[str] = set()
        for events in recorded(self._store, self._source, sessions[-1]) if sessions else ():
            symbols.update(events["symbol"].unique())
            last = events["time"].max()
            if isinstance(last, int):
                until = max(until or last, last)
        return Known(until, frozenset(symbols))

    def _key_of(self, topic: str, number: int) -> str:
        kind, _, day = topic.partition("=")
        key = keys.live if kind == _TAKEN else keys.live_rejects
        return key(self._source, dt.date.fromisoformat(day), number)
