"""The trace of a price: each hop finds the same ones, and the same id of each."""

import re
from collections.abc import Callable
from types import SimpleNamespace

import polars as pl
import pytest

from lake.trace import Traces, trace_of

TIME_US = 1_767_000_000_000_000


def frame(times: list[int], symbol: str = "AAPL") -> pl.DataFrame:
    return pl.DataFrame({"symbol": [symbol] * len(times), "time": times})


def ids(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the ids that were logged, wherever that is."""
    said = capsys.readouterr()
    return re.findall(r"[0-9a-f]{32}", said.out + said.err)


def test_an_id_is_of_w3c_s_shape_and_of_symbol_and_time_alone() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", trace_of("AAPL", TIME_US))
    assert trace_of("AAPL", TIME_US) == trace_of("AAPL", TIME_US)
    assert 3 == len(
        {trace_of("AAPL", TIME_US), trace_of("AAPL", TIME_US + 1), trace_of("IBM", TIME_US)}
    )


@pytest.mark.parametrize("step_us", [1, 7, 1_000, 1_000_000])
def test_of_so_many_prices_one_is_followed_whatever_the_clock_s_step(step_us: int) -> None:
    traces = Traces("feed", 100)

    followed = sum(traces.is_followed(TIME_US + step_us * each) for each in range(50_000))

    assert followed == pytest.approx(500, rel=0.1)


def test_a_batch_a_row_and_one_price_are_followed_alike(capsys: pytest.CaptureFixture[str]) -> None:
    traces = Traces("view", 50)
    times = [TIME_US + each for each in range(300)]
    followed = [time for time in times if traces.is_followed(time)]
    rows = [SimpleNamespace(symbol="AAPL", time=time) for time in times]
    ways: list[Callable[[], object]] = [
        lambda: traces.pass_frame(frame(times)),
        lambda: traces.pass_all(rows),
        lambda: list(map(traces.pass_one, ["AAPL"] * len(times), times)),
    ]
    said = []

    for way in ways:
        way()
        said.append(ids(capsys))

    assert followed
    assert [[trace_of("AAPL", time) for time in followed]] * 3 == said


@pytest.mark.parametrize("one_in", [0, 1])
def test_none_or_all_are_followed_where_that_is_asked_for(
    one_in: int, capsys: pytest.CaptureFixture[str]
) -> None:
    traces = Traces("feed", one_in)

    traces.pass_frame(frame([TIME_US, TIME_US + 1]))
    traces.pass_frame(frame([]))
    # A price that is no more has no time.
    traces.pass_frame(frame([0]))

    assert (bool(one_in), 2 * one_in) == (traces.is_on, len(ids(capsys)))
