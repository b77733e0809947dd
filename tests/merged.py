"""An app that serves the sample with a view beside it, which goes on where the lake ends."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from fiblake import Lake
from lake.live import LiveBars
from serving_layer.app import create_app
from speed_layer.views import View
from tests.api import Api
from tests.live import NO_PRICES, bars_of, day_bar

LAST, MON, TUE, WED = (
    dt.date(2013, 3, 1),
    dt.date(2013, 3, 4),
    dt.date(2013, 3, 5),
    dt.date(2013, 3, 6),
)
FOUR = ("open", "high", "low", "close")


class Served(Api):
    """An app to ask, with a view beside its lake."""

    def __init__(self, lake: Lake, view: LiveBars | None = None, **more: Any) -> None:
        self.app = create_app(lake.reader, view, **more)


def day(symbol: str, session: dt.date, close: float, **others: Any) -> dict[str, Any]:
    return day_bar(symbol, session, 7, **dict.fromkeys(FOUR, close), volume=100.0, **others)


@pytest.fixture
def told_view(open_memory: Any) -> View:
    """A view that was told of AAPL on Friday, which the lake has, and three sessions after it."""
    held: View = open_memory()
    days = [day("AAPL", LAST, 1.0), day("AAPL", MON, 500.0, state="final"), day("AAPL", WED, 600.0)]
    held.put(bars_of(*days, day("NEW", WED, 7.0)), NO_PRICES)
    return held
