"""Merged bars over HTTP: the lake's to the boundary, and live ones after it."""

from __future__ import annotations

from typing import Any

import pytest

from fiblake import Lake
from lake.interval import SESSION_INTERVALS
from speed_layer.views import View
from tests.live import NO_BARS, price, prices_of
from tests.merged import LAST, MON, WED, Served


def test_bars_go_on_after_the_boundary(sample_lake: Lake, told_view: View) -> None:
    # lake     ... |02-19 ...          Fri|
    # live                             Fri  Mon  -  Wed       13 sessions to 03-07
    stored = sample_lake.bars("AAPL", "13d")
    answer = Served(sample_lake, told_view).get("/v1/bars/AAPL", interval="13d").json()

    assert ("merged", "2013-03-01") == (answer["live"], answer["boundary"])
    assert stored.height == len(answer["bars"])
    bar = answer["bars"][-1]
    before = stored.row(-1, named=True)
    assert ("2013-02-19", "2013-03-06", 11, 12, "forming") == (
        *(bar["start"], bar["through"]),
        *(bar["sessions"], bar["sessions_expected"], bar["state"]),
    )
    assert (before["open"], 600.0, 600.0) == (bar["open"], bar["high"], bar["close"])
    assert before["volume"] + 200 == bar["volume"]


def test_a_bar_of_a_new_bucket_begins_where_none_is_stored(
    sample_lake: Lake, told_view: View
) -> None:
    bars = Served(sample_lake, told_view).bars("AAPL", interval="1d", start="2013-03-01")

    assert [("2013-03-01", 430.47), ("2013-03-04", 500.0), ("2013-03-06", 600.0)] == [
        (bar["start"], bar["close"]) for bar in bars
    ]
    assert ["final", "final", "forming"] == [bar["state"] for bar in bars]


@pytest.mark.parametrize("interval", SESSION_INTERVALS, ids=str)
def test_a_symbol_that_is_only_live_has_bars(
    sample_lake: Lake, told_view: View, interval: str
) -> None:
    served = Served(sample_lake, told_view)

    (bar,) = served.bars("NEW", interval=interval)

    assert (7.0, 1, 0, "2013-03-06") == (
        *(bar["close"], bar["sessions"], bar["revision"]),
        bar["through"],
    )
    assert 404 == served.get("/v1/bars/NOPE", interval=interval).status_code


def test_a_symbol_that_is_only_live_is_found(sample_lake: Lake, told_view: View) -> None:
    told_view.put(NO_BARS, prices_of(price("NEW", session=WED)))
    served = Served(sample_lake, told_view)

    assert [{"symbol": "NEW", "listing": "NEW", "first": "2013-03-06", "last": "2013-03-06"}] == [
        {name: each[name] for name in ("symbol", "listing", "first", "last")}
        for each in served.get("/v1/symbols", query="NE").json()["symbols"]
    ]


def test_a_lake_that_is_empty_has_what_is_live(lake: Lake, told_view: View) -> None:
    told_view.put(NO_BARS, prices_of(price("AAPL", session=WED)))
    served = Served(lake, told_view)

    assert [500.0, 600.0] == [bar["close"] for bar in served.bars("AAPL")][1:]
    assert {"status": "ready"} == served.get("/health/ready").json()
    assert 404 == served.get("/v1/bars", symbols="AAPL,NOPE").status_code


def test_what_was_known_has_no_live_bars(sample_lake: Lake, told_view: View) -> None:
    asked: dict[str, Any] = {"interval": "13d", "known_at": "2026-01-05T12:00:00Z"}

    answer = Served(sample_lake, told_view).get("/v1/bars/AAPL", **asked).json()

    assert (None, "2013-03-01") == (answer["live"], answer["bars"][-1]["through"])


def test_it_moves_when_batch_commits_and_counts_nothing_twice(
    own_sample_lake: Lake, told_view: View, csv_file: Any
) -> None:
    served = Served(own_sample_lake, told_view)
    asked: dict[str, Any] = {"interval": "13d", "start": "2013-02-19"}
    live = served.bars("AAPL", **asked)
    rows = [f"{name},2013-03-04,500,500,500,500,100" for name in ("AAPL", "IBM")]
    own_sample_lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
    own_sample_lake.resample()
    committed = served.get("/v1/bars/AAPL", **asked).json()
    told_view.forget(daily=MON, minute=None)
    forgotten = served.bars("AAPL", **asked)

    assert "2013-03-04" == committed["boundary"]
    assert committed["bars"] == forgotten
    facts = ("open", "high", "low", "close", "volume", "sessions", "through", "state")
    assert [live[0][name] for name in facts] == [forgotten[0][name] for name in facts]


def test_a_session_that_is_told_again_counts_once(sample_lake: Lake, told_view: View) -> None:
    served = Served(sample_lake, told_view, told_again=LAST)
    told_view.forget(daily=None, minute=None)

    daily = served.bars("AAPL", start="2013-02-28")
    longer = served.get("/v1/bars/IBM", interval="13d", start="2013-02-19").json()

    assert [441.4, 1.0] == [bar["close"] for bar in daily][:2]
    assert ("2013-02-28", "2013-02-28", 8) == (
        *(longer["boundary"], longer["bars"][0]["through"]),
        longer["bars"][0]["sessions"],
    )


@pytest.mark.parametrize("interval", ["1d", "3d", "34d"])
@pytest.mark.parametrize("adjustment", ["raw", "split", "all"])
def test_newest_first_is_the_same_backwards(
    sample_lake: Lake, told_view: View, interval: str, adjustment: str
) -> None:
    served = Served(sample_lake, told_view)
    asked: dict[str, Any] = {"interval": interval, "adjustment": adjustment, "start": "2012-12-03"}

    forwards = served.bars("AAPL", **asked)

    assert forwards[::-1] == served.bars("AAPL", **asked, order="desc", limit=20)
    assert forwards == served.bars("AAPL", **asked, limit=20)
    last = served.get("/v1/bars/AAPL", **asked, order="desc", limit=1).json()["bars"]
    assert "2013-03-06" == last[0]["through"]
