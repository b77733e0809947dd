"""The embedded engine at work: events out of a stream, what they change into a view.

Killed and started again it goes on from its last snapshot: what was recorded from its last event on
is applied, and what was in it already changes nothing. Where there is no snapshot, or a damaged
one, all that was recorded of the session is applied anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
import structlog

from lake.errors import ViewError
from speed_layer.chores import Chore
from speed_layer.corrections import late_among

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from speed_layer.corrections import Corrections
    from speed_layer.covering import Covering
    from speed_layer.engine.engine import Changes, Counts, Engine
    from speed_layer.streams.in_process import InProcess
    from speed_layer.views.protocol import View

_WAIT_S: Final = 0.5
_REFILL_S: Final = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is not urgent is done, in seconds."""

    snapshot_s: float = 300.0
    corrections_s: float = 300.0
    forget_s: float = 10.0


class Running:
    """Applies the events of a stream until it is closed.

    Args:
        engine: Applies them.
        stream: Where they come from.
        view: Where what changed goes.
        corrections: Takes what is late.
        keep: Keeps a snapshot of the engine, and when the last event in it was received.
        received: When the last event that the engine took was received, in microseconds; 0: it
            took none.
        covering: Keeps what batch has covered, and lets the view forget it; None: nobody does.
        pace: How often the last three are done.
    """

    def __init__(  # noqa: PLR0913 - the parts that it brings together
        self,
        engine: Engine,
        stream: InProcess,
        view: View,
        *,
        corrections: Corrections,
        keep: Callable[[Engine, int], None] = lambda _engine, _received: None,
        received: int = 0,
        covering: Covering | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._engine = engine
        self._stream = stream
        self._view = view
        self._corrections = corrections
        self._covering = covering
        self._received = received
        # None: the view lacks what was put into it since.
        self._filling: str | None = view.filling
        pace = pace or Pace()
        self._chores = (
            Chore(_REFILL_S, self._fill_if_empty),
            Chore(pace.corrections_s, self._correct),
            Chore(pace.forget_s, self._cover),
            Chore(pace.snapshot_s, lambda: keep(engine, self._received)),
        )

    @property
    def counts(self) -> Counts:
        """What became of all events so far."""
        return self._engine.counts

    def run(self) -> None:
        """Apply events until the stream is closed and empty; then do each chore once more."""
        while (events := self._stream.take(_WAIT_S)) is not None:
            if not events.is_empty():
                self.apply(events)
            for chore in self._chores:
                chore.do_if_due()
        for chore in self._chores:
            chore.do()
        if self._covering:
            Chore(0, self._covering.keep).do()

    def recover(self, recorded: pl.DataFrame, lateness: dt.timedelta) -> None:
        """Apply what was recorded since the engine was kept, and tell the view all there is.

        Args:
            recorded: All events of the session, schema `EVENTS`, in order of receipt.
            lateness: How long after its end a bar may change.
        """
        self._corrections.note(late_among(recorded, lateness))
        self._filling = None
        # In the order of the record, which is not quite that of receipt: REST answers meanwhile.
        known = (recorded["received"] == self._received).arg_max() or 0
        self.apply(recorded.slice(known))
        try:
            self._fill_if_empty()
        except ViewError as error:
            _log.warning("the view is away; it is filled once it is back", error=str(error))

    def recompute(self, recorded: pl.DataFrame) -> None:
        """Tell the view of a session that is over, once the clock is known.

        Args:
            recorded: All events of the session, schema `EVENTS`.
        """
        told = recorded.filter(pl.col("kind") != "heartbeat")
        self._corrections.note(told.unique("symbol"))

    def apply(self, events: pl.DataFrame) -> None:
        """Apply events, schema `EVENTS`, in order of receipt."""
        told = events.filter(pl.col("kind") != "heartbeat")
        if told.height:
            self._received = told["received"].item(-1)
        changes = self._engine.apply(events)
        self._corrections.note(changes.late)
        self._put(changes)

    def _put(self, changes: Changes) -> None:
        if self._filling is None:
            return
        try:
            self._view.put(changes.bars, changes.prices)
            self._fill_if_empty()
        except ViewError as error:
            _log.warning("the view is away; it is filled anew once it is back", error=str(error))
            self._filling = None

    def _fill_if_empty(self) -> None:
        """Put all bars and prices of the engine into a view that lost some, corrections then."""
        while self._filling != (filling := self._view.filling):
            # Where that fails it is tried again.
            self._filling = None
            everything = self._engine.everything()
            self._view.put(everything.bars, everything.prices)
            self._filling = filling
            self._corrections.redo()

    def _cover(self) -> None:
        if self._covering:
            self._covering.forget()

    def _correct(self) -> None:
        self._corrections.apply(self._engine.clock)
