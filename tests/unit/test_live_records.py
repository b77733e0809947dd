"""Bars and prices as bytes, what waits for a subscriber, and the view in memory."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lake.errors import MisuseError, ViewUnavailableError
from lake.interval import MINUTE as ONE_MINUTE
from lake.interval import MINUTE_INTERVALS
from lake.settings import read_settings
from speed_layer.views import MemoryView, open_view
from speed_layer.views.mailbox import Mailbox
from speed_layer.views.records import pack_bars, pack_prices, unpack_bars, unpack_prices
from tests.live import MINUTE, NO_BARS, NO_PRICES, OPEN, bar, bars_of, price, prices_of, vanished

floats = st.floats(allow_nan=False, allow_infinity=False)
nullable = st.none() | floats
sources = st.sampled_from(["", "massive", "\u00e9\U0001f4c8"])
whole = st.integers(-(2**53) + 1, 2**53 - 1)


@st.composite
def any_bars(draw: st.DrawFn) -> pl.DataFrame:
    named = {name: draw(nullable) for name in ("open", "high", "low", "close", "vwap")}
    row = bar(
        draw(st.sampled_from(["", "A", "BRK.B"])),
        draw(st.integers(0, 2**53 - 1)),
        interval=draw(st.sampled_from(["1d", *map(str, MINUTE_INTERVALS)])),
        session=draw(st.dates()),
        hours=draw(st.sampled_from(["regular", "extended"])),
        state=draw(st.sampled_from(["forming", "final"])),
        start=draw(whole),
        volume=draw(floats),
        trades=draw(st.none() | whole),
        minutes=draw(st.integers(0, 2**31 - 1)),
        **named,
    )
    return bars_of(row)


@given(st.lists(any_bars(), max_size=4))
def test_bars_come_back_from_their_records_as_they_were(some: list[pl.DataFrame]) -> None:
    bars = pl.concat([NO_BARS, *some])

    there_and_back = unpack_bars(bars["symbol"].to_list(), b"".join(pack_bars(bars)))

    assert_frame_equal(bars, there_and_back, check_exact=True)


@given(nullable, whole, st.integers(0, 2**53 - 1), sources, st.dates())
def test_prices_come_back_from_their_records_as_they_were(
    value: float | None, time: int, version: int, source: str, session: Any
) -> None:
    row = price(price=value, time=time, version=version, source=source, session=session)
    prices = prices_of(row, price("MSFT"))

    there_and_back = unpack_prices(prices["symbol"].to_list(), pack_prices(prices))

    assert_frame_equal(prices, there_and_back, check_exact=True)


STATEMENTS = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(0, 4), st.integers(1, 6), st.booleans()),
    max_size=40,
)


@given(STATEMENTS, st.randoms(use_true_random=False), st.integers(1, 10))
def test_bars_in_any_order_and_twice_end_as_their_highest_versions(
    statements: list[tuple[str, int, int, bool]], shuffled: Any, size: int
) -> None:
    # One version of a bar says one thing.
    said = {(symbol, minute, version): gone for symbol, minute, version, gone in statements}
    rows = [
        (vanished if gone else bar)(symbol, version, start=OPEN + minute * MINUTE)
        for (symbol, minute, version), gone in said.items()
    ]
    often = rows * 2
    shuffled.shuffle(often)
    view = MemoryView()

    with view.subscribe() as subscription:
        for at in range(0, len(often), size):
            view.put(bars_of(*often[at : at + size]), NO_PRICES)
        changes = subscription.get(0)

    highest = {
        (row["symbol"], row["start"]): row for row in sorted(rows, key=lambda r: r["version"])
    }
    expected = bars_of(*highest.values()).sort("symbol", "start")
    assert changes is not None
    assert_frame_equal(expected, changes.bars.sort("symbol", "start"))
    for symbol in "AB":
        standing = expected.filter(pl.col("close").is_not_null(), symbol=symbol)
        assert_frame_equal(standing, view.bars(symbol, ONE_MINUTE))


def offered(mailbox: Mailbox, *rows: dict[str, Any]) -> None:
    bars = bars_of(*rows)
    mailbox.offer(zip(bars["symbol"], pack_bars(bars), strict=True))


def test_so_many_wait_and_the_oldest_are_dropped_and_told_as_a_gap() -> None:
    mailbox = Mailbox(None, most=3, on_close=lambda _: None)
    offered(mailbox, *(bar(f"S{n}") for n in range(5)))
    offered(mailbox, bar("S4", version=4))

    changes = mailbox.get(0)

    assert changes is not None
    assert ["S2", "S3", "S4"] == changes.bars["symbol"].to_list()
    assert (True, 2, 1) == (changes.is_gap, mailbox.dropped, mailbox.conflated)

    offered(mailbox, bar("S9"))
    changes = mailbox.get(0)

    assert changes is not None
    assert not changes.is_gap


def test_what_waits_is_got_before_the_error_that_ends_it() -> None:
    mailbox = Mailbox(None, on_close=lambda _: None)
    offered(mailbox, bar())
    mailbox.fail(ViewUnavailableError("It is gone."))

    assert mailbox.get(0)
    with pytest.raises(ViewUnavailableError, match="gone"):
        mailbox.get(0)


def test_a_view_is_in_memory_where_nothing_else_is_said() -> None:
    assert isinstance(open_view(read_settings()), MemoryView)


def test_a_view_that_there_is_not_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBLAKE_VIEW", "cassandra")

    with pytest.raises(MisuseError, match=r"FIBLAKE_VIEW='cassandra' cannot be.*'memory', 'redis'"):
        read_settings()


@pytest.mark.parametrize("name", ["memory", "redis", "dynamodb"])
def test_a_view_s_name_may_be_in_capitals(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("FIBLAKE_VIEW", name.upper())

    assert name == read_settings().view


def test_an_empty_put_tells_subscribers_nothing() -> None:
    view = MemoryView()
    with view.subscribe() as subscription:
        view.put(NO_BARS, NO_PRICES)

        assert not subscription.get(0)
