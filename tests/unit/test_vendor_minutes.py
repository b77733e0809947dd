"""The local vendor's minutes merge to the daily bar that they are made from."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.local_vendor.hours import MINUTE_MS, Hours, hours_of, milliseconds
from batch_layer.local_vendor.minutes import minutes_of
from lake.session import SessionTable

FULL = dt.date(2012, 7, 2)
EARLY_CLOSE = dt.date(2012, 7, 3)
OPEN = milliseconds(FULL, dt.time(9, 30))
HOURS = Hours(
    early=milliseconds(FULL, dt.time(4)),
    open=OPEN,
    close=milliseconds(FULL, dt.time(16)),
    late=milliseconds(FULL, dt.time(20)),
)
LIVELY = {
    "symbol": "AAPL",
    "open": 100.0,
    "high": 103.5,
    "low": 99.25,
    "close": 102.0,
    "volume": 5_000_000.0,
    "vwap": 101.5,
    "trades": 40_000,
}
SCHEMA = dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), pl.Float64()) | {
    "symbol": pl.String(),
    "trades": pl.Int64(),
}


def frame(*bars: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(bars), schema_overrides=SCHEMA)


def minutes(*bars: dict[str, Any], hours: Hours = HOURS) -> list[dict[str, Any]]:
    return minutes_of(FULL, frame(*bars), hours).to_dicts()


def assert_merges_to(bar: dict[str, Any], made: list[dict[str, Any]], hours: Hours) -> None:
    starts = [minute["start"] for minute in made]
    regular = [minute for minute in made if hours.open <= minute["start"] < hours.close]

    assert sorted(set(starts)) == starts
    assert all((start - hours.open) % MINUTE_MS == 0 for start in starts)
    assert hours.early <= starts[0] <= starts[-1] < hours.late
    assert bar["open"] == regular[0]["open"]
    assert bar["close"] == regular[-1]["close"]
    assert bar["high"] == max(minute["high"] for minute in regular)
    assert bar["low"] == min(minute["low"] for minute in regular)
    assert bar["volume"] == sum(minute["volume"] for minute in made)
    for minute in made:
        assert bar["low"] <= minute["low"] <= min(minute["open"], minute["close"])
        assert max(minute["open"], minute["close"]) <= minute["high"] <= bar["high"]
    if bar["trades"] is None:
        assert {None} == {minute["trades"] for minute in made}
    else:
        assert bar["trades"] == sum(minute["trades"] for minute in made)
    assert_vwap(bar, made)


def assert_vwap(bar: dict[str, Any], made: list[dict[str, Any]]) -> None:
    if bar["vwap"] is None:
        assert {None} == {minute["vwap"] for minute in made}
        return
    slack = 1e-12 * bar["high"]
    for minute in made:
        assert minute["low"] - slack <= minute["vwap"] <= minute["high"] + slack
    if bar["volume"]:
        paid = math.fsum(minute["volume"] * minute["vwap"] for minute in made)
        assert bar["vwap"] == pytest.approx(paid / bar["volume"], rel=1e-9, abs=slack)


@st.composite
def daily_bars(draw: st.DrawFn) -> dict[str, Any]:
    """Daily bars, from those hardly traded to those of a whole market's volume."""
    price = st.decimals(min_value="0.0001", max_value="90000", places=4).map(float)
    low, *between, high = sorted(draw(st.lists(price, min_size=5, max_size=5)))
    opening, close, vwap = draw(st.permutations(between))
    shares = st.one_of(
        st.integers(0, 10**10).map(float), st.integers(0, 500).map(float), st.floats(1e-6, 1e6)
    )
    volume = draw(shares)
    most = max(int(min(volume, 10**6)), 1)
    return {
        "symbol": draw(st.text("ABCDEFG", min_size=1, max_size=4)),
        "open": opening,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        "vwap": draw(st.sampled_from([vwap, low, high, None])),
        "trades": draw(st.one_of(st.none(), st.integers(1, most))),
    }


@given(daily_bars())
def test_minutes_merge_to_any_daily_bar(bar: dict[str, Any]) -> None:
    assert_merges_to(bar, minutes(bar), HOURS)


def test_what_is_lively_has_extended_hours_and_nearly_every_minute() -> None:
    made = minutes(LIVELY)
    regular = [each for each in made if HOURS.open <= each["start"] < HOURS.close]

    assert 380 <= len(regular) <= 390
    assert len(made) > len(regular)
    assert_merges_to(LIVELY, made, HOURS)


def test_what_is_hardly_traded_lacks_most_minutes() -> None:
    assert 20 > len(minutes({**LIVELY, "volume": 900.0, "trades": 12}))
    assert 1 == len(minutes({**LIVELY, "volume": 1.0, "trades": 1}))


def test_hours_follow_early_closes_and_daylight_saving(sessions: SessionTable) -> None:
    early = hours_of(EARLY_CLOSE, sessions)
    winter, summer = (hours_of(dt.date(2012, 3, day), sessions) for day in (9, 12))

    assert 210 == early.minutes
    assert_merges_to(LIVELY, minutes(LIVELY, hours=early), early)
    assert (14 * 60 + 30, 13 * 60 + 30) == tuple(
        each.open // MINUTE_MS % (24 * 60) for each in (winter, summer)
    )
    assert winter.minutes == summer.minutes == 390


def test_a_symbol_has_the_same_minutes_alone_and_among_others() -> None:
    others = [{**LIVELY, "symbol": f"S{number}", "volume": 1e3 * number} for number in range(1200)]
    alone = minutes(LIVELY)
    among = minutes(*others[:700], LIVELY, *others[700:])

    assert alone == [minute for minute in among if minute["symbol"] == "AAPL"]
    assert alone != minutes({**LIVELY, "symbol": "MSFT"})
    order = [*(f"S{number}" for number in range(700)), "AAPL"]
    assert order == list(dict.fromkeys(minute["symbol"] for minute in among))[:701]


def test_no_bars_and_no_session_have_no_minutes() -> None:
    assert [] == minutes_of(FULL, frame(LIVELY).clear(), HOURS).to_dicts()
    assert [] == minutes(LIVELY, hours=Hours(0, 0, 0, 0))
