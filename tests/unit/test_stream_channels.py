from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import InvalidIntervalError, MisuseError
from serving_layer.stream.channels import parse_channel


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("*", "price:*"),
        ("price:*", "price:*"),
        ("price:aapl", "price:AAPL"),
        ("price:brk/b", "price:BRK.B"),
        ("bars:5m:AAPL", "bars:5m:AAPL"),
        ("bars:5m:AAPL:regular", "bars:5m:AAPL"),
        ("bars:4h:AAPL:extended", "bars:4h:AAPL:extended"),
        ("bars:34d:AAPL", "bars:34d:AAPL"),
        ("bars:1m:*", "bars:1m:*"),
        ("bars:1m:*:extended", "bars:1m:*:extended"),
        ("bars:1d:*", "bars:1d:*"),
    ],
)
def test_a_channel_has_one_spelling(text: str, name: str) -> None:
    assert name == str(parse_channel(text))
    assert name == str(parse_channel(name))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is not a channel. Allowed: price:AAPL, "),
        ("AAPL", "'AAPL' is not a channel"),
        ("price", "'price' is not a channel"),
        ("price:", "'price:' is not a channel"),
        ("price:AAPL:1m", "'price:AAPL:1m' is not a channel"),
        ("price:?", "'price:?' is not a channel"),
        ("trades:AAPL", "'trades:AAPL' is not a channel"),
        ("bars:5m", "'bars:5m' is not a channel"),
        ("bars:5m:AAPL:night", "'bars:5m:AAPL:night' is not a channel"),
        ("bars:5m:AAPL:regular:x", "is not a channel"),
        ("bars:13d:*", "Bars of 13d are not told of all symbols in one channel. Hint: "),
        ("bars:1d:AAPL:extended", "Bars of 1d are of the whole day"),
        ("x" * 1000, f"'{'x' * 60}' is not a channel"),
    ],
)
def test_what_is_no_channel_is_named(text: str, why: str) -> None:
    with pytest.raises(MisuseError) as caught:
        parse_channel(text)

    assert why in str(caught.value)
    assert not isinstance(caught.value, InvalidIntervalError)


def test_an_interval_that_is_none_is_told_apart() -> None:
    with pytest.raises(InvalidIntervalError, match="'7m' is not an interval offered here"):
        parse_channel("bars:7m:AAPL")


@given(st.text())
def test_any_text_is_a_channel_or_an_error(text: str) -> None:
    try:
        name = parse_channel(text)
    except MisuseError:
        return
    assert name == parse_channel(str(name))
