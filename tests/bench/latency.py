"""How long a trade takes from the vendor's socket to whoever subscribes to prices."""

from __future__ import annotations

import datetime as dt
import gc
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lake.conditions import bundled
from lake.hours import hours_of, timetable
from lake.instant import microseconds
from lake.settings import Settings
from lake.store import LocalStore
from speed_layer.corrections import Corrections
from speed_layer.engine import Engine
from speed_layer.engine.running import Pace, Running
from speed_layer.engine.snapshots import Snapshots
from speed_layer.feed import Feed, Health, Judge, Recorder
from speed_layer.feed.massive import Massive, Plan
from speed_layer.feed.massive_readers import ReaderName
from speed_layer.streams import InProcess
from speed_layer.views import View, open_view
from tests.bench.ticking import ticking
from tests.bench.timing import markdown, run_alone
from tests.days import SESSION, calendar
from tests.parts import RedisServer

PER_SECOND: Final = 5_000
_SYMBOLS: Final = 500
_READERS: Final[tuple[ReaderName, ...]] = ("official", "own")
_FULL: Final = {"warm_up_s": 3.0, "seconds": 20.0}
_TINY: Final = {"warm_up_s": 0.1, "seconds": 2.0}
_LATENESS: Final = dt.timedelta(minutes=15)
_POLL_S: Final = 0.1
_PACE: Final = Pace(snapshot_s=5.0)


class _Then(Massive):
    """The source in a session long over: were it to tell the present, all would be late.

    Args:
        plan: What is asked for.
        health: Told how it goes.
        zero: An instant by the monotonic clock.
        then_us: What time it was then, in microseconds.
    """

    def __init__(self, plan: Plan, health: Health, zero: float, then_us: int) -> None:
        super().__init__(plan, health)
        self._zero = zero
        self._then_us = then_us

    def now_us(self) -> int:
        return self._then_us + int((time.monotonic() - self._zero) * 1_000_000)


def latency_task(
    *,
    reader: ReaderName,
    view: str,
    url: str,
    symbols: int,
    per_second: int,
    warm_up_s: float,
    seconds: float,
) -> dict[str, Any]:
    """Feed trades into a view, and time each price that its subscriber gets."""
    given = {"view": view} | ({"redis_url": url} if url else {})
    zero = time.monotonic()
    # A minute ends while it is measured.
    until_then = dt.timedelta(seconds=60 - warm_up_s - seconds / 2)
    opened_us = microseconds(hours_of(SESSION, calendar()).open + until_then)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        live = open_view(Settings.model_validate(given))
        stack.callback(live.close)
        mailbox = stack.enter_context(live.subscribe())  # type: ignore[attr-defined] # both can
        socket = stack.enter_context(ticking(symbols, per_second, zero, opened_us // 1000))
        plan = Plan(socket, "http://127.0.0.1:9", "local-key", reader=reader)
        stack.enter_context(_fed(plan, live, folder, zero, opened_us))
        told = _Ages(mailbox, zero)
        # However long all takes to start.
        while not told.until(time.monotonic() + _POLL_S):
            pass
        told.until(time.monotonic() + warm_up_s)
        before, begun = _cpu_s(), time.monotonic()
        ages = told.until(begun + seconds)
        took, cpu = time.monotonic() - begun, _cpu_s() - before
    p50, p95, p99 = np.percentile(ages, [50, 95, 99])
    return {
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "max_ms": max(ages),
        "per_second": len(ages) / took,
        "cpu": cpu / took,
    }


def latency(symbols: int) -> str:
    """Return the table of latencies, of a second where the market is a small one."""
    length = _FULL if symbols >= _SYMBOLS else _TINY
    few = min(symbols, _SYMBOLS)
    rows = [_row(reader, "memory", "", few, length) for reader in _READERS]
    if shutil.which("redis-server"):
        server = RedisServer()
        server.start()
        try:
            rows += [_row(reader, "redis", server.url, few, length) for reader in _READERS]
        finally:
            server.stop()
    told = ["prices/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "CPU"]
    return markdown(["reader, view", *told], rows)


def _row(reader: str, view: str, url: str, symbols: int, length: dict[str, float]) -> list[str]:
    ran = run_alone(
        latency_task,
        reader=reader,
        view=view,
        url=url,
        symbols=symbols,
        per_second=PER_SECOND,
        **length,
    ).result
    told = [f"{ran[f'{each}_ms']:.1f}" for each in ("p50", "p95", "p99", "max")]
    return [f"{reader}, {view}", f"{ran['per_second']:,.0f}", *told, f"{ran['cpu']:.0%}"]


@contextmanager
def _fed(plan: Plan, live: View, folder: Path, zero: float, opened_us: int) -> Iterator[None]:
    """Let what a plan asks for go into a view meanwhile, recorded and kept in a folder."""
    table, health, stream = calendar(), Health(), InProcess()
    days = timetable(table, SESSION, SESSION)
    with Recorder(LocalStore(folder / "lake"), "massive", folder / "spool", days) as recorder:
        feed = Feed(
            _Then(plan, health, zero, opened_us),
            Judge(bundled(), days),
            stream,
            recorder=recorder,
            health=health,
        )
        running = Running(
            Engine(table, lateness=_LATENESS),
            stream,
            live,
            corrections=Corrections(table, _none, live.put, kind="trade", lateness=_LATENESS),
            keep=Snapshots(folder / "state").keep,
            pace=_PACE,
        )
        gc.freeze()  # as `fed_view` does
        threads = [
            threading.Thread(target=work, name=name)
            for name, work in (("feed", feed.run), ("engine", running.run))
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            feed.stop()
            threads[0].join()
            stream.close()
            threads[1].join()


class _Ages:
    """How old prices are when a subscriber gets them.

    Args:
        mailbox: The subscription.
        zero: The instant, by the monotonic clock, from which prices count.
    """

    def __init__(self, mailbox: Any, zero: float) -> None:
        self._mailbox = mailbox
        self._zero = zero
        self._known: dict[str, float] = {}

    def until(self, end: float) -> list[float]:
        """Return the ages, in milliseconds, of the prices that come until some instant."""
        ages: list[float] = []
        while (now := time.monotonic()) < end:
            told = self._mailbox.get(min(_POLL_S, end - now)).prices
            age = time.monotonic() - self._zero
            # An odd lot moves no price: its symbol's is told again, as old as it is.
            prices = set(zip(told["symbol"], told["price"], strict=True)) - self._known.items()
            self._known.update(prices)
            ages += [(age - price) * 1000 for _, price in prices]
        return ages


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _none(_session: dt.date, _symbols: Collection[str]) -> pl.DataFrame:
    raise AssertionError
