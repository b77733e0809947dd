"""The matrix against a recomputation by brute force, and against lakes that end earlier.

lake      |---- sessions ----------------------|
ends at   |------------------| the same rows up to there, split or not
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_layer.bronze import splits
from fiblake import Lake
from lake.clock import SetClock
from lake.errors import MisuseError
from lake.exchange import load_sessions
from lake.interval import Interval
from lake.session import SessionTable, bucket_of
from serving_layer.backtest import universe
from tests.conftest import NOW
from tests.frames import commit as bring
from tests.frames import split
from tests.minutes import commit, every_minute
from tests.strategies import daily_bars

FEW = settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
FIRST, LAST = dt.date(2003, 12, 1), dt.date(2004, 2, 6)
INTERVALS = ["1d", "3d", "8d", "21d"]
EARLY = dt.date(2024, 11, 29)
PRICES = ("open", "high", "low", "close")


def recomputed(
    bars: pl.DataFrame, told: list[dict[str, Any]], table: SessionTable
) -> list[dict[str, Any]]:
    """Every row of a matrix, by looking at every daily bar for each."""
    rows = []
    for day in bars.sort("symbol", "session").iter_rows(named=True):
        symbol, session = day["symbol"], day["session"]
        ordinal = table.ordinal(session)
        assert ordinal is not None
        at = table.closes[ordinal]
        row = {"listing": symbol, "symbol": symbol, "session": session, "available_at": at}
        own = bars.filter(pl.col("symbol") == symbol)
        factors = [each for each in told if each["symbol"] == symbol]
        for interval in INTERVALS:
            row |= _column(own, factors, session, interval, table)
        rows.append(row)
    return rows


def _column(
    own: pl.DataFrame,
    factors: list[dict[str, Any]],
    session: dt.date,
    interval: str,
    table: SessionTable,
) -> dict[str, Any]:
    n = Interval.parse(interval).sessions
    buckets = {bucket_of(day, sessions_per_bar=n, table=table) for day in own["session"]}
    final = sorted((each for each in buckets if each.last <= session), key=lambda each: each.last)
    names = ("available_at", *PRICES, "volume")
    if not final:
        return {f"{name}_{interval}": None for name in names}
    bucket = final[-1]
    held = own.filter(pl.col("session").is_between(bucket.first, bucket.last)).sort("session")
    based = [_based(day, factors, session) for day in held.iter_rows(named=True)]
    ordinal = table.ordinal(bucket.last)
    assert ordinal is not None
    values = (
        table.closes[ordinal],
        based[0]["open"],
        max(day["high"] for day in based),
        min(day["low"] for day in based),
        based[-1]["close"],
        sum(day["volume"] for day in based),
    )
    return {f"{name}_{interval}": value for name, value in zip(names, values, strict=True)}


def _based(day: dict[str, Any], factors: list[dict[str, Any]], session: dt.date) -> dict[str, Any]:
    shares = 1.0
    for each in factors:
        if day["session"] < each["effective"] <= session:
            shares *= each["split_to"] / each["split_from"]
    prices = {name: day[name] / shares for name in PRICES}
    return {**prices, "volume": day["volume"] * shares}


def made(folder: Path, blank: Path, bars: pl.DataFrame, told: pl.DataFrame) -> Lake:
    lake = Lake(folder, clock=SetClock(NOW))
    lake.store.put("meta/sessions.parquet", (blank / "meta/sessions.parquet").read_bytes())
    bring(lake, bars)
    if told.height:
        splits.commit(lake.store, told, clock=lake.clock)
    return lake


def assert_rows_near(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    assert len(expected) == len(found)
    for wanted, row in zip(expected, found, strict=True):
        numbers = {name for name, value in wanted.items() if isinstance(value, float)}
        assert {k: v for k, v in wanted.items() if k not in numbers} == {
            k: v for k, v in row.items() if k not in numbers
        }
        assert {name: wanted[name] for name in numbers} == pytest.approx(
            {name: row[name] for name in numbers}, rel=1e-12
        )


@FEW
@given(data=st.data())
def test_each_row_is_what_was_final_then_and_no_later_bar_or_split_changes_it(
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
    blank_lake: Path,
    sessions: SessionTable,
) -> None:
    bars = data.draw(daily_bars(sessions, first=FIRST, last=LAST, symbols=("AA", "B")))
    days = st.sampled_from(sorted(set(bars["session"])))
    ratio = st.sampled_from([2.0, 3.0, 0.5])
    drawn = data.draw(st.lists(st.tuples(days, ratio), max_size=2, unique_by=lambda each: each[0]))
    told = pl.concat([split("AA", LAST, 1), *(split("AA", *each) for each in drawn)])
    told = told.unique("effective", keep="last").filter(pl.col("split_to") != 1).sort("effective")
    end = data.draw(days)
    folder = tmp_path_factory.mktemp("matrix")
    lake = made(folder / "whole", blank_lake, bars, told)
    ended = made(
        folder / "ended",
        blank_lake,
        bars.filter(pl.col("session") <= end),
        told.filter(pl.col("effective") <= end),
    )

    names = sorted(set(bars["symbol"]))
    found = lake.matrix(names, INTERVALS)
    until = found.filter(pl.col("session") <= end)

    assert_rows_near(recomputed(bars, told.to_dicts(), sessions), found.to_dicts())
    assert until.equals(ended.matrix(sorted(set(until["symbol"])), INTERVALS))
    assert until.equals(lake.matrix(sorted(set(until["symbol"])), INTERVALS, end=end))


@pytest.fixture
def day_lake(lake: Lake) -> Lake:
    """A day that closes early and the session before, in minutes and days."""
    for day, close in ((dt.date(2024, 11, 27), "16:00"), (EARLY, "13:00")):
        commit(lake, *every_minute("AA", day, "09:30", close, price=10.0))
        row = ("AA", day, 10.0, 99.0, 1.0, float(day.day), 1.0)
        names = ["symbol", "session", *PRICES, "volume"]
        frame = pl.DataFrame([row], names, orient="row")
        frame = frame.with_columns(vwap=pl.lit(None, pl.Float64), trades=pl.lit(None, pl.Int64))
        bring(lake, frame)
    lake.resample()
    return lake


def test_a_bar_of_hours_ends_with_an_early_close_and_the_day_is_there_then(day_lake: Lake) -> None:
    found = day_lake.matrix(["AA"], ["2h", "1h", "1d"], columns=["close"], start=EARLY)
    close = load_sessions(day_lake.store).closes[load_sessions(day_lake.store).ordinal(EARLY) or 0]

    assert [f"{hour:02}:30" for hour in (15, 16, 17)] + ["18:00"] == [
        f"{at:%H:%M}" for at in found["available_at"]
    ]
    assert [27.0, 27.0, 27.0, 29.0] == found["close_1d"].to_list()
    assert close == found["available_at_2h"][-1] == found["available_at_1d"][-1]
    assert "16:30" == f"{found['available_at_2h'][2]:%H:%M}"
    assert found["available_at"].equals(found["available_at_1h"])


def test_a_date_s_basis_is_that_of_all_rows(lake: Lake, bars_file: Path) -> None:
    lake.import_files(bars_file)
    day = dt.date(2012, 4, 2)
    splits.commit(lake.store, split("A", day, 2), clock=lake.clock)

    own = lake.matrix(["A"], ["1d"], columns=["close"])
    of_day = lake.matrix(["A"], ["1d"], columns=["close"], as_of=day)
    raw = lake.matrix(["A"], ["1d"], columns=["close"], adjustment="raw")

    assert own["close_1d"].to_list() == raw["close_1d"].to_list()
    assert {5.5} == set(of_day.filter(pl.col("session") < day)["close_1d"])
    assert {11.0} == set(of_day.filter(pl.col("session") >= day)["close_1d"])


def test_total_return_in_a_matrix_is_that_of_the_bars(sample_lake: Lake) -> None:
    asked: Any = {"adjustment": "all", "as_of": "2013-03-01"}
    matrix = sample_lake.matrix(["AAPL"], ["13d"], columns=["start", "close"], **asked)
    ends = matrix.filter(pl.col("available_at") == pl.col("available_at_13d"))
    bars = sample_lake.bars("AAPL", "13d", known_at=NOW, **asked)
    final = bars.filter(pl.col("state") == "final")

    assert final["start"].to_list() == ends["start_13d"].to_list()
    assert final["close"].to_list() == pytest.approx(ends["close_13d"].to_list(), rel=1e-12)


def test_a_matrix_is_as_large_as_its_rows_times_its_intervals(
    sample_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = sample_lake.matrix(["AAPL"], ["13d", "34d"], start="2012-01-03")
    most = 2 * matrix.height

    monkeypatch.setattr(universe, "MOST_BARS", most)
    assert matrix.equals(sample_lake.matrix(["AAPL"], ["13d", "34d"], start="2012-01-03"))
    monkeypatch.setattr(universe, "MOST_BARS", most - 1)
    with pytest.raises(MisuseError, match=f"would make up to {most:,} bars"):
        sample_lake.matrix(["AAPL"], ["13d", "34d"], start="2012-01-03")
