"""Alerts as a service: the stream of bars and prices that an engine writes, evaluated.

    bars stream ──► flow ──► evaluation ──► keeper ──► database     position: in the database, with
                                                                    what was evaluated up to it

Killed, it goes on from its last position; what counted already changes nothing. Alerts that are new
are adopted once it has read what was in the stream when it started: they tell of the present.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog

from lake import metrics
from lake.errors import StreamError
from lake.instant import microseconds
from lake.live_wire import decode_told
from lake.measuring import Measured, each_of
from lake.trace import Traces
from speed_layer.alerts.another_flow import anew
from speed_layer.alerts.asking import beside
from speed_layer.alerts.embedded import PRESENT
from speed_layer.alerts.evaluation import Evaluation
from speed_layer.alerts.interpreter import set_for_evaluation
from speed_layer.alerts.parts import Health, Parts, away, document, measured
from speed_layer.alerts.rows import own_rows
from speed_layer.alerts.session_flow import SessionFlow
from speed_layer.alerts.sessions import NEVER, begun_by
from speed_layer.alerts.told_flow import ToldFlow
from speed_layer.streams.position import Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event

    from lake.alerts.history import History
    from lake.alerts.seen import Seen
    from lake.clock import Clock
    from lake.session import SessionTable
    from speed_layer.alerts.keeper import Begun, Keeper
    from speed_layer.publisher import Reader
    from speed_layer.streams.batch import Batch

_log = structlog.get_logger(__name__)
_READ_S: Final = 0.1
_PLACE_S: Final = 2.0
_RETRY_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_DOUBLINGS: Final = 20


@dataclass(slots=True)
class ServiceHealth:
    """How the service is, for whoever watches it; asked from any thread.

    Attributes:
        evaluation: How that goes.
        keeper: Keeps what is evaluated; None: it has not begun.
        is_live: Whether it runs.
        is_current: Whether it has read what was in the stream when it started.
        stream: What the stream said when it failed last; empty: it answers.
        counts: `gaps` and `poison`.
    """

    evaluation: Health = field(default_factory=Health)
    keeper: Keeper | None = None
    is_live: bool = False
    is_current: bool = False
    stream: str = ""
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def is_ready(self) -> bool:
        """Whether what fires is told."""
        return self.is_current and not self._away

    @property
    def _away(self) -> dict[str, str]:
        parts = away(self.evaluation, self.keeper) | {"stream": self.stream}
        return {part: said for part, said in parts.items() if said}

    def measured(self) -> Iterator[Measured]:
        """Yield what is measured of it."""
        yield from measured(self.evaluation)
        yield Measured(metrics.STREAM_GAPS, self.counts["gaps"])
        parts = (*away(self.evaluation, self.keeper), "stream")
        yield from each_of(metrics.AWAY, {part: part in self._away for part in parts})

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "live": self.is_live,
            "ready": self.is_ready,
            **document(self.evaluation, self.keeper),
            "away": self._away,
            "counts": dict(self.counts),
        }


@dataclass(frozen=True, slots=True)
class Service:
    """Evaluates alerts on a stream; in the thread that runs it.

    Attributes:
        keeper: Keeps what is evaluated; closed with it.
        reader_of: Returns a reader of the stream from a position on; None: from its start.
        history: What was before.
        table: The sessions.
        grace: How long after its end a bar is final.
        clock: Tells the present.
        health: How it goes.
        trace_one_in: Of so many prices one is followed in the log, where it fires; 0: none is.
    """

    keeper: Keeper
    reader_of: Callable[[Position | None], Reader]
    history: History
    table: SessionTable
    grace: dt.timedelta
    clock: Clock
    health: ServiceHealth = field(default_factory=ServiceHealth)
    trace_one_in: int = 0

    def run(self, stop: Event) -> None:
        """Evaluate until `stop` is set; then keep all that was.

        Raises:
            TakenOverError: If another process evaluates meanwhile.
        """
        self.health.keeper, self.health.is_live = self.keeper, True
        try:
            begun = self.keeper.begin_patiently(stop)
            if begun is not None:
                with set_for_evaluation():
                    self._evaluate(_Round(self, begun, stop), stop)
        finally:
            self.keeper.close()
            self.health.is_live = False
        if self.keeper.failure:
            raise self.keeper.failure

    def _evaluate(self, round_: _Round, stop: Event) -> None:
        failures = 0
        while not stop.is_set() and self.keeper.failure is None:
            try:
                batch = round_.reader.read(_READ_S)
            except StreamError as error:
                if not self.health.stream:
                    _log.warning("the stream is away; alerts wait for it", error=str(error))
                self.health.stream = str(error)
                limit_s = min(_RETRY_S * 2 ** min(failures, _DOUBLINGS), _LONGEST_PAUSE_S)
                stop.wait(random.uniform(0, limit_s))  # noqa: S311 - jitter is no secret
                failures += 1
            else:
                failures, self.health.stream = 0, ""
                round_.take(batch)
            round_.step()
        round_.end()


class _Round:
    """One evaluation, from what was kept to its end."""

    def __init__(self, service: Service, begun: Begun, stop: Event) -> None:
        self._service = service
        self._stop = stop
        self._health = service.health
        position = orjson.loads(begun.position or b"{}")
        if position.get("flow", PRESENT) != PRESENT:
            begun, position = anew(begun), {}
        self._started = microseconds(service.clock.now())
        session = begun_by(service.table, self._started)
        if "session" in position:
            session = dt.date.fromisoformat(position["session"])
        # Of the flow in the process of a feed, what it keeps is not of this one.
        rows = own_rows(begun.market)[0] if "kinesis" in position else {}
        resumed = position.get("clock", 0)
        self._flow = ToldFlow(service.table, grace=service.grace, rows=rows, resumed=resumed)
        parts = Parts(
            self._flow,
            SessionFlow(service.history, service.table, rows=rows, ask=beside),
            service.history,
            service.table,
            service.keeper,
            service.clock,
            stop,
            service.health.evaluation,
            Traces("alerts", service.trace_one_in),
        )
        self._evaluation = Evaluation(parts, begun, session, NEVER)
        told = position.get("kinesis")
        self._position = Position.of(told) if told else None
        self.reader = service.reader_of(self._position)

    def take(self, batch: Batch) -> None:
        """Take what was read."""
        told = decode_told(batch.lines)
        self._health.counts += Counter(gaps=len(batch.gaps), poison=len(told.poison))
        for gap in batch.gaps:
            _log.error("what an engine told was lost", gap=gap)
        self._evaluate(self._flow.take(told))
        self._position = batch.position
        now = microseconds(self._service.clock.now())
        open_ = [place for place in batch.position.shards.values() if not place.is_ended]
        reached = min((place.reached_ms * 1000 for place in open_), default=0)
        self._health.evaluation.reached(max(now - reached, 0) / 1e6 if reached else 0.0)
        self._health.is_current |= bool(open_) and reached >= self._started

    def step(self) -> None:
        """Do what is done between batches."""
        if self._health.is_current:
            self._evaluation.heed()
        self._evaluation.closed()
        self._evaluation.offer_if_due(self._told, _PLACE_S)

    def end(self) -> None:
        """Let all be kept."""
        self._evaluation.offer(self._told)

    def _evaluate(self, seen: Sequence[Seen]) -> None:
        while seen:
            self._evaluation.reach(seen[0].time)
            edge = self._evaluation.edge
            later = (at for at, item in enumerate(seen) if item.time >= edge)
            until = next(later, len(seen))
            self._evaluation.take(seen[:until])
            seen = seen[until:]

    def _told(self) -> dict[str, Any]:
        position: dict[str, Any] = {
            "flow": PRESENT,
            "session": str(self._evaluation.session),
            "clock": self._flow.clock,
        }
        return position | ({"kinesis": self._position.document()} if self._position else {})
