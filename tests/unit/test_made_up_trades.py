"""Made-up trades make exactly the daily bars they are made from, clean and as a tape tells them."""

from __future__ import annotations

import datetime as dt
from itertools import groupby
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_layer.generating.trading import messy, trades_of
from lake.event import HIGH_LOW, OPEN_CLOSE, VOLUME
from lake.hours import SessionHours, hours_of
from tests.days import SESSION, SHORT, calendar, made_day, small_day
from tests.strategies import prices, volumes

NAMES = ("symbol", "open", "high", "low", "close", "volume")
HOURS = hours_of(SESSION, calendar())
MINUTE_US = 60_000_000


def micros(instant: dt.datetime) -> int:
    return int(instant.timestamp()) * 1_000_000


def in_force(tape: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the statements in force, found one by one, in order of symbol, time and sequence."""
    held: dict[tuple[str, int, int], dict[str, Any]] = {}
    for row in tape.iter_rows(named=True):
        key = (row["symbol"], row["time"], row["sequence"])
        if key not in held or held[key]["revision"] < row["revision"]:
            held[key] = row
    return [held[key] for key in sorted(held)]


def daily(statements: list[dict[str, Any]], hours: SessionHours) -> pl.DataFrame:
    """Return the daily bars that statements in force make, by the law, one by one."""
    opens, closes = micros(hours.open), micros(hours.close)
    bars = []
    for symbol, group in groupby(statements, lambda row: row["symbol"]):
        rows = sorted(
            (row for row in group if not row["cancelled"]),
            key=lambda row: (row["minute"], row["time"], row["sequence"]),
        )
        regular = [row for row in rows if opens <= row["minute"] < closes]
        ends = [row["price"] for row in regular if row["moves"] & OPEN_CLOSE]
        reach = [row["price"] for row in regular if row["moves"] & HIGH_LOW]
        volume = sum(row["size"] for row in rows if row["moves"] & VOLUME)
        bars.append((symbol, ends[0], max(reach), min(reach), ends[-1], volume))
    return pl.DataFrame(
        bars, schema=dict.fromkeys(NAMES, pl.Float64) | {"symbol": pl.String}, orient="row"
    )


@st.composite
def days(draw: st.DrawFn) -> pl.DataFrame:
    """Daily bars of one to three symbols, with whatever volume."""
    rows = []
    for symbol in draw(st.sampled_from([("A",), ("A", "B"), ("A", "B", "C.D")])):
        a, b, c, d = (draw(prices) for _ in range(4))
        volume = draw(volumes | st.floats(0, 1e9, allow_subnormal=False))
        rows.append((symbol, a, max(a, b, c, d), min(a, b, c, d), b, volume))
    return pl.DataFrame(rows, schema=list(NAMES), orient="row")


@settings(max_examples=60)
@given(day=days(), each=st.integers(4, 60), seed=st.integers(0, 9))
def test_any_day_is_made_to_the_last_share(day: pl.DataFrame, each: int, seed: int) -> None:
    trades = trades_of(SESSION, day, HOURS, each=each)

    assert day.rows() == daily(in_force(trades), HOURS).rows()
    assert [] == trades.filter(pl.col("size") < 0).rows()
    # Of volumes that are no whole shares the quarters that move may round.
    whole = day.filter(pl.col("volume") == pl.col("volume").floor())
    if whole.height:
        tape = messy(trades.filter(pl.col("symbol").is_in(whole["symbol"].implode())), seed, HOURS)
        assert whole.rows() == daily(in_force(tape), HOURS).rows()


@pytest.mark.parametrize("session", [SESSION, SHORT])
def test_what_a_tape_does_to_a_day_leaves_its_daily_bars(session: dt.date) -> None:
    day = made_day(session=session)

    assert day.bars.rows() == daily(in_force(day.tape), day.hours).rows()


def test_trades_are_inside_regular_hours_but_for_the_closing_print() -> None:
    day = small_day()
    inside = pl.col("time").is_between(micros(HOURS.open), micros(HOURS.close), closed="left")
    outside = day.trades.filter(~inside)

    assert day.bars["symbol"].to_list() == outside["symbol"].to_list()
    assert {(8,)} == {tuple(codes) for codes in outside["conditions"]}
    assert {micros(HOURS.close) - MINUTE_US} == set(outside["minute"])


def test_a_symbol_s_trades_are_the_same_alone_and_among_others() -> None:
    day = small_day()
    alone = trades_of(SESSION, day.bars.filter(symbol="S0004"), HOURS)

    assert alone.rows() == day.trades.filter(symbol="S0004").rows()


def test_a_day_is_busier_at_its_ends_than_at_noon() -> None:
    hour = (small_day().trades["time"] - micros(HOURS.open)) // (60 * MINUTE_US)
    counts = [(hour == number).sum() for number in range(6)]

    assert counts[0] > 2 * counts[3]


def test_a_tape_has_all_that_can_happen_to_a_day() -> None:
    tape = made_day(20, 4_000).tape
    late = tape["received"] - tape["time"]
    opens, closes = micros(HOURS.open), micros(HOURS.close)
    first = tape.unique(["symbol", "time", "sequence"], keep="first", maintain_order=True)
    alone = tape.group_by("symbol", "minute").agg(
        odd=(pl.col("moves") == VOLUME).all(), inside=pl.col("minute").first() >= opens
    )

    assert tape["received"].is_sorted()
    assert (late >= 0).all()
    assert not tape["time"].is_sorted()
    assert (late > 16 * MINUTE_US).sum() > tape.height // 2_000
    assert tape.select("symbol", "time", "sequence", "revision").is_duplicated().any()
    assert {0, 1, 2} == set(tape["revision"])
    assert {0, 1, 2} == set(first["revision"])  # some corrections overtake what they correct
    assert tape["cancelled"].any()
    assert {True, False} == set(first["cancelled"])
    assert (tape["minute"] < opens).any()
    assert (tape["minute"] >= closes).any()
    assert alone.filter("odd", "inside").height > 0
    assert {2, 7, 8, 10, 12, 13, 14, 15, 16, 33, 37, 53} <= set(tape["conditions"].explode())
    assert (tape["size"] % 1 == 0.25).any()
    assert {-1} & set(tape["minute"]) == set()


def test_nothing_is_received_while_a_feed_is_cut_off() -> None:
    day = small_day()
    tape = messy(day.trades, 3, HOURS, gaps=1)
    busy = tape.filter(pl.col("received") < micros(HOURS.close))["received"]

    assert (busy.diff() >= 20_000_000).any()
    assert tape["received"].is_sorted()


def test_the_same_seed_makes_the_same_tape() -> None:
    day = small_day()

    assert day.tape.equals(messy(day.trades, 7, HOURS))
    assert not day.tape.equals(messy(day.trades, 8, HOURS))
