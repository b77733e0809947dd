"""Live bars made at once of all statements are those of the law, which takes them one by one."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.event import Event
from lake.hours import hours_of
from lake.live_bars import bars_of, in_force, minutes_of, prices_of, within
from lake.schemas import LIVE_BARS, PRICES
from tests.days import SESSION, SHORT, calendar, made_day
from tests.strategies import prices
from tests.trading import MINUTE_US, Oracle, Told, assert_told, frame, heartbeat, micros, trade

NEVER: Final = dt.timedelta(days=99)
LATENESS: Final = dt.timedelta(minutes=15)
NAMES: Final = ("AA", "B", "C.D")
sizes = st.integers(0, 4_000).map(lambda quarters: quarters / 4)


@st.composite
def trades(draw: st.DrawFn, session: dt.date) -> list[Event]:
    """Trades of few minutes and few identities, in whatever order and of whatever revision."""
    dawn, close = (micros(instant) for instant in _edges(session))
    last = (close - dawn) // MINUTE_US
    minutes = draw(st.lists(st.integers(0, 16 * 60 - 1), min_size=1, max_size=6))
    minutes += draw(st.lists(st.just(last), max_size=2))
    events = []
    for _ in range(draw(st.integers(1, 40))):
        minute = dawn + draw(st.sampled_from(minutes)) * MINUTE_US
        time = minute + draw(st.integers(0, 3)) * 10_000_000
        is_print = minute >= close and draw(st.booleans())
        events.append(
            Event(
                kind="trade",
                symbol=draw(st.sampled_from(NAMES)),
                time=time,
                sequence=draw(st.integers(0, 2)),
                revision=draw(st.integers(0, 3)),
                minute=close - MINUTE_US if is_print else minute,
                moves=draw(st.sampled_from((7, 7, 7, 6, 4, 2, 0))),
                price=draw(prices),
                size=draw(sizes),
                cancelled=draw(st.integers(0, 4)) == 0,
                received=time + draw(st.integers(0, 9)),
                source=draw(st.sampled_from(("massive", "test"))),
            )
        )
    return events


def _edges(session: dt.date) -> tuple[dt.datetime, dt.datetime]:
    hours = hours_of(session, calendar())
    return hours.dawn, hours.close


@st.composite
def aggregates(draw: st.DrawFn, session: dt.date) -> list[Event]:
    """Aggregates, of which some tell no vwap or trades."""
    told = []
    for event in draw(trades(session)):
        a, b, c = (draw(prices) for _ in range(3))
        values: dict[str, Any] = {"open": a, "high": max(a, b, c), "low": min(a, b, c), "price": b}
        values["vwap"] = draw(st.none() | st.just(c))
        values["trades"] = draw(st.none() | st.integers(0, 1_000))
        minute = event.time - event.time % MINUTE_US
        told.append(replace(event, kind="second", minute=minute, moves=7, **values))
    return told


def assert_is_law(events: list[Event], session: dt.date, kind: Any, lateness: dt.timedelta) -> None:
    """Whatever is final, bars and prices of events that were never late are the oracle's."""
    law = Oracle(calendar(), kind=kind, lateness=NEVER).take(events)
    law.lateness = lateness
    hours = hours_of(session, calendar())
    statements = within(in_force(frame(events)), hours, kind)
    over = law.clock - lateness // dt.timedelta(microseconds=1)
    told = Told()
    bars = bars_of(minutes_of(statements), hours, over=over)
    told.put(bars, prices_of(statements, session))
    assert_told(law, told)
    bars.select(LIVE_BARS.names).to_arrow().cast(LIVE_BARS)


@settings(max_examples=40)
@given(data=st.data(), session=st.sampled_from((SESSION, SHORT)))
def test_bars_and_prices_of_any_trades_are_those_of_the_law(
    data: st.DataObject, session: dt.date
) -> None:
    assert_is_law(data.draw(trades(session)), session, "trade", LATENESS)


@settings(max_examples=25)
@given(data=st.data())
def test_bars_of_any_aggregates_are_those_of_the_law(data: st.DataObject) -> None:
    assert_is_law(data.draw(aggregates(SESSION)), SESSION, "second", LATENESS)


@pytest.mark.parametrize("session", [SESSION, SHORT])
def test_bars_of_a_messy_day_are_those_of_the_law(session: dt.date) -> None:
    tape = made_day(4, 120, session=session).tape
    events = [
        Event(**{**row, "conditions": tuple(row["conditions"])})
        for row in tape.iter_rows(named=True)
    ]
    assert_is_law(events, session, "trade", -NEVER)


def test_other_kinds_and_other_sessions_are_left_out() -> None:
    hours = hours_of(SESSION, calendar())
    mine = trade(SESSION, "10:00:00")
    others = [trade(SHORT, "10:00:00"), replace(mine, kind="second"), heartbeat(SESSION, "10:01")]

    assert 1 == within(in_force(frame([mine, *others])), hours).height
    assert 3 == in_force(frame([mine, *others])).height


def test_of_equal_revisions_the_first_that_came_is_in_force() -> None:
    first = trade(SESSION, "10:00:00", 10.0)
    events = frame([first, replace(first, price=11.0)])

    assert [10.0] == in_force(events)["price"].to_list()


def test_a_bar_whose_trades_are_all_void_is_told_with_null_prices() -> None:
    gone = replace(trade(SESSION, "10:00:00"), cancelled=True, revision=1)
    hours = hours_of(SESSION, calendar())
    bars = bars_of(minutes_of(in_force(frame([gone]))), hours)
    price = prices_of(in_force(frame([gone])), SESSION)

    assert [(None, 0.0, None, 0, 0, 5)] * 7 == bars.select(
        "open", "volume", "vwap", "trades", "minutes", "version"
    ).rows()
    assert [("AA", SESSION, None, 0, 0, "", 2)] == price.rows()


def test_a_statement_is_void_in_a_minute_that_another_revision_states() -> None:
    #  15:59      16:00    :05
    #    |----------|------1 (revision 0), 2 says: a closing print, 3 says: none (revision 1)
    plain = trade(SESSION, "16:00:05", 11.0)
    events = [plain, replace(plain, minute=plain.minute - MINUTE_US, revision=2)]
    events.append(replace(plain, revision=1))
    bars = bars_of(minutes_of(in_force(frame(events))), hours_of(SESSION, calendar()))

    assert [(11.0, 1, 7), (None, 0, 7)] == bars.filter(interval="1m").select(
        "close", "minutes", "version"
    ).rows()
    assert [(11.0, 1, 13)] == bars.filter(interval="1d").select(
        "close", "minutes", "version"
    ).rows()


def test_no_statements_make_no_bars() -> None:
    nothing = in_force(frame([]))
    bars = bars_of(minutes_of(nothing), hours_of(SESSION, calendar()))

    assert (0, LIVE_BARS.names) == (bars.height, bars.columns)
    assert (0, PRICES.names) == (
        (told := prices_of(nothing, SESSION)).height,
        told.columns,
    )
    assert pl.Int64 == bars.schema["start"]
