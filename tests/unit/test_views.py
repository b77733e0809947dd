"""The merge of a listing's stored bars with live days, by cases drawn as timelines.

Sessions of January 2026, of which a bucket of three is from Friday the 9th to Tuesday the 13th.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.bar import Bar, Contribution, merge
from lake.session import SessionTable
from serving_layer.views import Buckets, LiveDay, contribution_of, merged
from tests.strategies import contributions

FRI, MON, TUE, WED, THU = (dt.date(2026, 1, day) for day in (9, 12, 13, 14, 15))


def no_split(_: dt.date, __: dt.date) -> float:
    return 1.0


def stored(
    *, through: dt.date, sessions: int, expected: int, start: dt.date = FRI, **others: Any
) -> Bar:
    values = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 100.0}
    return Bar(
        listing="A",
        symbol="A",
        start=start,
        **(values | {"vwap": 10.0, "trades": 7, "revision": 3} | others),
        sessions=sessions,
        sessions_expected=expected,
        through=through,
        state="final" if expected == 3 else "forming",
    )


def live(session: dt.date, close: float = 20.0, *, is_final: bool = True) -> LiveDay:
    part = Contribution(close - 1, close + 1, close - 2, close, 50.0, 50.0 * close, 5)
    return LiveDay(session, "A", part, is_final)


@pytest.fixture
def buckets(sessions: SessionTable) -> Buckets:
    return Buckets(sessions, 3)


def shape(bars: Sequence[Bar]) -> list[tuple[Any, ...]]:
    return [
        (bar.start, bar.through, bar.sessions, bar.sessions_expected, bar.state) for bar in bars
    ]


@pytest.fixture
def of_a(buckets: Buckets) -> partial[list[Bar]]:
    return partial(merged, "A", buckets=buckets, split=no_split)


def test_the_buckets_are_those_drawn(buckets: Buckets) -> None:
    assert [(FRI, 1), (FRI, 2), (FRI, 3), (WED, 1), (WED, 2)] == [
        (buckets.start(day), buckets.passed(day)) for day in (FRI, MON, TUE, WED, THU)
    ]


def test_every_live_session_after_through_is_merged(of_a: partial[list[Bar]]) -> None:
    # stored  |Fri          |
    # live         Mon Tue  | Wed
    # answer  |Fri Mon Tue  | Wed         final, and forming
    days = [live(MON, 30.0), live(TUE, 5.0), live(WED, is_final=False)]

    found = of_a([stored(through=FRI, sessions=1, expected=1)], days, covered=FRI)

    assert [(FRI, TUE, 3, 3, "final"), (WED, WED, 1, 1, "forming")] == shape(found)
    bar = found[0]
    assert (10.0, 31.0, 3.0, 5.0, 200.0) == (bar.open, bar.high, bar.low, bar.close, bar.volume)
    assert ((1000 + 1500 + 250) / 200, 17, 3) == (bar.vwap, bar.trades, bar.revision)


def test_what_batch_has_covered_counts_once(of_a: partial[list[Bar]]) -> None:
    # stored  |Fri Mon      |             batch has come to Monday, and the view has not forgotten
    # live     Fri Mon Tue  |
    # answer  |Fri Mon Tue  |
    bar = stored(through=MON, sessions=2, expected=2)

    (found,) = of_a([bar], [live(FRI), live(MON), live(TUE)], covered=FRI)

    assert [(FRI, TUE, 3, 3, "final")] == shape([found])
    assert 150.0 == found.volume


def test_a_session_that_neither_has_leaves_a_gap_that_shows(of_a: partial[list[Bar]]) -> None:
    # stored  |Fri          |
    # live             Tue  |             no trade on Monday, or nobody was there to hear of it
    # answer  |Fri     Tue  |             two of three
    found = of_a([stored(through=FRI, sessions=1, expected=1)], [live(TUE)], covered=FRI)

    assert [(FRI, TUE, 2, 3, "final")] == shape(found)


def test_a_stored_bar_without_live_ones_stays_as_it_is(of_a: partial[list[Bar]]) -> None:
    # stored  |Fri Mon      |
    # live                  | Wed         Tuesday may still come by batch
    # answer  |Fri Mon      | Wed
    bar = stored(through=MON, sessions=2, expected=2)

    found = of_a([bar], [live(WED)], covered=MON)

    assert bar == found[0]
    assert [(WED, WED, 1, 1, "forming")] == shape(found[1:])


@pytest.mark.parametrize(
    ("covered", "expected"),
    [(None, [FRI, WED]), (FRI, [FRI, WED]), (MON, [WED]), (WED, []), (THU, [])],
)
def test_where_nothing_is_stored_the_boundary_tells_what_batch_has_considered(
    of_a: partial[list[Bar]], covered: dt.date | None, expected: list[dt.date]
) -> None:
    # stored  |             |
    # live         Mon      | Wed
    found = of_a([], [live(MON), live(WED)], covered=covered)

    assert expected == [bar.start for bar in found]


def test_a_bar_that_lasts_is_forming_until_its_last_session_is_over(
    of_a: partial[list[Bar]],
) -> None:
    bar = stored(through=MON, sessions=2, expected=2)

    states = [
        of_a([bar], [live(TUE, is_final=over)], covered=MON)[0].state for over in (False, True)
    ]

    assert ["forming", "final"] == states


def test_a_stored_bar_is_brought_to_the_basis_of_the_session_that_is_merged(
    buckets: Buckets,
) -> None:
    # stored  |Fri Mon      |             10 to 12 USD, 100 shares
    # split            2:1
    # live             Tue  |             20 USD, as traded after it
    def two_for_one(day: dt.date, later: dt.date) -> float:
        return 2.0 if day < TUE <= later else 1.0

    bar = stored(through=MON, sessions=2, expected=2)
    (found,) = merged("A", [bar], [live(TUE)], buckets=buckets, covered=MON, split=two_for_one)

    assert (5.0, 21.0, 4.5, 20.0, 250.0) == (
        *(found.open, found.high, found.low, found.close),
        found.volume,
    )
    assert (1000 + 1000) / 250 == found.vwap


def test_of_live_days_each_is_brought_to_the_basis_of_the_last(buckets: Buckets) -> None:
    # live     Fri Mon Tue  |             2:1 on Monday, 3:1 on Tuesday
    def splits(day: dt.date, later: dt.date) -> float:
        return (2.0 if day < MON <= later else 1.0) * (3.0 if day < TUE <= later else 1.0)

    days = [live(FRI, 60.0), live(MON, 30.0), live(TUE, 10.0)]
    (found,) = merged("A", [], days, buckets=buckets, covered=None, split=splits)

    assert (59 / 6, 11.0, 8.0, 10.0) == (found.open, found.high, found.low, found.close)
    assert 50 * 6 + 50 * 3 + 50 == found.volume


def test_an_unknown_vwap_and_unknown_trades_stay_unknown(of_a: partial[list[Bar]]) -> None:
    bar = stored(through=FRI, sessions=1, expected=1, vwap=None, trades=None)

    (found,) = of_a([bar], [live(MON)], covered=FRI)

    assert (None, None) == (found.vwap, found.trades)


def test_a_day_that_is_no_session_is_none(of_a: partial[list[Bar]]) -> None:
    assert [] == of_a([], [live(dt.date(2026, 1, 10))], covered=None)


def test_a_day_bar_of_the_lake_stands_against_a_live_one(sessions: SessionTable) -> None:
    days = Buckets(sessions, 1)
    bar = replace(stored(through=MON, sessions=1, expected=1, start=MON), state="final")

    found = merged("A", [bar], [live(MON), live(TUE)], buckets=days, covered=FRI, split=no_split)

    assert bar == found[0]
    assert [(TUE, TUE, 1, 1, "final")] == shape(found[1:])


@given(st.lists(contributions().filter(lambda part: part.is_bar), min_size=1, max_size=8))
def test_the_law_is_that_of_the_kernel(sessions: SessionTable, parts: list[Contribution]) -> None:
    first = sessions.ordinals(FRI, FRI)[0] // 8 * 8
    days = [LiveDay(sessions[first + nth], "A", part, True) for nth, part in enumerate(parts)]  # noqa: FBT003

    (found,) = merged("A", [], days, buckets=Buckets(sessions, 8), covered=None, split=no_split)

    whole = reduce(merge, parts)
    again = contribution_of(found)
    assert (whole.open, whole.high, whole.low, whole.close, whole.volume, whole.trades) == (
        *(again.open, again.high, again.low, again.close),
        *(again.volume, found.trades),
    )
    assert whole.vwap == found.vwap
