"""Split adjustment when read: exact for bars of many sessions, whenever the split came."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.bronze import splits
from fiblake import Lake
from lake.bar import NEUTRAL, Contribution, merge
from lake.clock import SetClock
from lake.interval import FIBONACCI
from lake.session import SessionTable, bucket_of
from tests.conftest import NOW
from tests.frames import commit, split
from tests.integration.test_resample import FIRST, LAST, SOME, new_lake
from tests.strategies import daily_bars

Row = dict[str, Any]


def contribution(row: Row) -> Contribution:
    volume, vwap, trades = row["volume"], row["vwap"], row["trades"]
    return Contribution(
        open=row["open"],
        high=row["high"],
        low=row["low"],
        close=row["close"],
        volume=volume,
        notional=volume * vwap if vwap is not None else (0.0 if volume == 0 else None),
        trades=trades if trades is not None else (0 if volume == 0 else None),
    )


def merged(dailies: Iterable[Row], *, n: int, table: SessionTable) -> dict[Any, Contribution]:
    """Merge adjusted daily bars, in order, by the kernel's law."""
    bars: dict[Any, Contribution] = {}
    for row in dailies:
        key = row["symbol"], bucket_of(row["start"], sessions_per_bar=n, table=table).first
        bars[key] = merge(bars.get(key, NEUTRAL), contribution(row))
    return bars


@SOME
@given(data=st.data())
def test_adjusting_daily_bars_first_gives_the_same_bars(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    lake = new_lake(blank_lake)
    bars = data.draw(daily_bars(sessions, first=FIRST, last=LAST))
    commit(lake, bars)
    # Inside buckets, between them, after the last bar and announced for the future.
    days = st.dates(FIRST - dt.timedelta(days=5), LAST + dt.timedelta(days=60))
    ratios = st.sampled_from([(2.0, 1.0), (3.0, 1.0), (3.0, 2.0), (1.0, 10.0)])
    for day, (new, old) in data.draw(st.lists(st.tuples(days, ratios), max_size=4)):
        splits.commit(lake.store, split("AA", day, new, old), clock=SetClock(NOW))
    as_of = data.draw(days)
    lake.resample()
    symbols = sorted(set(bars["symbol"]))

    dailies = lake.bars(symbols, "1d", as_of=as_of)

    for interval in FIBONACCI:
        expected = merged(dailies.to_dicts(), n=interval.sessions, table=sessions)
        found = lake.bars(symbols, str(interval), as_of=as_of).to_dicts()
        assert [(row["symbol"], row["start"]) for row in found] == sorted(expected)
        for row in found:
            assert_close(expected[row["symbol"], row["start"]], row)


def assert_close(expected: Contribution, row: Row) -> None:
    for name in ("open", "high", "low", "close", "volume", "vwap"):
        value = getattr(expected, name)
        assert (value if value is None else pytest.approx(value, rel=1e-9)) == row[name], name
    assert expected.trades == row["trades"]


def test_raw_is_as_stored_and_split_is_on_todays_basis(sample_lake: Lake) -> None:
    raw = sample_lake.bars("AAPL", "34d", adjustment="raw")
    adjusted = sample_lake.bars("AAPL", "34d")
    factor = (raw["close"] / adjusted["close"]).to_list()

    assert {1.0, 2.0, 4.0} == set(factor)
    assert sorted(factor, reverse=True) == factor
    assert (raw["volume"] * pl.Series(factor)).to_list() == adjusted["volume"].to_list()


def test_as_of_applies_only_splits_effective_by_then(sample_lake: Lake) -> None:
    closes = [
        sample_lake.bars("AAPL", end="2000-03-01", as_of=day)["close"][0]
        for day in ("2000-06-20", "2000-06-21", "2005-02-27", "2005-02-28")
    ]

    assert [130.31, 65.155, 65.155, 32.5775] == closes


def test_an_unsplit_stock_is_the_same_either_way(sample_lake: Lake) -> None:
    raw = sample_lake.bars("IBM", "8d", adjustment="raw")

    assert raw.equals(sample_lake.bars("IBM", "8d"))
