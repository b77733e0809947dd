"""What of today's session is not recorded, and so in no live bar, as the lake's notes tell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import structlog

from lake import keys
from lake.coverage import Coverage, gaps
from lake.errors import StoreError
from lake.exchange import trading_day
from lake.hours import hours_of
from lake.instant import microseconds
from lake.recorded import notes_of

if TYPE_CHECKING:
    import datetime as dt
    import threading

    from lake.clock import Clock
    from lake.coverage import Bounds, Span
    from lake.event import Kind
    from lake.session import SessionTable
    from lake.store import ObjectStore

_EVERY_S: Final = 10.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    coverage: Coverage
    within: Bounds


class Gaps:
    """Reads notes of what is recorded now and then, each object once; asked from any thread.

    Args:
        store: The lake.
        source: Who tells live events, as `massive`.
        kind: Of which events bars are made.
        table: The sessions.
        clock: Tells which session is today's.
    """

    def __init__(
        self, store: ObjectStore, source: str, kind: Kind, table: SessionTable, clock: Clock
    ) -> None:
        self._store = store
        self._source = source
        self._kind: Kind = kind
        self._table = table
        self._clock = clock
        self._session: dt.date | None = None
        self._notes: dict[str, list[Span]] = {}
        self._known: _Known | None = None

    def of(self, symbol: str) -> list[Span] | None:
        """Return the gaps in what is recorded of a symbol, up to the last note, in order.

        Those of a symbol that was never seen are among them. None: nothing is noted yet.
        """
        known = self._known
        return None if known is None else gaps([known.coverage], known.within, [symbol])

    def read(self) -> None:
        """Read what was noted of today's session since.

        Raises:
            StoreError: If the lake cannot be read.
        """
        session = trading_day(self._clock.now())
        found = self._store.fingerprints(keys.coverage_notes(self._source, session))
        read = self._notes if session == self._session else {}
        fresh = {key: list(notes_of(self._store, [key])) for key in found if key not in read}
        if fresh:
            self._notes, self._session = {**read, **fresh}, session
            self._known = self._told(session)

    def keep_reading(self, stop: threading.Event) -> None:
        """Read every few seconds, until `stop` is set; what goes wrong is logged once."""
        told = ""
        while not stop.is_set():
            try:
                self.read()
                told = ""
            except StoreError as error:
                if str(error) != told:
                    told = str(error)
                    _log.warning("gaps are not known", error=told)
            stop.wait(_EVERY_S)

    def _told(self, session: dt.date) -> _Known:
        hours = hours_of(session, self._table)
        # An object's number is of a fixed width, so that their keys are in order.
        notes = list(chain.from_iterable(self._notes[key] for key in sorted(self._notes)))
        last = max((note.until for note in notes), default=0)
        within = microseconds(hours.dawn), min(last, microseconds(hours.dusk))
        return _Known(Coverage(notes, self._kind), within)
