from __future__ import annotations

import pytest

from lake.errors import InvalidIntervalError
from lake.interval import FIBONACCI, SESSION_INTERVALS, Interval, parse_one_of

NAMES = ["1m", "5m", "15m", "1h", "2h", "4h", "1d", "3d", "5d", "8d", "13d", "21d", "34d"]


@pytest.mark.parametrize("name", NAMES)
def test_an_interval_prints_as_it_was_parsed(name: str) -> None:
    assert name == str(Interval.parse(name))


@pytest.mark.parametrize("text", ["", "7d", "13D", "13 d", "d13", "0d", "013d", "13d ", "1w"])
def test_anything_else_is_one_clear_error(text: str) -> None:
    with pytest.raises(InvalidIntervalError) as raised:
        Interval.parse(text)

    assert f"{text!r} is not an interval. Allowed: {', '.join(NAMES)}." == str(raised.value)


def test_the_fibonacci_intervals_count_their_sessions() -> None:
    assert [3, 5, 8, 13, 21, 34] == [interval.sessions for interval in FIBONACCI]
    assert 0 == Interval.parse("5m").sessions


def test_an_interval_not_offered_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidIntervalError, match=r"'5m' .* Allowed: 1d, 3d, .*, 34d\.$"):
        parse_one_of("5m", SESSION_INTERVALS)
