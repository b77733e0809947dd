"""Today's bar of a stream, whose first trade comes while the lake and the view are read."""

from __future__ import annotations

import datetime as dt
import threading
from contextlib import closing
from typing import Any

import polars as pl
import pytest

from fiblake import Lake
from lake.interval import DAILY
from speed_layer.views import MemoryView
from tests.live import NO_PRICES, bars_of
from tests.streaming import MON, PATIENCE_S, TUE, Client, day, streaming

FRIDAY = MON - dt.timedelta(days=3)


class Gate:
    """A view of which one read of days is held up, after it has read.

    Args:
        view: What is read.
        nth: Which read is held up, of those since it is on.
    """

    def __init__(self, view: MemoryView, nth: int) -> None:
        self.is_on = False
        self.held_up, self.goes_on = threading.Event(), threading.Event()
        self._view = view
        self._left = nth

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def bars(self, symbol: str, interval: Any, *hours: Any) -> pl.DataFrame:
        found = self._view.bars(symbol, interval, *hours)
        if self.is_on and interval == DAILY:
            self._left -= 1
            if self._left == 0:
                self.held_up.set()
                assert self.goes_on.wait(PATIENCE_S)
        return found


def put(view: MemoryView, session: dt.date, close: float, version: int) -> None:
    view.put(bars_of(day("AAPL", session, close, version)), NO_PRICES)


def today(client: Client) -> float | None:
    held = client.items.get("bars:1d:AAPL", {}).get(("AAPL", str(TUE)))
    return held["close"] if held else None


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_first_bar_that_comes_amid_a_read_is_told_and_moves_on(
    lake: Lake, nth: int, *, is_first: bool
) -> None:
    view = MemoryView()
    put(view, MON, 10.0, 1)
    gate: Any = Gate(view, nth)
    gate.is_on = is_first
    with streaming(lake, gate) as host, closing(Client(host)) as client:
        if is_first:
            client.send("subscribe", "bars:1d:AAPL")
        else:
            client.subscribe("bars:1d:AAPL")
            gate.is_on = True
            put(view, FRIDAY, 9.0, 1)  # an older day: all are read anew
        assert gate.held_up.wait(PATIENCE_S)
        put(view, TUE, 11.0, 2)
        if not is_first:
            client.until_known(lambda it: today(it) == 11.0)
        gate.goes_on.set()
        for version in range(3, 6):
            put(view, TUE, 9.0 + version, version)
            client.until_known(lambda it, close=9.0 + version: today(it) == close)  # type: ignore[misc]
        told = [each["bar"] for frame in client.frames for each in frame.get("events", ())]
        assert not any(each.get("vanished") for each in told)
