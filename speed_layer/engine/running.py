"""The embedded engine at work: events out of a stream, what they change into a view.

Killed and started again it goes on from its last snapshot: what was recorded from its last event on
is applied, and what was in it already changes nothing. Where there is no snapshot, or a damaged
one, all that was recorded of the session is applied anew.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl
import structlog

from lake import metrics
from lake.errors import ViewError
from lake.measuring import Measured, each_of
from lake.trace import Traces
from lake.wire import SCHEMA
from speed_layer.chores import Beside, Chore
from speed_layer.corrections import late_among

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from speed_layer.corrections import Corrections
    from speed_layer.covering import Covering
    from speed_layer.engine.engine import Changes, Counts, Engine
    from speed_layer.streams.in_process import InProcess
    from speed_layer.views.protocol import View

_WAIT_S: Final = 0.5
_FEW_BARS: Final = 256
_SHARE: Final = 8
"""Of so many parts of the bars that changed one is told at a time, so that no price waits for many
of them."""
_NOTHING: Final = SCHEMA.to_frame()
_REFILL_S: Final = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is not urgent is done, in seconds.

    Attributes:
        snapshot_s: A snapshot is kept.
        corrections_s: What is late is applied.
        forget_s: The view forgets what batch has covered.
        bars_s: Some of the bars that changed are told; prices are at once.
    """

    snapshot_s: float = 300.0
    corrections_s: float = 60.0
    forget_s: float = 10.0
    bars_s: float = 0.05


class Running:
    """Applies the events of a stream until it is closed; to be closed before its view is.

    Args:
        engine: Applies them.
        stream: Where they come from.
        view: Where what changed goes.
        corrections: Takes what is late.
        keep: Keeps a snapshot of the engine, and when the last event in it was received.
        received: When the last event that the engine took was received, in microseconds; 0: it
            took none.
        covering: Keeps what batch has covered, and lets the view forget it; None: nobody does.
        pace: How often what is not urgent is done.
        trace_one_in: Of so many prices one is followed in the log; 0: none is.
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
        trace_one_in: int = 0,
    ) -> None:
        self._engine = engine
        self._taken, self._put = Traces("engine", trace_one_in), Traces("view", trace_one_in)
        self._stream = stream
        self._view = view
        self._corrections = corrections
        self._covering = covering
        self._received = received
        # None: the view lacks what was put into it since.
        self._filling: str | None = view.filling
        pace = pace or Pace()
        self._bars_s = pace.bars_s
        self._bars_due = 0.0
        self._most = 0
        self._correcting, self._forgetting = Beside("corrections"), Beside("covering")
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

    def measured(self) -> Iterator[Measured]:
        """Yield what is measured of it."""
        counts = self._engine.counts
        outcomes = {
            "accepted": counts.accepted,
            "stale": counts.stale + counts.duplicate,
            "late": counts.late,
            "foreign": counts.foreign,
            "poison": 0,  # what is no event never gets here
        }
        return each_of(metrics.ENGINE_EVENTS, outcomes)

    def run(self) -> None:
        """Apply events until the stream is closed and empty; then do each chore once more."""
        while (events := self._stream.take(self._bars_s or _WAIT_S)) is not None:
            self._taken.pass_frame(events)
            self.apply(events)
            for chore in self._chores:
                chore.do_if_due()
        self._tell(self._engine.apply(_NOTHING))
        Chore(0, self._correcting.settle).do()
        for chore in self._chores:
            chore.do()
        for beside in (self._correcting, self._forgetting):
            Chore(0, beside.settle).do()
        if self._covering:
            Chore(0, self._covering.keep).do()

    def close(self) -> None:
        """Wait until all that is done beside the flow is done."""
        self._correcting.close()
        self._forgetting.close()

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
        kinds = events["kind"]
        told = (place for place in reversed(range(len(kinds))) if kinds[place] != "heartbeat")
        if (last := next(told, None)) is not None:
            self._received = events["received"][last]
        changes = self._engine.apply(events, most_bars=self._most_bars())
        self._corrections.note(changes.late)
        if len(events) or len(changes.bars):
            self._tell(changes)

    def _most_bars(self) -> int:
        now = time.monotonic()
        if now < self._bars_due:
            return 0
        self._bars_due = now + self._bars_s
        # As many until none is held: of what is left a share would be ever less.
        held = self._engine.held
        self._most = max(_FEW_BARS, -(-held // _SHARE), self._most if held else 0)
        return self._most

    def _tell(self, changes: Changes) -> None:
        if self._filling is None:
            return
        try:
            # Who waits for a price does not wait for its seven bars.
            if len(changes.prices) or changes.bars.is_empty():
                self._put.pass_frame(changes.prices)
                self._view.put(changes.bars.clear(), changes.prices)
            if len(changes.bars):
                self._view.put(changes.bars, changes.prices.clear())
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
        """Let the view forget what batch has covered, which is read from it first, all of it."""
        if self._covering and not self._forgetting.is_busy:
            self._forgetting.begin(self._covering.forget)

    def _correct(self) -> None:
        """Let what is late be applied, which may take long: all of a session is read."""
        if not self._correcting.is_busy:
            self._correcting.begin(partial(self._corrections.apply, self._engine.clock))
