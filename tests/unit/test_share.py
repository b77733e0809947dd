from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.processing.share import Share
from lake.errors import MisuseError


@given(years=st.sets(st.integers(1962, 2100)), of=st.integers(1, 100))
def test_each_year_has_one_owner_and_shares_differ_by_one_year_at_most(
    years: set[int], of: int
) -> None:
    shares = [Share(index, of).years(years) for index in range(of)]

    assert sorted(years) == sorted(year for share in shares for year in share)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_shares_take_the_years_in_turn() -> None:
    assert {2001, 2004} == Share(1, 3).years([2008, 2007, 2000, 2001, 2002, 2003, 2004])


def test_a_share_is_written_as_its_index_and_how_many_there_are() -> None:
    assert Share(2, 16) == Share.parse("2/16")
    assert "2/16" == str(Share(2, 16))


@pytest.mark.parametrize("text", ["", "2", "16/16", "-1/2", "0/0", "1/2/3", "a/b", " 1/2", "٣/٤"])
def test_what_is_no_share_is_refused_in_one_line(text: str) -> None:
    allowed = "Allowed: INDEX/OF with INDEX from 0 to OF - 1, as 2/16."
    with pytest.raises(MisuseError) as refused:
        Share.parse(text)
    assert f"{text!r} is not a share. {allowed}" == str(refused.value)
