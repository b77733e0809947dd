"""Alerts as they are evaluated in the process that has the feed, put together of their parts."""

from __future__ import annotations

import datetime as dt
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from database.alert_flow import last_position
from fiblake.alerts.history import LakeHistory
from fiblake.soon_reader import soon_reader
from lake.errors import TakenOverError
from lake.instant import microseconds
from speed_layer.alerts.embedded import PRESENT, Embedded, Setting
from speed_layer.alerts.inlet import Inlet
from speed_layer.alerts.keeper import Keeper
from speed_layer.alerts.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiblake.alerts.alerting import Alerting
    from fiblake.lake import Lake
    from lake.event import Kind
    from lake.live import LiveBars
    from lake.measuring import Measured
    from speed_layer.feed import FeedSpec


_log = structlog.get_logger(__name__)


class Evaluated:
    """Alerts that are evaluated on what a feed brings.

    Args:
        embedded: Evaluates them.
        inlet: Where what the feed brings comes in.
        alerting: Where they are kept.
        stop: Set when all is to end.

    Attributes:
        inlet: Likewise.
    """

    def __init__(
        self, embedded: Embedded, inlet: Inlet, alerting: Alerting, stop: threading.Event
    ) -> None:
        self.inlet = inlet
        self._embedded = embedded
        self._alerting = alerting
        self._stop = stop

    def run(self) -> None:
        """Evaluate until the inlet is closed and empty, or another process does."""
        # It is in the log and the health, and prices go on.
        with suppress(TakenOverError):
            self._embedded.run()

    def stop(self) -> None:
        """Let it end: what waits is still evaluated, but for nothing is waited any more."""
        self._stop.set()

    def measured(self) -> Iterator[Measured]:
        """Yield what is measured of it."""
        return self._embedded.measured()

    def document(self) -> dict[str, Any]:
        """Return how it goes, as JSON has it."""
        deliveries = self._alerting.delivering()
        told = self._embedded.document()
        return told | {"deliveries": deliveries} if deliveries else told


@dataclass(frozen=True, slots=True)
class Refused:
    """Alerts that a replay must not evaluate: what it tells is not of the present.

    Attributes:
        alerting: Where they are kept.
        failure: Why.
        hint: What helps.
    """

    alerting: Alerting
    failure: str
    hint: str

    def document(self) -> dict[str, Any]:
        """Return that they are not evaluated, as JSON has it."""
        deliveries = self.alerting.delivering()
        told: dict[str, Any] = {"rules": 0, "failure": self.failure, "hint": self.hint}
        return told | {"deliveries": deliveries} if deliveries else told


def allowed(
    alerting: Alerting | None, spec: FeedSpec
) -> tuple[Alerting, None] | tuple[None, Refused | None]:
    """Return the alerts that what feeds may evaluate; none, and why, where it may not.

    A replay would end who evaluates them on the present, forget what is known of the market, and
    tell of prices that are none.

    Args:
        alerting: Where they are kept; None: there are none.
        spec: What feeds.

    Raises:
        DatabaseError: If the database does not answer.
    """
    if alerting is None:
        return None, None
    if spec.session is None:
        return alerting, None
    if not alerting.database.is_embedded:
        fact = "A replay evaluates no alerts of a database that others may share."
        hint = "unset FIBLAKE_DATABASE_URL, and give the replay a FIBLAKE_STATE of its own."
    else:
        with alerting.database.read() as connection:
            position = orjson.loads(last_position(connection) or b"{}")
        if position.get("flow") != PRESENT:
            return alerting, None
        fact = "A replay evaluates no alerts that were evaluated on the present."
        hint = "give the replay a FIBLAKE_STATE of its own."
    _log.warning("alerts are not evaluated", reason=fact, hint=hint)
    return None, Refused(alerting, fact, hint)


def evaluated(
    lake: Lake, alerting: Alerting, spec: FeedSpec, kind: Kind, view: LiveBars
) -> Evaluated:
    """Return alerts that are evaluated once that is run.

    Args:
        lake: Whose bars they look back at.
        alerting: Where they are kept.
        spec: What feeds, with its source.
        kind: Of the events that count.
        view: Of live bars.
    """
    settings, stop = lake.settings, threading.Event()
    is_replay = spec.session is not None
    setting = Setting(
        flow=f"replay:{spec.source}/{spec.session}" if is_replay else PRESENT,
        kind=kind,
        record=None if is_replay else Record(lake.store, spec.source or ""),
        session=spec.session,
        table=lake.importer().sessions(),
        grace=dt.timedelta(seconds=settings.alert_grace_seconds),
        history=LakeHistory(soon_reader(lake), view, told_again=spec.session),
        clock=lake.clock,
        started=microseconds(lake.clock.now()),
        trace_one_in=settings.trace_one_in,
    )
    inlet = Inlet(waits=is_replay)

    def keeper() -> Keeper:
        return Keeper(alerting.database, lake.clock, on_told=alerting.nudge)

    return Evaluated(Embedded(setting, inlet, keeper, stop), inlet, alerting, stop)
