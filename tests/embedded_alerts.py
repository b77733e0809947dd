"""Alerts evaluated beside a feed, in a thread of a test's process."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import polars as pl
import pytest

from database import Database
from lake.alerts.rule import Rule
from lake.clock import Clock, SystemClock
from lake.errors import TakenOverError
from lake.instant import microseconds
from lake.store import LocalStore
from speed_layer.alerts.embedded import Embedded, Setting
from speed_layer.alerts.inlet import Inlet
from speed_layer.alerts.keeper import Keeper, Pace
from speed_layer.alerts.record import Record
from tests.days import SESSION, calendar
from tests.evaluated_alerts import GRACE, NoBars, rule
from tests.feeding import OPEN_US, eventually, frame, trade

SOON: Final = Pace(poll_s=0.02, retry_s=0.01, longest_s=0.1)


class Running:
    """An evaluation in a thread of its own."""

    def __init__(
        self,
        database: Database,
        store: LocalStore | None,
        inlet: Inlet,
        flow: str,
        clock: Clock,
        history: NoBars,
    ) -> None:
        self.inlet = inlet
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        setting = Setting(
            flow=flow,
            kind="trade",
            record=Record(store, "generated") if store else None,
            session=None if store else SESSION,
            table=calendar(),
            grace=GRACE,
            history=history,
            clock=clock,
            started=microseconds(clock.now()),
        )
        self.embedded = Embedded(
            setting, inlet, lambda: Keeper(database, SystemClock(), pace=SOON), self.stop
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.embedded.run()
        except TakenOverError as error:
            self.failure = error

    def end(self) -> None:
        """Let it end once all that waits is evaluated."""
        self.inlet.close()
        self._thread.join(60)
        assert not self._thread.is_alive()

    @property
    def health(self) -> dict[str, Any]:
        return self.embedded.document()


Start = Callable[..., Running]


@pytest.fixture
def start_alerts() -> Iterator[Start]:
    started: list[Running] = []

    def start(
        database: Database,
        *,
        record: LocalStore | None = None,
        inlet: Inlet | None = None,
        flow: str = "replay",
        clock: Clock | None = None,
        history: NoBars | None = None,
    ) -> Running:
        of_clock, bars = clock or SystemClock(), history or NoBars()
        started.append(Running(database, record, inlet or Inlet(), flow, of_clock, bars))
        return started[-1]

    yield start
    for each in started:
        each.stop.set()
        each.end()


def pieces(events: pl.DataFrame, size: int = 200) -> list[pl.DataFrame]:
    return [events[at : at + size] for at in range(0, events.height, size)]


def begun(running: Running, rules: int) -> bool:
    return eventually(lambda: running.health["rules"] == rules)


def at(second: int, price: float, sequence: int = 1, symbol: str = "AAPL") -> pl.DataFrame:
    """Return a trade so many seconds after the open of a present day."""
    return frame(trade(symbol, sequence, time=OPEN_US + second * 10**6, price=price))


def above(level: float, **others: Any) -> Rule:
    more = {"repeat": True, "cooldown_seconds": 0, **others}
    return rule("AAPL", {"kind": "price", "relation": "above", "level": level}, **more)


def now() -> dt.datetime:
    return SystemClock().now()
