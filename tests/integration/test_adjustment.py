"""Adjustment when read: exact for bars of many sessions, whenever a split or a dividend came."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.bronze import dividends, splits
from fiblake import Lake
from lake.bar import NEUTRAL, Contribution, merge
from lake.clock import SetClock
from lake.interval import FIBONACCI, SESSION_INTERVALS
from lake.session import SessionTable, bucket_of
from tests.conftest import NOW
from tests.frames import assert_bars_close, bronze, commit, dividend, listed, split
from tests.integration.test_resample import FIRST, LAST, SOME, new_lake, plain_bars
from tests.oracle import adjusted, bars_of
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


RATIOS = st.sampled_from([(2.0, 1.0), (3.0, 1.0), (3.0, 2.0), (1.0, 10.0)])
# Inside buckets, between them, after the last bar and announced for the future.
DAYS = st.dates(FIRST - dt.timedelta(days=5), LAST + dt.timedelta(days=60))


@SOME
@given(data=st.data())
def test_adjusting_daily_bars_first_gives_the_same_bars(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    lake = new_lake(blank_lake)
    bars = data.draw(daily_bars(sessions, first=FIRST, last=LAST))
    commit(lake, bars)
    for day, (new, old) in data.draw(st.lists(st.tuples(DAYS, RATIOS), max_size=4)):
        splits.commit(lake.store, split("AA", day, new, old), clock=SetClock(NOW))
    as_of = data.draw(DAYS)
    lake.resample()
    symbols = sorted(set(bars["symbol"]))

    dailies = lake.bars(symbols, "1d", as_of=as_of)

    for interval in FIBONACCI:
        expected = merged(dailies.to_dicts(), n=interval.sessions, table=sessions)
        found = lake.bars(symbols, str(interval), as_of=as_of).to_dicts()
        assert [(row["symbol"], row["start"]) for row in found] == sorted(expected)
        for row in found:
            assert_close(expected[row["symbol"], row["start"]], row)


@SOME
@given(data=st.data())
def test_total_return_is_daily_bars_adjusted_first_and_folded_then(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    lake = new_lake(blank_lake)
    bars = data.draw(daily_bars(sessions, first=FIRST, last=LAST))
    commit(lake, bars)
    # Up to twice the highest price, which no adjustment can take; some on the day of a split.
    amounts = st.integers(0, 20_000).map(float) | st.floats(0.01, 5)
    for day, (new, old) in data.draw(st.lists(st.tuples(DAYS, RATIOS), max_size=3)):
        splits.commit(lake.store, split("AA", day, new, old), clock=SetClock(NOW))
        if data.draw(st.booleans()):
            dividends.commit(lake.store, dividend("AA", day, 0.25), clock=SetClock(NOW))
    for day, amount in data.draw(st.lists(st.tuples(DAYS, amounts), max_size=4)):
        dividends.commit(lake.store, dividend("AA", day, amount), clock=SetClock(NOW))
    as_of, start, end = data.draw(DAYS), *sorted([data.draw(DAYS), data.draw(DAYS)])
    rows = adjusted(
        listed(lake, bronze(lake.store), "session").to_dicts(),
        listed(lake, splits.read(lake.store), "effective").to_dicts(),
        listed(lake, dividends.read(lake.store), "ex_date").to_dicts(),
        as_of=as_of,
    )
    symbols = sorted(set(bars["symbol"]))

    for interval in SESSION_INTERVALS:
        n = interval.sessions
        whole = [
            asdict(bar)
            for bar in bars_of(rows, [], n=n, table=sessions, through=max(bars["session"]))
        ]
        if n == 1:  # what a source says of a bar's vwap and trades stays, even without volume
            whole = [
                bar | {name: row[name] for name in ("vwap", "trades")}
                for bar, row in zip(whole, rows, strict=True)
            ]
        asked = {"adjustment": "all", "as_of": as_of}
        found = lake.bars(symbols, str(interval), **asked)  # type: ignore[arg-type]
        part = lake.bars(symbols, str(interval), **asked, start=start, end=end)  # type: ignore[arg-type]

        assert_bars_close(whole, found.to_dicts())
        within = found.filter(pl.col("start").is_between(start, end))
        assert_bars_close(within.to_dicts(), part.to_dicts())


def test_total_return_is_that_of_the_published_example(own_sample_lake: Lake) -> None:
    # https://help.yahoo.com/kb/finance-for-desktop/adjusted-close-sln28256.html, for MSFT.
    lake = own_sample_lake
    ex_date = dt.date(2003, 2, 19)
    dividends.commit(lake.store, dividend("MSFT", ex_date, 0.08), clock=lake.clock)

    found = lake.bars("MSFT", start="2003-02-13", end=ex_date, adjustment="all", as_of=ex_date)

    assert [23.42, 24.07, 24.88, 24.53] == found["close"].round(2).to_list()
    raw = lake.bars("MSFT", start="2003-02-13", end=ex_date, adjustment="raw")
    assert [46.99, 48.3, 24.96, 24.53] == raw["close"].to_list()
    assert [2.0, 2.0, 1.0, 1.0] == (found["volume"] / raw["volume"]).to_list()


@pytest.fixture
def paid_lake(lake: Lake, sessions: SessionTable) -> Lake:
    """AA at 10 USD throughout, which pays 1 USD on the fourth of eight sessions."""
    days = [sessions[ordinal] for ordinal in range(8000, 8008)]
    commit(lake, plain_bars("AA", days))
    dividends.commit(lake.store, dividend("AA", days[3], 1.0), clock=lake.clock)
    lake.resample()
    return lake


def closes(lake: Lake, **asked: Any) -> list[float]:
    found: list[float] = lake.bars("AA", adjustment="all", **asked)["close"].round(6).to_list()
    return found


def test_as_of_is_the_basis_of_all_bars_whether_before_it_or_after(paid_lake: Lake) -> None:
    #   1 1 1 | 2 2 2 2 2     the dividend goes between the third and the fourth session
    days = paid_lake.bars("AA")["start"].to_list()

    assert [9.0] * 3 + [10.0] * 5 == closes(paid_lake)
    assert [9.0] * 3 + [10.0] * 5 == closes(paid_lake, as_of=days[3])
    assert [10.0] * 3 + [round(10 / 0.9, 6)] * 5 == closes(paid_lake, as_of=days[2])


@pytest.mark.parametrize("at", [0, 1, 7, 8])
def test_a_split_and_a_dividend_of_one_day_are_exact_wherever_in_the_bucket(
    lake: Lake, sessions: SessionTable, at: int
) -> None:
    #   |0 1 2 3 4 5 6 7| 8     of eight sessions at 10 USD; 2:1, and 1 USD a share after it
    days = [sessions[ordinal] for ordinal in range(8000, 8009)]
    commit(lake, plain_bars("AA", days))
    splits.commit(lake.store, split("AA", days[at], 2), clock=lake.clock)
    dividends.commit(lake.store, dividend("AA", days[at], 1.0), clock=lake.clock)
    lake.resample()

    stored, known, whole = (
        lake.bars("AA", "8d", end=days[0], **asked).row(0, named=True)
        for asked in (
            {"adjustment": "raw"},
            {"adjustment": "raw", "known_at": NOW},
            {"adjustment": "all"},
        )
    )

    assert stored == known
    before, after = at, 8 - at
    assert 800.0 + before * 100.0 == whole["volume"]
    # 5 USD a share on the day's basis, of which 1 - 1/5 stays.
    assert [4.0 if before else 10.0, 10.0 if after else 4.0] == [
        round(whole[name], 6) for name in ("open", "close")
    ]


def test_a_dividend_is_corrected_and_withdrawn(paid_lake: Lake) -> None:
    ex_date = paid_lake.bars("AA")["start"][3]
    dividends.commit(paid_lake.store, dividend("AA", ex_date, 2.0), clock=paid_lake.clock)
    assert [8.0] * 3 + [10.0] * 5 == closes(paid_lake)
    assert 1 == paid_lake.status().bronze.dividends

    dividends.commit(paid_lake.store, dividend("AA", ex_date, 0.0), clock=paid_lake.clock)
    assert [10.0] * 8 == closes(paid_lake)
    assert 0 == paid_lake.status().bronze.dividends


@pytest.mark.parametrize("amount", [10.0, 11.0])
def test_a_dividend_that_leaves_no_price_is_ignored_and_said(
    paid_lake: Lake, amount: float, capsys: pytest.CaptureFixture[str]
) -> None:
    ex_date = paid_lake.bars("AA")["start"][3]
    dividends.commit(paid_lake.store, dividend("AA", ex_date, amount), clock=paid_lake.clock)

    assert [10.0] * 8 == closes(paid_lake)
    assert "dividend not below the price, ignored" in capsys.readouterr().err


def test_a_dividend_before_the_first_bar_changes_nothing(paid_lake: Lake) -> None:
    first = paid_lake.bars("AA")["start"][0]
    dividends.commit(paid_lake.store, dividend("AA", first, 5.0), clock=paid_lake.clock)

    assert [9.0] * 3 + [10.0] * 5 == closes(paid_lake)


def test_a_dividend_makes_no_partition_stale(paid_lake: Lake) -> None:
    assert () == paid_lake.resample().rebuilt


def test_a_bucket_that_ends_after_the_range_is_whole(paid_lake: Lake) -> None:
    days = paid_lake.bars("AA")["start"].to_list()

    found = paid_lake.bars("AA", "8d", end=days[0], adjustment="all").row(0, named=True)

    assert (8, 9.0, 10.0, "final") == (
        found["sessions"],
        round(found["open"], 6),
        found["close"],
        found["state"],
    )


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
