"""The publisher: from the stream of bars, which an engine writes, into the view for readers.

    bars stream ──► bars, prices ──► view        position: in the lake, once the view has taken
                └─► late, poison, gaps ──► lake  what came before it, and the lake the rest

Whatever comes again is harmless: the view keeps the highest version. So it may be killed at any
point; it goes on from its last position, or from the stream's start where the view lost what it
held. While stream or view is away it waits, says so, and loses nothing. While the lake is away bars
go on: what there is no room for meanwhile stays in the stream, and is read again.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from lake import metrics
from lake.errors import FiblakeError, StoreError, StreamError, ViewError
from lake.live_wire import Told, decode_told, encode_told
from lake.measuring import Measured, each_of
from lake.trace import Traces
from speed_layer.checkpoint import Checkpoint, keep_checkpoint
from speed_layer.set_aside import SetAside

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

    from lake.store import ObjectStore
    from speed_layer.streams.batch import Batch
    from speed_layer.streams.position import Position
    from speed_layer.views.protocol import View

_log = structlog.get_logger(__name__)
_LONGEST_PAUSE_S: Final = 5.0
_GAPS_MOST: Final = 100
_READ_S: Final = 1.0
_DOUBLINGS: Final = 20
_PARTS: Final = ("stream", "view", "lake")
_ROWS: Final = {"bar": "bars", "price": "prices", "late": "late", "poison": "poison"}


class Reader(Protocol):
    """Reads a stream, as `KinesisReader` does."""

    @property
    def name(self) -> str:
        """The stream's name."""
        ...

    def read(self, timeout_s: float) -> Batch:
        """Return what came since.

        Raises:
            StreamError: If it cannot be had.
        """
        ...

    def rewind(self, position: Position | None = None) -> None:
        """Read again what follows a position; None: all, from the stream's start."""
        ...


@dataclass(slots=True)
class Health:
    """How the publisher is, for whoever watches it.

    Attributes:
        is_live: Whether it runs.
        away: What failed last time: `stream`, `view` or `lake`, and what it said.
        counts: `bars`, `prices`, `late`, `poison`, `gaps`, `failures`, and `refreshes`: how often
            all was brought again because the view had lost it.
        gaps: The last gaps, in words.
        reached_s: Up to when the stream was read, in seconds since 1970; 0: not yet.
    """

    is_live: bool = False
    away: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    gaps: deque[str] = field(default_factory=lambda: deque(maxlen=_GAPS_MOST))
    reached_s: float = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether what the engine tells reaches the view."""
        return not {"stream", "view"} & self.away.keys()

    def measured(self) -> Iterator[Measured]:
        """Yield what is measured of it."""
        yield from each_of(metrics.PUBLISHED, {row: self.counts[of] for row, of in _ROWS.items()})
        yield Measured(metrics.STREAM_GAPS, self.counts["gaps"])
        yield Measured(metrics.REFRESHES, self.counts["refreshes"])
        if self.reached_s:
            yield Measured(metrics.PUBLISH_LAG, max(0.0, time.time() - self.reached_s))
        yield from each_of(metrics.AWAY, {part: part in self.away for part in _PARTS})

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "live": self.is_live,
            "ready": self.is_ready,
            "away": dict(self.away),
            "counts": dict(self.counts),
            "gaps": list(self.gaps),
        }


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a publisher does what it does.

    Attributes:
        every_s: The position is kept, and the view asked whether it lost what it held.
        retry_ms: Up to how long the first pause is when something is away; the next, twice that.
    """

    every_s: float = 5.0
    retry_ms: int = 100


