"""When what changed is offered to be kept."""

from __future__ import annotations

import time

from lake.alerts.book import Book
from speed_layer.alerts.offering import Due, Round
from tests.alerting import rule_of, tick


def book_of(*symbols: str) -> Book:
    book = Book()
    for symbol in symbols:
        above = {"kind": "price", "relation": "above", "level": 100}
        book.add(f"al_{symbol}", 1, rule_of(above, symbol=symbol))
    return book


def test_a_round_offers_all_symbols_once_a_slice_at_a_time() -> None:
    symbols = [f"S{number}" for number in range(601)]
    made = Round("here", {}, list(symbols))

    slices = []
    while made.symbols:
        slices.append(made.slice())

    assert [250, 250, 101] == [len(some) for some in slices]
    assert symbols == [symbol for some in slices for symbol in some]


def test_the_rows_of_a_symbol_are_told_alone_and_those_of_others_wait() -> None:
    book = book_of("AA", "BB")
    book.take([tick(1, 101.0, "AA"), tick(1, 99.0, "BB")])
    assert {"AA", "BB"} == book.unkept

    first = book.changed(symbols={"AA"})
    assert (set(first.rules), set(first.market)) == ({"al_AA"}, {"AA"})
    assert {"BB"} == book.unkept

    rest = book.changed()
    assert (set(rest.rules), set(rest.market)) == ({"al_BB"}, {"BB"})
    assert set() == book.unkept


def test_a_book_of_rows_kept_at_different_times_fires_nothing_twice() -> None:
    """AA fired and was kept alone; the position is from before, so both are told again."""
    book = book_of("AA", "BB")
    begun = book.changed()
    seen = [tick(1, 99.0, "AA"), tick(2, 101.0, "AA"), tick(3, 101.0, "BB")]
    fired = book.take(seen[:2])
    kept = book.changed(symbols={"AA"})
    lost = book.take(seen[2:])

    rows = begun.rules | kept.rules
    market = {key: row for key, row in (begun.market | kept.market).items() if row is not None}
    again = Book(market)
    for symbol in ("AA", "BB"):
        above = {"kind": "price", "relation": "above", "level": 100}
        rule = rule_of(above, symbol=symbol)
        again.add(f"al_{symbol}", 1, rule, rows[f"al_{symbol}"])

    assert ["al_AA.1.1"] == [each.id for each in fired]
    assert lost == again.take(seen)


def test_something_is_offered_ten_times_a_second_at_most() -> None:
    due = Due(offered=time.monotonic())
    assert not due.is_now
    due.offered -= 0.2
    assert due.is_now


def test_a_round_begins_every_five_seconds_or_as_seldom_as_the_flow_wants() -> None:
    now = time.monotonic()

    assert [False, True, False] == [
        Due(placed=now - since_s).is_round(place_s) for since_s, place_s in [(4, 0), (6, 0), (6, 9)]
    ]
