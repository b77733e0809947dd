"""Claims of listings: who had which symbol when, and that bronze never refuses what comes of it."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.bronze import listings
from batch_layer.fetching.listing_claims import Claim, claims_of
from batch_layer.fetching.listing_places import placed
from batch_layer.fetching.reference_bring import said_of
from batch_layer.fetching.reference_landed import Known
from batch_layer.vendors.massive_tickers import Ticker, Turn, tickers_of, turns_of
from lake.clock import SetClock
from lake.massive_symbols import lake_symbol, massive_symbol
from lake.session import EPOCH
from lake.store import LocalStore

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
A, B = "BBG00000000A", "BBG00000000B"
RENAMED = dt.date(2022, 6, 9)
DAY = dt.timedelta(days=1)
Row = tuple[str, str, dt.date, dt.date | None]


def active(symbol: str, listing: str | None = A, **other: Any) -> Ticker:
    return Ticker(symbol, listing, **{"kind": "CS", **other})


def gone(symbol: str, last: dt.date | None, listing: str | None = A, **other: Any) -> Ticker:
    return Ticker(symbol, listing, last=last, is_active=False, **{"kind": "CS", **other})


def rows(
    *tickers: Ticker,
    events: Mapping[str, Sequence[Turn]] | None = None,
    traded: Sequence[str] = (),
    kept: Sequence[Claim] = (),
) -> tuple[list[Row], list[tuple[str, str]]]:
    said, dropped = said_of(Known(tickers, events or {}, NOW), traded, kept)
    told = said.select("listing", "symbol", "first", "last").rows()
    return told, [(each.symbol, each.why) for each in dropped]


def test_a_listing_that_was_always_there_has_its_symbol_from_the_beginning() -> None:
    assert ([(A, "AAPL", EPOCH, None)], []) == rows(active("AAPL"))


def test_without_an_id_a_symbol_is_its_own_listing() -> None:
    assert ([], []) == rows(active("AAPL", None))


def test_events_tell_when_a_listing_was_renamed() -> None:
    turns = (Turn(dt.date(2012, 5, 18), "FB"), Turn(RENAMED, "META"))

    assert (
        [(A, "FB", dt.date(2012, 5, 18), RENAMED - DAY), (A, "META", RENAMED, None)],
        [],
    ) == rows(active("META"), events={A: turns})


def test_what_was_so_when_the_vendor_began_was_so_before() -> None:
    assert ([(A, "IBM", EPOCH, None)], []) == rows(
        active("IBM"), events={A: (Turn(dt.date(2003, 9, 10), "IBM"),)}
    )


def test_a_symbol_used_again_is_the_next_holders_from_the_day_after() -> None:
    last = dt.date(2015, 3, 2)

    assert ([(A, "S", EPOCH, last), (B, "S", last + DAY, None)], []) == rows(
        active("S", B), gone("S", last)
    )


def test_a_delisting_that_is_told_days_late_ends_where_the_next_holder_begins() -> None:
    first = dt.date(2015, 3, 2)

    assert ([(A, "S", EPOCH, first - DAY), (B, "S", first, None)], []) == rows(
        active("S", B), gone("S", first + 7 * DAY), events={B: (Turn(first, "S"),)}
    )


def test_one_that_contradicts_events_is_dropped() -> None:
    first, last = dt.date(2015, 3, 2), dt.date(2018, 1, 2)

    assert ([(B, "S", first, None)], [("S", f"{B} holds it on {last}")]) == rows(
        active("S", B), gone("S", last), events={B: (Turn(first, "S"),)}
    )


def test_of_two_tickers_at_once_the_one_with_bars_counts_then_the_common_stock() -> None:
    common, when_issued = active("ABC"), active("ABC.WI", is_plain=False)
    preferred = active("AAA", kind="PFD")

    assert ([(A, "ABC", EPOCH, None)], [("ABC.WI", "ABC is the same listing")]) == rows(
        when_issued, common
    )
    assert "ABC" == rows(preferred, common)[0][0][1]
    assert "ABC.WI" == rows(common, when_issued, traded=["ABC.WI"])[0][0][1]


def test_of_two_listings_of_one_symbol_at_once_one_counts() -> None:
    assert ([(A, "S", EPOCH, None)], [("S", f"{A} holds it now")]) == rows(
        active("S", B), active("S", A)
    )


def test_a_delisted_one_without_a_date_is_dropped() -> None:
    assert ([], [("S", "no date of its delisting")]) == rows(gone("S", None))


def test_what_a_file_says_is_not_touched() -> None:
    kept = [Claim("L1", "META", RENAMED, None), Claim("L1", "FB", EPOCH, RENAMED - DAY)]

    assert ([], [("META", "L1 holds it now")]) == rows(active("META"), kept=kept)


def test_what_is_not_a_symbol_is_dropped() -> None:
    assert ([], [("?abcd", "not a symbol")]) == rows(active("?abcd"))


def test_a_delisting_is_of_the_date_at_the_exchange() -> None:
    def last(text: str) -> dt.date | None:
        row = {"ticker": "S", "active": False, "composite_figi": A, "delisted_utc": text}
        return tickers_of([json.dumps({"results": [row]}).encode()])[0].last

    assert dt.date(2010, 1, 3) == last("2010-01-03T05:00:00Z")
    assert dt.date(2010, 7, 3) == last("2010-07-03T04:00:00Z")
    assert dt.date(2010, 1, 3) == last("2010-01-03T00:00:00Z")
    assert dt.date(2010, 1, 3) == last("2010-01-03")
    assert last("soon") is None


def test_an_id_that_is_none_is_none() -> None:
    row = {"ticker": "S", "composite_figi": "what", "share_class_figi": B}

    assert B == tickers_of([json.dumps({"results": [row]}).encode()])[0].listing


def test_events_are_read_in_order_and_repeats_are_one() -> None:
    events = [
        {"type": "ticker_change", "date": day, "ticker_change": {"ticker": ticker}}
        for day, ticker in (("2022-06-09", "META"), ("2021-01-04", "FB"), ("2012-05-18", "FB"))
    ]
    body = json.dumps({"status": "OK", "results": {"events": [*events, {"type": "?"}]}}).encode()

    assert (Turn(dt.date(2012, 5, 18), "FB"), Turn(RENAMED, "META")) == turns_of(body)


_IDS = [f"BBG00000000{letter}" for letter in "ABCD"]
_SYMBOLS = ["S", "T", "U", "V.W"]
_days = st.dates(dt.date(2003, 9, 1), dt.date(2004, 3, 1))
_tickers = st.builds(
    Ticker,
    symbol=st.sampled_from(_SYMBOLS),
    listing=st.sampled_from([*_IDS, None]),
    kind=st.sampled_from(["CS", "ETF"]),
    first=st.none() | _days,
    last=st.none() | _days,
    is_active=st.booleans(),
)
_turns = st.lists(st.builds(Turn, _days, st.sampled_from(_SYMBOLS)), max_size=4)
_turns_in_order = _turns.map(
    lambda each: tuple({turn.first: turn for turn in sorted(each)}.values())
)


@given(
    tickers=st.lists(_tickers, max_size=12),
    events=st.dictionaries(st.sampled_from(_IDS), _turns_in_order, max_size=4),
    others=st.lists(_tickers, max_size=6),
    traded=st.sets(st.sampled_from(_SYMBOLS)),
)
def test_bronze_never_refuses_what_is_said_whatever_the_vendor_tells(
    tickers: list[Ticker],
    events: dict[str, tuple[Turn, ...]],
    others: list[Ticker],
    traded: set[str],
) -> None:
    mine = [Ticker(each.symbol, f"L-{each.listing}", last=each.last) for each in others]
    kept, _ = placed(claims_of(mine, {}, ())[0])
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        listings.commit(store, said_rows(kept), clock=SetClock(NOW))
        said, _ = said_of(Known(tickers, events, NOW), traded, kept)
        shuffled, _ = said_of(Known(tickers[::-1], events, NOW), traded, kept)
        listings.commit(store, said, clock=SetClock(NOW))

        assert said.equals(shuffled)
        assert 0 == listings.commit(store, said, clock=SetClock(NOW))


def said_rows(claims: Sequence[Claim]) -> Any:
    known = Known([], {}, NOW)
    empty, _ = said_of(known, ())
    columns = empty.columns
    found = [tuple(getattr(each, name) for name in columns) for each in claims]
    return type(empty)(found, schema=empty.schema, orient="row")


@pytest.mark.parametrize("symbol", ["BAC.PRL", "ABC.RT", "ABC.PRAWI", "BRK.B", "AAPL", "ABC.WI"])
def test_a_symbol_is_asked_for_as_the_vendor_spells_it(symbol: str) -> None:
    assert symbol == lake_symbol(massive_symbol(symbol))
