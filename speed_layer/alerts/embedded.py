"""Alerts in the process that has the feed: the events that it brings, evaluated in a thread apart.

    feed ──┬──► engine ──► view
           └──► inlet ──► flow ──► evaluation ──► keeper ──► database

At the start all that was recorded since the begin of the session that was evaluated last is told
again, and what counted already changes nothing. So it is when the inlet had to drop events. A
replay tells itself again, so nothing is read for it.
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

from lake.errors import FiblakeError, StoreError
from lake.instant import microseconds
from speed_layer.alerts.another_flow import anew
from speed_layer.alerts.asking import beside
from speed_layer.alerts.evaluation import Evaluation
from speed_layer.alerts.event_flow import EventFlow
from speed_layer.alerts.parts import Health, Parts, document
from speed_layer.alerts.rows import own_rows
from speed_layer.alerts.session_flow import SessionFlow
from speed_layer.alerts.sessions import begun_by, dawn

if TYPE_CHECKING:
    from collections.abc import Callable
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

    def run(self) -> None:
        """Evaluate until the inlet is closed and empty, and all is kept.

        Raises:
            TakenOverError: If another process evaluates meanwhile.
        """
        reached = 0
        try:
            while lost := self._run_once(reached):
                _log.warning("alerts fell behind the feed; they are told again", events=lost)
                self._lost += lost
                self._inlet.resume()
                reached = microseconds(self._setting.clock.now())
        except FiblakeError as error:
            self._failure = str(error)
            raise
        finally:
            self._inlet.close()

    def _run_once(self, reached: int) -> int:
        """Evaluate until all is over, or events were lost; return how many.

        Args:
            reached: When the last event was received that the record must have first.
        """
        self._keeper = keeper = self._keeper_of()
        try:
            begun = keeper.begin_patiently(self._stop)
            lost = self._evaluate(begun, keeper, reached) if begun else 0
        finally:
            keeper.close()
        if keeper.failure:
            raise keeper.failure
        return lost

    def _evaluate(self, begun: Begun, keeper: Keeper, reached: int) -> int:
        round_ = _Round(self._setting, begun, keeper, self._stop, self._health)
        if self._setting.record is not None:
            round_.tell_again(self._setting.record, reached)
        lost = 0
        round_.step()
        while not lost and keeper.failure is None:
            begun_at = time.monotonic()
            taken = self._inlet.take(_WAIT_S)
            if taken is None:
                break
            round_.take(taken.events)
            self._health.behind_s = time.monotonic() - taken.since
            lost = taken.lost
            round_.step()
            if self._inlet.waiting < _MANY:
                self._stop.wait(max(0.0, begun_at + _TURN_S - time.monotonic()))
        round_.end(is_over=not lost and not self._stop.is_set())
        return lost


class _Round:
    """One evaluation, from what was kept to its end."""

    def __init__(
        self, setting: Setting, begun: Begun, keeper: Keeper, stop: Event, health: Health
    ) -> None:
        self._setting = setting
        self._stop = stop
        position = orjson.loads(begun.position or b"{}")
        if position.get("flow", setting.flow) != setting.flow or position.get("is_over"):
            begun, position = anew(begun), {}
        table = setting.table
        session, begin = self._where(position)
        flow_rows, _ = own_rows(begun.market)
        self._flow = EventFlow(
            table,
            kind=setting.kind,
            grace=setting.grace,
            begin=begin,
            rows=flow_rows,
            resumed=position.get("clock", 0),
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
        )
        self._evaluation = Evaluation(parts, begun, session, begin - 1)
        self._is_over = False
        self._is_known = bool(position)

    def _where(self, position: dict[str, Any]) -> tuple[dt.date, int]:
        """Return in which session the flow goes on, and from when on it is told."""
        setting = self._setting
        if setting.session is not None:
            return setting.session, dawn(setting.table, setting.session)
        if "session" in position:
            session = dt.date.fromisoformat(position["session"])
            return session, dawn(setting.table, session)
        return begun_by(setting.table, setting.started), setting.started

    def tell_again(self, record: Record, reached: int) -> None:
        """Take again what is recorded since the begin of the session that was evaluated last.

        Args:
            record: Of it.
            reached: When the last event was received that it must have.
        """
        if not self._is_known:
            return
        if reached:
            self._wait_for(record, reached)
        while not self._stop.is_set():
            try:
                for session in record.since(self._evaluation.session):
                    for events in record.told(session):
                        self.take(events)
                        if self._stop.is_set():
                            return
            except StoreError as error:
                # What was told of it by then may be told once more.
                _log.warning("the lake is away; alerts wait for it", error=str(error))
                self._stop.wait(_RETRY_S)
            else:
                self._evaluation.meet_all()
                return

    def take(self, events: pl.DataFrame) -> None:
        """Take events, schema `EVENTS`, in the order of the record."""
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
            "clock": self._flow.clock,
        }
        return position | {"is_over": True} if self._is_over else position

    def _wait_for(self, record: Record, reached: int) -> None:
        until = time.monotonic() + _LANDED_S
        session = begun_by(self._setting.table, reached)
        while time.monotonic() < until and not self._stop.wait(_RETRY_S):
            try:
                if record.reached(session) >= reached:
                    return
            except StoreError as error:
                _log.warning("the lake is away; alerts wait for it", error=str(error))
        _log.error("events may lack that alerts should have been told", session=str(session))


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
