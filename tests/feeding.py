"""What tests of the feed share: a day of trades made by hand, and parts that it feeds."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Final

import polars as pl

from lake.conditions import bundled
from lake.event import Event
from lake.exchange import compute_sessions
from lake.hours import Timetable, timetable
from lake.wire import events_of
from speed_layer.feed import Judge
from speed_layer.feed.source import no_events

DAY: Final = dt.date(2026, 1, 5)
OPEN_US: Final = int(dt.datetime(2026, 1, 5, 14, 30, tzinfo=dt.UTC).timestamp()) * 10**6
SYMBOLS: Final = ("AAPL", "MSFT", "BRK.B", "BAC.PRL", "SPY")
IDENTITY: Final = ["symbol", "kind", "time", "sequence"]
PATIENCE_S: Final = 30.0


@cache
def hours() -> Timetable:
    return timetable(compute_sessions(dt.date(2026, 12, 31)), DAY, DAY)


def judge(skew_s: float = 60.0) -> Judge:
    return Judge(bundled(), hours(), skew_s=skew_s)


def trade(symbol: str, sequence: int, **others: object) -> Event:
    """Return a trade of the day, its time told by its sequence: ten milliseconds each."""
    told = {
        "time": OPEN_US + sequence * 10_000,
        "price": 100 + sequence % 100 / 100,
        "size": 100.0,
        "source": "massive",
        **others,
    }
    told.setdefault("received", told["time"])
    return Event(kind="trade", symbol=symbol, sequence=sequence, **told)  # type: ignore[arg-type] # as told


def frame(*events: Event) -> pl.DataFrame:
    return events_of(asdict(event) for event in events)


def a_day(count: int) -> pl.DataFrame:
    """Return so many trades, of the symbols in turn, in order of receipt."""
    conditions = ((), (37,), (14, 41))
    return frame(
        *(
            trade(SYMBOLS[each % len(SYMBOLS)], each, conditions=conditions[each % 3])
            for each in range(count)
        )
    )


def identities(events: pl.DataFrame) -> list[tuple[object, ...]]:
    """Return the identities among events, each once, in order."""
    return sorted(events.select(IDENTITY).unique().rows())


class Listing:
    """A stream that keeps what it is given, and whose room may be taken away.

    Attributes:
        count: How many events there are, heartbeats left out.
        room: While it is not set, puts wait.
    """

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []
        self.count = 0
        self.room = threading.Event()
        self.room.set()

    def put(self, events: pl.DataFrame) -> None:
        self.room.wait()
        self._frames.append(events)
        self.count += events.filter(pl.col("kind") != "heartbeat").height

    def close(self) -> None:
        pass

    @property
    def everything(self) -> pl.DataFrame:
        return pl.concat([no_events(), *self._frames])

    @property
    def events(self) -> pl.DataFrame:
        return self.everything.filter(pl.col("kind") != "heartbeat")


def eventually(holds: Callable[[], bool]) -> bool:
    """Return whether something holds, in time."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
