"""How long events wait for alerts as they are evaluated live: flow, rules, and SQLite that keeps.

All of the process of `fiblake up` that takes the interpreter is here: a feed that puts a piece of
events every 10 ms, an engine that makes bars and prices of them, and the alerts. A latency is from
when a piece is put until all of it is evaluated, or its prices are made.
"""

from __future__ import annotations

import datetime as dt
import queue
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

import numpy as np
import orjson
import polars as pl
import sqlalchemy as sa

from database import Database, open_database
from database.migrating import upgrade
from database.tables import ALERT_RULES, ALERT_STATES
from lake.alerts.book import BarsKey
from lake.alerts.rule import rule_document
from lake.alerts.seen import SeenBar, Tick
from lake.clock import SystemClock
from lake.settings import Settings
from speed_layer.alerts.embedded import Embedded, Setting
from speed_layer.alerts.inlet import Inlet, Taken
from speed_layer.alerts.keeper import Keeper
from speed_layer.engine import Engine
from tests.alerting import OPEN, SECOND_US
from tests.bench.alert_flow import WARM_UP_S, MadeUpFlow, made_up_rules
from tests.bench.timing import markdown, run_alone
from tests.days import calendar
from tests.evaluated_alerts import NoBars
from tests.feeding import frame, trade

_SESSION: Final = dt.date(2026, 1, 5)
_PIECE_S: Final = 0.01
_MINUTE_US: Final = 60 * SECOND_US
_GRACE: Final = dt.timedelta(seconds=5)
_WAIT_S: Final = 0.02
_PATIENCE_S: Final = 300.0


class Before(NoBars):
    """A lake that knows the minutes before."""

    def before(
        self,
        wanted: Mapping[BarsKey, tuple[int, int]],
        as_of: dt.date,  # noqa: ARG002 - its protocol's
    ) -> dict[BarsKey, list[SeenBar]]:
        return {key: [*_minutes(key, *asked)] for key, asked in wanted.items()}


def _minutes(key: BarsKey, before: int, count: int) -> Iterator[SeenBar]:
    ohlc = (100.0, 100.2, 99.8, 100.0)
    for start in range(before - count * _MINUTE_US, before, _MINUTE_US):
        yield SeenBar(*key, start, start + _MINUTE_US, *ohlc, 1e5, "final")


class Timed(Inlet):
    """An inlet that notes how long what came in took until it was evaluated, and kept on its way.

    Attributes:
        waits: Of each piece, in seconds.
    """

    def __init__(self) -> None:
        super().__init__(most=10_000_000)
        self.waits: list[tuple[float, int]] = []
        self._put: queue.SimpleQueue[tuple[float, int]] = queue.SimpleQueue()
        self._taken = 0

    def put(self, events: pl.DataFrame) -> None:
        self._put.put((time.monotonic(), events.height))
        super().put(events)

    def take(self, timeout_s: float) -> Taken | None:
        taken = super().take(timeout_s)
        self._taken = taken.events.height if taken else 0
        return taken

    @property
    def waiting(self) -> int:
        """How many wait; asked after each turn, it notes that what was taken is evaluated."""
        done = time.monotonic()
        while self._taken > 0 and threading.current_thread().name == "alerts":
            put, height = self._put.get()
            self._taken -= height
            self.waits.append((done - put, height))
        return super().waiting


class Prices:
    """An engine that makes bars and prices, in a thread of its own."""

    def __init__(self) -> None:
        self.waits: list[tuple[float, int]] = []
        self._pieces: queue.SimpleQueue[tuple[float, pl.DataFrame] | None] = queue.SimpleQueue()
        self._engine = Engine(calendar())
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def put(self, events: pl.DataFrame) -> None:
        """Let prices be made of events."""
        self._pieces.put((time.monotonic(), events))

    def close(self) -> None:
        """End once all are."""
        self._pieces.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            pieces = [self._pieces.get()]
            while not self._pieces.empty():
                pieces.append(self._pieces.get())
            is_open = pieces[-1] is not None
            put = [each for each in pieces if each is not None]
            if put:
                self._engine.apply(pl.concat([events for _, events in put], rechunk=False))
                done = time.monotonic()
                self.waits += [(done - at, events.height) for at, events in put]
                time.sleep(_PIECE_S)


def events_of_ticks(ticks: Sequence[Tick]) -> pl.DataFrame:
    """Return the trades that are ticks."""
    whole = frame(trade("A", 1, time=OPEN, price=1.0))
    time_ = np.array([each.time for each in ticks])
    told = {
        "symbol": pl.Series([each.symbol for each in ticks]),
        "time": time_,
        "received": time_,
        "minute": time_ - time_ % _MINUTE_US,
        "sequence": np.array([each.sequence for each in ticks]),
        "price": np.array([each.price for each in ticks]),
    }
    return whole[np.zeros(len(ticks), np.int64)].with_columns(**told).cast(whole.schema)