class Publisher:
    """Brings one stream into one view; of one thread.

    Args:
        reader: Of the stream, at the checkpoint's position.
        view: Not closed with it.
        store: The lake.
        checkpoint: Where it was when it last stopped; of a view in memory, which is empty when the
            process starts, always the start.
        pace: How often.
        trace_one_in: Of so many prices one is followed in the log; 0: none is.

    Attributes:
        health: How it is.
    """

    def __init__(  # noqa: PLR0913 - the parts it brings together
        self,
        reader: Reader,
        view: View,
        store: ObjectStore,
        *,
        checkpoint: Checkpoint | None = None,
        pace: Pace | None = None,
        trace_one_in: int = 0,
    ) -> None:
        self._traces = Traces("view", trace_one_in)
        self._reader = reader
        self._view = view
        self._store = store
        self._aside = SetAside(store, reader.name)
        self._pace = pace or Pace()
        self._kept = checkpoint or Checkpoint()
        self._position = self._kept.position
        self._filling = self._kept.filling
        self._probe = self._kept.probe
        self._waiting: tuple[Told, Position] | None = None
        self._is_ahead = False
        """Whether bars went on past what there was no room for; the position stays before it."""
        self._due = 0.0
        self.health = Health()

    def run(self, stop: Event) -> None:
        """Bring what comes, until `stop` is set; then keep the position."""
        failures = 0
        self.health.is_live = True
        while not stop.is_set():
            try:
                self.step(min(_READ_S, self._pace.every_s))
            except (StreamError, ViewError, StoreError) as error:
                self._note(error)
                first_s = self._pace.retry_ms / 1000
                limit_s = min(first_s * 2 ** min(failures, _DOUBLINGS), _LONGEST_PAUSE_S)
                stop.wait(random.uniform(0, limit_s))  # noqa: S311 - jitter is no secret
                failures += 1
            else:
                failures = 0
        self._keep_if_can_be()
        self.health.is_live = False

    def step(self, timeout_s: float) -> None:
        """Bring what came since, waiting for it so many seconds at most.

        After an error nothing is lost: the next step begins with what this one could not do.

        Raises:
            StreamError: If the stream cannot be read.
            ViewError: If the view takes nothing.
        """
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._pace.every_s
            self._keep_if_can_be()
            self._ask_the_view()
        if self._waiting is None:
            self._waiting = self._read(timeout_s)
        told, position = self._waiting
        if not (told.bars.is_empty() and told.prices.is_empty()):
            self._put(told)
        self._waiting = None
        if not self._is_ahead:
            self._position = position
        self._compare_filling()

    def keep(self) -> None:
        """Keep the position, and in the lake what the view does not take.

        Raises:
            StoreError: If the lake takes nothing.
        """
        self._aside.land()
        checkpoint = Checkpoint(self._position, self._filling, self._probe)
        if checkpoint != self._kept:
            keep_checkpoint(self._store, self._reader.name, checkpoint)
            self._kept = checkpoint
        self.health.away.pop("lake", None)
        if self._is_ahead:
            self._go_back(self._position)

    def refresh(self) -> None:
        """Bring all again, from the stream's start."""
        _log.warning("the view is filled anew", stream=self._reader.name)
        self.health.counts["refreshes"] += 1
        self._position = None
        self._go_back(None)

    def _go_back(self, position: Position | None) -> None:
        self._reader.rewind(position)
        self._waiting = None
        self._is_ahead = False

    def _read(self, timeout_s: float) -> tuple[Told, Position]:
        batch = self._reader.read(timeout_s)
        self.health.away.pop("stream", None)
        told = decode_told(batch.lines)
        self._note_gaps(batch.gaps)
        self.health.reached_s = batch.position.reached_ms / 1000 or self.health.reached_s
        if not self._is_ahead and (told.poison or not told.late.is_empty()):
            self._set_aside(told)
        return told, batch.position

    def _set_aside(self, told: Told) -> None:
        """Keep what the view does not take, where there is room, or leave it in the stream."""
        if self._aside.is_full:
            self._keep_if_can_be()
        if self._aside.is_full:
            self._is_ahead = True
            return
        self._aside.late(told.late)
        self._aside.poison(told.poison)
        self.health.counts += Counter(late=told.late.height, poison=len(told.poison))
        if told.poison:
            _log.warning("lines make no sense", count=len(told.poison), first=told.poison[0].reason)

    def _note_gaps(self, gaps: Sequence[str]) -> None:
        """Keep them whatever waits: who reads again is not told of them again."""
        self._aside.gaps(gaps)
        self.health.gaps.extend(gaps)
        self.health.counts["gaps"] += len(gaps)
        for gap in gaps:
            _log.error("what an engine told was lost", gap=gap)

    def _put(self, told: Told) -> None:
        self._traces.pass_frame(told.prices)
        self._view.put(told.bars, told.prices)
        self.health.away.pop("view", None)
        self.health.counts += Counter(bars=told.bars.height, prices=told.prices.height)
        if not told.prices.is_empty():
            self._probe = encode_told(Told(prices=told.prices[-1:]))[0].decode()

    def _ask_the_view(self) -> None:
        """Put a price again that the view has, so that it tells its filling."""
        if self._probe:
            told = decode_told([self._probe.encode()])
            self._view.put(told.bars, told.prices)
            self.health.away.pop("view", None)
            self._compare_filling()

    def _compare_filling(self) -> None:
        filling = self._view.filling
        if self._filling and filling and filling != self._filling:
            self.refresh()
        self._filling = filling or self._filling

    def _keep_if_can_be(self) -> None:
        """Keep the position; that the lake is away holds up no bar."""
        try:
            self.keep()
        except StoreError as error:
            self._note(error)

    def _note(self, error: FiblakeError) -> None:
        parts = {StreamError: "stream", ViewError: "view", StoreError: "lake"}
        part = next(name for kind, name in parts.items() if isinstance(error, kind))
        if self.health.away.get(part) != str(error):
            _log.warning("it is away", part=part, said=str(error))
        self.health.away[part] = str(error)
        self.health.counts["failures"] += 1
