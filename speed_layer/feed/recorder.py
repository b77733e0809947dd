"""The recorder: every event that the feed takes or refuses, and what it misses, into the lake."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import polars as pl

from lake import keys
from lake.coverage import holes
from lake.instant import microseconds
from lake.recorded import coverage_of, recorded, recorded_sessions
from lake.wire import encode_lines
from speed_layer.feed.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lake.coverage import Coverage, Span
    from lake.event import Kind
    from lake.hours import SessionHours, Timetable
    from lake.store import ObjectStore
    from speed_layer.feed.spool import Limits

_TAKEN: Final = "session"
_REFUSED: Final = "rejects"
_NOTED: Final = "coverage"
_KEYS: Final = {_TAKEN: keys.live, _REFUSED: keys.live_rejects, _NOTED: keys.coverage}
# Notes say more in one object than in many, and what is not noted is only asked for again.
NOTED_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Known:
    """What of a source's events is recorded.

    Attributes:
        until: Time of the last one, in microseconds; None: there is none.
        symbols: Of those of the last session.
        days: The sessions of which there is any, and what is noted of each.
    """

    until: int | None = None
    symbols: frozenset[str] = field(default_factory=frozenset)
    days: tuple[tuple[SessionHours, Coverage], ...] = ()

    def lacking(self, symbol: str | None, since: int, until: int) -> int | None:
        """Return the first instant in a span of which a symbol's events may be missing, if any.

        Args:
            symbol: None: one that no note names.
            since: In microseconds.
            until: Likewise, exclusive.
        """
        found = [
            first
            for hours, coverage in self.days
            for first, _ in holes(coverage.covered(symbol), _within(hours, since, until))
        ]
        return min(found, default=None)


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

    def note(self, spans: Sequence[Span]) -> None:
        """Write down what is recorded of spans, or is not, in their order; under each session.

        Raises:
            StoreError: If it cannot be written.
        """
        for span in spans:
            for day in self._days.days:
                if span.since < microseconds(day.dusk) and microseconds(day.dawn) < span.until:
                    self._spool.append(f"{_NOTED}={day.session}", span.line, NOTED_S)

    def tick(self) -> None:
        """Let the lake have what has waited long enough."""
        self._spool.tick()

    @property
    def waiting(self) -> int:
        """How many files the lake does not have yet."""
        return self._spool.waiting

    def known(self, kind: Kind, since: int = 0) -> Known:
        """Return what the lake has of the source's events.

        Args:
            kind: Of which kind gaps are looked for.
            since: In no session that was over by then, in microseconds.

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
        days = tuple(
            (day, coverage_of(self._store, self._source, day.session, kind))
            for day in self._days.days
            if day.session in sessions and since < microseconds(day.dusk)
        )
        return Known(until, frozenset(symbols), days)

    def _key_of(self, topic: str, number: int) -> str:
        kind, _, day = topic.partition("=")
        return _KEYS[kind](self._source, dt.date.fromisoformat(day), number)


def _within(hours: SessionHours, since: int, until: int) -> tuple[int, int]:
    return max(microseconds(hours.dawn), since), min(microseconds(hours.dusk), until)