def live(rules: int, symbols: int, per_second: int, seconds: float) -> dict[str, Any]:
    """Return how long events wait for alerts, and how long for prices; without rules, those."""
    flow = MadeUpFlow(symbols)
    warm_up = events_of_ticks(flow.warm_up() if seconds >= 1 else flow.warm_up()[:symbols])
    ticks = events_of_ticks(flow.ticks(int(per_second * seconds), per_second))
    each = int(per_second * _PIECE_S)
    pieces = [ticks[at : at + each] for at in range(0, ticks.height, each)]
    with _alerts(rules, symbols) as inlet, closing(Prices()) as prices:
        for at in range(0, warm_up.height, symbols):
            prices.put(warm_up[at : at + symbols])
            if inlet:
                inlet.put(warm_up[at : at + symbols])
                _until(lambda: not inlet.waiting)
        time.sleep(2.0 if seconds >= 1 else 0)
        marks = len(prices.waits), len(inlet.waits) if inlet else 0
        cpu, begun = time.process_time(), time.perf_counter()
        for place, piece in enumerate(pieces):
            time.sleep(max(0.0, begun + place * _PIECE_S - time.perf_counter()))
            prices.put(piece)
            if inlet:
                inlet.put(piece)
        if inlet:
            _until(lambda: not inlet.waiting)
        cpu = (time.process_time() - cpu) / (time.perf_counter() - begun)
        of_prices = _spread(prices.waits[marks[0] :])
        of_alerts = _spread(inlet.waits[marks[1] :]) if inlet else {}
    return {"cpu": cpu, "alerts": of_alerts, "prices": of_prices}


@contextmanager
def _alerts(rules: int, symbols: int) -> Iterator[Timed | None]:
    """Yield where events of a session come in, once so many alerts are evaluated and kept."""
    if not rules:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(lake=folder, state=folder)
        with closing(open_database(settings)) as database:
            upgrade(database)
            _put_rules(database, rules, symbols)
            inlet, stop = Timed(), threading.Event()
            clock = SystemClock()
            setting = Setting(
                flow="replay",
                kind="trade",
                record=None,
                session=_SESSION,
                table=calendar(),
                grace=_GRACE,
                history=Before(),
                clock=clock,
                started=OPEN - WARM_UP_S * SECOND_US,
            )
            embedded = Embedded(setting, inlet, lambda: Keeper(database, clock), stop)
            thread = threading.Thread(target=embedded.run, name="alerts")
            thread.start()
            try:
                _until(lambda: _kept(database) == rules)
                yield inlet
            finally:
                stop.set()
                inlet.close()
                thread.join()


def _put_rules(database: Database, rules: int, symbols: int) -> None:
    now = SystemClock().now()
    rows = [
        {
            "alert": alert,
            "owner": "anyone",
            "symbol": rule.symbol,
            "definition": orjson.dumps(rule_document(rule)).decode(),
            "revision": 1,
            "created": now,
            "changed": now,
        }
        for alert, rule in made_up_rules(rules, symbols)
    ]
    with database.write() as connection:
        connection.execute(sa.insert(ALERT_RULES), rows)


def _kept(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(ALERT_STATES)) or 0)


def _until(is_so: Any) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not is_so() and time.monotonic() < until:
        time.sleep(_WAIT_S)


def _spread(waits: Collection[tuple[float, int]]) -> dict[str, float]:
    each = np.repeat([wait for wait, _ in waits], [height for _, height in waits]) * 1000
    p50, p99, p999 = map(float, np.percentile(each, [50, 99, 99.9]))
    return {"p50_ms": p50, "p99_ms": p99, "p999_ms": p999, "max_ms": float(each.max())}


def live_waits(symbols: int, *, is_full: bool) -> str:
    """Return the table of latencies of the live path, by rules."""
    per_second, seconds = (10_000, 60.0) if is_full else (1_000, 0.5)
    rows = []
    for rules in (0, 1_000, 100_000) if is_full else (0, 100):
        of = min(symbols, rules) or symbols
        told = run_alone(
            live, rules=rules, symbols=of, per_second=per_second, seconds=seconds
        ).result
        for name in ("alerts", "prices"):
            if told[name]:
                shown = [f"{value:.1f}" for value in told[name].values()]
                rows.append([name, f"{rules:,}", f"{per_second:,}", *shown, f"{told['cpu']:.0%}"])
    names = ["p50 ms", "p99 ms", "p99.9 ms", "max ms", "CPU"]
    return markdown(["of", "rules", "events/s", *names], rows)
