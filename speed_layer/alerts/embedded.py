"""Alerts in the process that has the feed: the events that it brings, evaluated in a thread apart.

    feed ──┬──► engine ──► view
           └──► inlet ──► flow ──► evaluation ──► keeper ──► database

At the start what was recorded since the begin of the session that was evaluated last is told again:
bars are made of it anew, and what was seen of it by then is not looked at twice. What the inlet had
to drop is read from the record, from what was received last on. A replay tells itself again, so
nothing is read for it.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
import polars as pl
import structlog

from lake import metrics
from lake.errors import FiblakeError, StoreError
from lake.measuring import Measured, each_of
from lake.trace import Traces
from speed_layer.alerts.another_flow import anew
from speed_layer.alerts.asking import beside
from speed_layer.alerts.evaluation import Evaluation
from speed_layer.alerts.event_flow import EventFlow
from speed_layer.alerts.inlet import received
from speed_layer.alerts.interpreter import set_for_evaluation
from speed_layer.alerts.parts import Health, Parts, away, document, measured
from speed_layer.alerts.rows import own_rows
from speed_layer.alerts.session_flow import SessionFlow
from speed_layer.alerts.sessions import begun_by, dawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from lake.alerts.history import History
    from lake.clock import Clock
    from lake.event import Kind
    from lake.session import SessionTable
    from speed_layer.alerts.inlet import Inlet
    from speed_layer.alerts.keeper import Begun, Keeper
    from speed_layer.alerts.record import Record

_log = structlog.get_logger(__name__)
_WAIT_S: Final = 0.05
_TURN_S: Final = 0.01
"""How long a turn lasts at least: a few events cost nearly as much as a hundred, and the engine and
whoever asks for prices need the processor too."""
_MANY: Final = 5_000
_RETRY_S: Final = 1.0
_LANDED_S: Final = 300.0
_NEAR_S: Final = 5.0
"""Within which the record is read on where it is near the feed: so much waits meanwhile."""
_OVERLAP_US: Final = 10 * 10**6
"""What was received so long before is read again: some came a little out of order."""
HELD_BACK_US: Final = 60 * 10**6
PRESENT: Final = "present"
"""The flow of the present: whoever told of it, another one goes on from there."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Of what alerts are evaluated, and with what.

    Attributes:
        flow: Names it: `PRESENT`, or which replay it is.
        kind: Of the events that count.
        record: What is told again; None: it tells itself again, as a replay does.
        session: That a replay tells; None: the present.
        table: The sessions.
        grace: How long after its end a bar is final.
        history: What was before.
        clock: Tells the present.
        started: Since when what comes in is of the present, in microseconds.
        trace_one_in: Of so many prices one is followed in the log, where it fires; 0: none is.
    """

    flow: str
    kind: Kind
    record: Record | None
    session: dt.date | None
    table: SessionTable
    grace: dt.timedelta
    history: History
    clock: Clock
    started: int
    trace_one_in: int = 0


class Embedded:
    """Evaluates what comes in, in the thread that runs it.

    Args:
        setting: Of what, and with what.
        inlet: Where it comes in.
        keeper_of: Makes what keeps it.
        stop: Set when all is to end; then what waits is still evaluated.
    """

    def __init__(
        self, setting: Setting, inlet: Inlet, keeper_of: Callable[[], Keeper], stop: Event
    ) -> None:
        self._setting = setting
        self._inlet = inlet
        self._keeper_of = keeper_of
        self._stop = stop
        self._health = Health()
        self._keeper: Keeper | None = None
        self._lost = 0
        self._failure = ""

    def document(self) -> dict[str, Any]:
        """Return how it goes, as JSON has it; from any thread."""
        return {
            **document(self._health, self._keeper),
            "waiting": self._inlet.waiting,
            "lost": self._lost,
            "failure": self._failure,
        }

    def measured(self) -> Iterator[Measured]:
        """Yield what is measured of it; from any thread."""
        yield from measured(self._health)
        said = away(self._health, self._keeper)
        yield from each_of(metrics.AWAY, {part: bool(said[part]) for part in said})

    def run(self) -> None:
        """Evaluate until the inlet is closed and empty, and all is kept.

        Raises:
            TakenOverError: If another process evaluates meanwhile.
        """
        try:
            with set_for_evaluation():
                self._run()
        except FiblakeError as error:
            self._failure = str(error)
            raise
        finally:
            self._inlet.close()

    def _run(self) -> None:
        self._keeper = keeper = self._keeper_of()
        try:
            begun = keeper.begin_patiently(self._stop)
            if begun:
                self._evaluate(_Round(self._setting, begun, keeper, self._stop, self._health))
        finally:
            keeper.close()
        if keeper.failure:
            raise keeper.failure

    def _evaluate(self, round_: _Round) -> None:
        is_going_on = round_.tell_again()
        if is_going_on and self._inlet.lost:
            self._inlet.clear()
            is_going_on = self._catch_up(round_)
        if is_going_on:
            round_.meet_all()
        round_.step()
        while is_going_on and not round_.is_ended:
            begun_at = time.monotonic()
            taken = self._inlet.take(_WAIT_S)
            if taken is None:
                break
            round_.take(taken.events)
            self._health.reached(time.monotonic() - taken.since)
            if taken.lost:
                is_going_on = self._catch_up(round_)
            round_.step()
            if self._inlet.waiting < _MANY:
                self._stop.wait(max(0.0, begun_at + _TURN_S - time.monotonic()))
        round_.end(is_over=is_going_on and not self._stop.is_set())
        if not round_.is_ended:
            self._health.ended()

    def _catch_up(self, round_: _Round) -> bool:
        """Evaluate from the record what the inlet dropped; return whether there is no gap.

        The feed goes on meanwhile: the inlet takes it again once the record is nearly through.
        """
        _log.warning("alerts fell behind the feed; they go on from the record")
        while True:
            begun_at = time.monotonic()
            if not round_.read_on():
                return False
            if time.monotonic() - begun_at < _NEAR_S:
                break
        lost = self._inlet.resume()
        self._lost += lost.events
        round_.wait_for(lost.until)
        return round_.read_on()


class _Round:
    """One evaluation, from what was kept to its end."""

    def __init__(
        self, setting: Setting, begun: Begun, keeper: Keeper, stop: Event, health: Health
    ) -> None:
        self._setting = setting
        self._stop = stop
        self._keeper = keeper
        position = orjson.loads(begun.position or b"{}")
        if position.get("flow", setting.flow) != setting.flow or position.get("is_over"):
            begun, position = anew(begun), {}
        table = setting.table
        self._resumed = position.get("clock", 0)
        session, begin = self._where(position)
        flow_rows, _ = own_rows(begun.market)
        self._flow = EventFlow(
            table,
            kind=setting.kind,
            grace=setting.grace,
            begin=begin,
            rows=flow_rows,
            resumed=self._resumed,
            kept=position.get("reached", -1),
        )
        parts = Parts(
            self._flow,
            SessionFlow(setting.history, table, rows=flow_rows, ask=beside),
            setting.history,
            table,
            keeper,
            setting.clock,
            stop,
            health,
            Traces("alerts", setting.trace_one_in),
        )
        self._evaluation = Evaluation(parts, begun, session, begin - 1)
        self._is_over = False
        self._is_known = bool(position)
        self._received = 0 if position else setting.started

    def _where(self, position: dict[str, Any]) -> tuple[dt.date, int]:
        """Return in which session the flow goes on, and from when on it is told."""
        setting = self._setting
        if setting.session is not None:
            return setting.session, dawn(setting.table, setting.session)
        if "session" in position:
            session = dt.date.fromisoformat(position["session"])
            return session, dawn(setting.table, session)
        return begun_by(setting.table, setting.started), setting.started

    @property
    def is_ended(self) -> bool:
        """Whether nothing is kept any more, as another process evaluates."""
        return self._keeper.failure is not None

    def tell_again(self) -> bool:
        """Take again what is recorded since the begin of the session that was evaluated last.

        Returns:
            Whether all of it was: not, where all is to end.
        """
        return self.read_on() if self._is_known else True

    def meet_all(self) -> None:
        """Let all alerts be met: the flow is where the last of them was adopted, or later."""
        if self._is_known and self._setting.record is not None:
            self._evaluation.meet_all()

    def read_on(self) -> bool:
        """Take what is recorded since what was received last, however long the lake is away.

        Returns:
            Whether all of it was taken: not, where all is to end.
        """
        record = self._setting.record
        while record is not None and not self._is_ending:
            try:
                for session in record.since(self._evaluation.session):
                    for events in record.told(session, max(0, self._received - _OVERLAP_US)):
                        self.take(events)
                        self._evaluation.offer_if_due(self._position)
                        if self._is_ending:
                            return False
            except StoreError as error:
                _log.warning("the lake is away; alerts wait for it", error=str(error))
                self._stop.wait(_RETRY_S)
            else:
                return True
        return record is None

    def take(self, events: pl.DataFrame) -> None:
        """Take events, schema `EVENTS`, in the order of the record."""
        self._received = max(self._received, received(events))
        events = held_back(events)
        while events.height:
            clock = np.maximum.accumulate(events.get_column("time").to_numpy())
            self._evaluation.reach(max(int(clock[0]), self._flow.clock))
            # At least one: it was let by.
            until = max(int(clock.searchsorted(self._evaluation.edge)), 1)
            seen = self._flow.take(events[:until])
            self._evaluation.take(seen)
            events = events[until:]

    def step(self) -> None:
        """Do what is done between batches."""
        if not self._stop.is_set():
            self._evaluation.heed()
            self._evaluation.closed()
        self._evaluation.offer_if_due(self._position)

    def end(self, *, is_over: bool) -> None:
        """Let all be kept.

        Args:
            is_over: Whether all of the flow was told.
        """
        self._is_over = is_over and self._setting.session is not None
        self._evaluation.offer(self._position)

    def _position(self) -> dict[str, Any]:
        position: dict[str, Any] = {
            "flow": self._setting.flow,
            "session": str(self._evaluation.session),
            "clock": max(self._resumed, self._flow.clock),
            "reached": self._flow.reached,
        }
        return position | {"is_over": True} if self._is_over else position

    def wait_for(self, reached: int) -> None:
        """Wait until the record has what was received by then, in microseconds; not for ever."""
        record = self._setting.record
        until = time.monotonic() + _LANDED_S
        session = begun_by(self._setting.table, reached) if reached else None
        while record and session and time.monotonic() < until and not self._is_ending:
            try:
                if record.reached(session) >= reached:
                    return
            except StoreError as error:
                _log.warning("the lake is away; alerts wait for it", error=str(error))
            self._stop.wait(_RETRY_S)
        if session and not self._is_ending:
            _log.error("events may lack that alerts should have been told", session=str(session))

    @property
    def _is_ending(self) -> bool:
        return self._stop.is_set() or self.is_ended


def held_back(events: pl.DataFrame) -> pl.DataFrame:
    """Return events whose heartbeats tell an earlier time.

    They are not recorded: where a bar were complete by them, an event that came a moment later but
    happened before would be after it, and before it where all is told again. Where others trade,
    these tell the time.
    """
    is_beat = events.get_column("kind") == "heartbeat"
    if not is_beat.any():
        return events
    earlier = pl.when(is_beat).then(pl.col("time") - HELD_BACK_US).otherwise("time")
    return events.with_columns(time=earlier)
