"""Merged bars of minutes over HTTP: which of them are the lake's, and which are live."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from fiblake import Lake
from lake.instant import microseconds
from lake.schemas import INTRADAY_BARS
from speed_layer.views import View
from tests.live import NO_PRICES, bar, bars_of
from tests.merged import FOUR, MON, Served
from tests.minutes import at, every_minute
from tests.minutes import commit as commit_minutes

DAY, AFTER = dt.date(2024, 11, 27), dt.date(2024, 11, 29)


def minute(time: str, session: dt.date, close: float, **others: Any) -> dict[str, Any]:
    start = microseconds(at(session, time))
    values: dict[str, Any] = dict.fromkeys(FOUR, close) | others
    return bar("AA", session=session, start=start, **values)


@pytest.fixture
def minute_lake(lake: Lake) -> Lake:
    """A session of minutes that batch has covered."""
    commit_minutes(lake, *every_minute("AA", DAY, "09:30", "10:00"))
    lake.resample()
    return lake


def test_bars_of_minutes_are_the_lake_s_up_to_the_boundary_and_live_after(
    minute_lake: Lake, open_memory: Any
) -> None:
    view: View = open_memory()
    view.put(bars_of(minute("09:35", DAY, 1.0), minute("12:58", AFTER, 2.0)), NO_PRICES)
    view.put(bars_of(minute("12:58", AFTER, 3.0, interval="4h", minutes=9)), NO_PRICES)
    served = Served(minute_lake, view)

    bars = served.bars("AA", interval="1m")
    (longer,) = served.bars("AA", interval="4h", start="2024-11-29")

    assert minute_lake.bars("AA", "1m").height + 1 == len(bars)
    assert list(INTRADAY_BARS.names) == list(bars[-1])
    assert ("2024-11-29T17:58:00Z", 2.0, 1, 1, "forming", "2024-11-29") == (
        *(bars[-1]["start"], bars[-1]["close"], bars[-1]["minutes"]),
        *(bars[-1]["minutes_expected"], bars[-1]["state"], bars[-1]["through"]),
    )
    # An early close: the session's one 4h bar is cut at 13:00.
    assert (9, 210) == (longer["minutes"], longer["minutes_expected"])
    assert bars == served.bars("AA", interval="1m", limit=7)
    assert bars[::-1] == served.bars("AA", interval="1m", limit=7, order="desc")


def test_of_a_session_that_batch_has_not_covered_live_bars_stand_for_stored_ones(
    minute_lake: Lake, open_memory: Any
) -> None:
    view: View = open_memory()
    served = Served(minute_lake, view)
    commit_minutes(minute_lake, *every_minute("AA", AFTER, "09:30", "09:50"))
    before = served.bars("AA", interval="1m", start="2024-11-29")
    view.put(bars_of(*(minute(time, AFTER, 2.0) for time in ("09:40", "09:58"))), NO_PRICES)

    asked: dict[str, Any] = {"interval": "1m", "start": "2024-11-29"}
    live = served.bars("AA", **asked)
    paged = served.bars("AA", interval="1m", limit=35)
    minute_lake.resample()
    after = served.bars("AA", **asked)

    assert [20, 2, 20] == [len(before), len(live), len(after)]
    assert live == paged[-2:]
    assert before == after


def test_bars_of_minutes_begin_live_where_the_lake_has_none(
    sample_lake: Lake, open_memory: Any
) -> None:
    view: View = open_memory()
    served = Served(sample_lake, view)
    none = served.get("/v1/bars/AAPL", interval="5m").json()
    view.put(bars_of({**minute("09:30", MON, 2.0, interval="5m"), "symbol": "AAPL"}), NO_PRICES)

    assert ([], "merged", None) == (none["bars"], none["live"], none["boundary"])
    assert [2.0] == [bar["close"] for bar in served.bars("AAPL", interval="5m")]
    assert 404 == served.get("/v1/bars/NOPE", interval="5m").status_code
    assert 404 == Served(sample_lake).get("/v1/bars/AAPL", interval="5m").status_code
