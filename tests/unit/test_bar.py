from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from lake.bar import NEUTRAL, Contribution, merge
from tests.strategies import contributions


@given(contributions(), contributions(), contributions())
def test_merge_is_associative(a: Contribution, b: Contribution, c: Contribution) -> None:
    assert merge(a, merge(b, c)) == merge(merge(a, b), c)


@given(contributions())
def test_the_neutral_contribution_changes_nothing(part: Contribution) -> None:
    assert part == merge(NEUTRAL, part)
    assert part == merge(part, NEUTRAL)


@given(st.lists(contributions(), min_size=1, max_size=12), st.data())
def test_any_split_of_the_input_merges_to_the_same_bar(
    parts: list[Contribution], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(parts)))
    left, right = reduce(merge, parts[:cut], NEUTRAL), reduce(merge, parts[cut:], NEUTRAL)

    assert reduce(merge, parts, NEUTRAL) == merge(left, right)


def test_the_first_open_and_the_last_close_stand_and_a_null_price_is_neutral() -> None:
    # a: 1..4   b: volume alone   c: 3..9
    a = Contribution(open=2, high=4, low=1, close=3, volume=10, notional=25.0, trades=2)
    b = Contribution(volume=5, notional=15.0, trades=1)
    c = Contribution(open=5, high=9, low=3, close=8, volume=5, notional=30.0, trades=3)

    merged = reduce(merge, [a, b, c])

    expected = Contribution(open=2, high=9, low=1, close=8, volume=20, notional=70.0, trades=6)
    assert expected == merged
    assert 3.5 == merged.vwap


def test_vwap_is_null_if_a_part_with_volume_lacks_it() -> None:
    known = Contribution(open=1, high=1, low=1, close=1, volume=10, notional=10.0)
    unknown = Contribution(open=1, high=1, low=1, close=1, volume=10, notional=None)

    assert merge(known, unknown).vwap is None
    assert merge(unknown, known).vwap is None
    assert NEUTRAL.vwap is None


def test_a_bar_exists_once_open_and_close_do() -> None:
    assert not NEUTRAL.is_bar
    assert not Contribution(volume=100.0).is_bar
    assert Contribution(open=1, high=1, low=1, close=1).is_bar


def test_rebasing_divides_prices_and_multiplies_volume_and_keeps_the_notional() -> None:
    before = Contribution(open=10, high=12, low=8, close=11, volume=100, notional=1000.0, trades=7)

    after = before.rebased(2)

    assert Contribution(5, 6, 4, 5.5, 200, 1000.0, 7) == after
    assert NEUTRAL.rebased(2) == NEUTRAL


@given(contributions(), contributions(), st.sampled_from([0.5, 2.0, 4.0, 8.0]))
def test_rebasing_parts_first_or_their_merge_is_the_same(
    a: Contribution, b: Contribution, factor: float
) -> None:
    assert merge(a, b).rebased(factor) == merge(a.rebased(factor), b.rebased(factor))
