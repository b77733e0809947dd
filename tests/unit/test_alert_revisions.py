"""A book whose rules expire, change, go or are split, and which bars it asks for."""

from __future__ import annotations

import datetime as dt

from lake.alerts.book import BarsKey, Book
from lake.instant import written
from tests.alerting import ABOVE, BELOW, DAY_US, OPEN, SECOND_US, bar, closes, prices, rule_of, tick


def test_a_rule_ends_when_it_expires() -> None:
    expires = written(dt.datetime(2026, 1, 5, 14, 30, 10, tzinfo=dt.UTC))
    book = Book()
    book.add("al_1", 1, rule_of(ABOVE, expires=expires))
    book.changed()

    assert [] == book.take([tick(9, 99), tick(10, 101), tick(11, 99), tick(12, 101)])
    assert book.changed().rules["al_1"].is_done
    assert frozenset() == book.symbols


def test_a_revision_begins_anew() -> None:
    book = Book()
    book.add("al_1", 1, rule_of(ABOVE))
    book.take(prices(101))
    state = book.changed().rules["al_1"]
    book.add("al_1", 2, rule_of(ABOVE), state)

    assert ["al_1.2.1"] == [each.id for each in book.take([tick(1, 102)])]


def test_what_is_removed_fires_no_more_and_wants_nothing() -> None:
    close = {"kind": "close", "interval": "13d", "relation": "above", "than": {"average": 2}}
    book = Book()
    book.add("al_1", 1, rule_of(ABOVE))
    book.add("al_2", 1, rule_of(close))
    assert (frozenset({"AAPL"}), frozenset({("AAPL", "13d", "regular")})) == (
        *(book.symbols, book.wants()),
    )
    book.remove("al_1")
    book.remove("al_2")
    book.remove("al_3")

    assert [] == book.take([*prices(99, 101), *closes(1, 2, 3)])
    assert (frozenset(), frozenset()) == (book.symbols, book.wants())


def test_a_split_divides_the_levels_of_rules_and_the_prices_before_once() -> None:
    """Ten new shares for one on the second day: 1,010 becomes 101."""
    split = dt.date(2026, 1, 6)
    move = {"kind": "move", "direction": "either", "percent": 3, "window": "1m"}
    book = Book()
    book.add("al_1", 1, rule_of({**ABOVE, "level": 1_000}))
    book.add("al_2", 1, rule_of(move))
    assert 1 == len(book.take([tick(0, 1_010)]))
    book.rebase("AAPL", split, 10)
    book.rebase("AAPL", split, 10)
    rows = book.changed()
    again = Book({key: row for key, row in rows.market.items() if row is not None})
    again.add("al_1", 1, rule_of({**ABOVE, "level": 1_000}), rows.rules["al_1"])
    again.add("al_2", 1, rule_of(move), rows.rules["al_2"])
    again.rebase("AAPL", split, 10)
    again.add("al_3", 1, rule_of({**BELOW, "level": 100}))

    seen = [tick(100, 101), tick(101, 99), tick(102, 100.5)]
    for each in (book, again):
        texts = [firing.text for firing in each.take(seen)]
        assert "AAPL 100.50 above 100.00" in texts
        assert ("AAPL 99.00 below 100.00" in texts) == (each is again)
        assert not [text for text in texts if "moved" in text]


def test_bars_are_asked_for_once_a_session_and_again_for_more() -> None:
    key: BarsKey = ("AAPL", "5m", "regular")
    close = {"kind": "close", "interval": "5m", "relation": "above"}
    book = Book()
    book.add("al_1", 1, rule_of({**close, "than": {"average": 2}}))
    seen = [bar("5m", 300, 10), bar("5m", 600, 10)]
    past = [bar("5m", start, 9) for start in (-600, -300, 0)]

    assert {key: (OPEN + 300 * SECOND_US, 2)} == book.unseeded(seen)
    book.seed(key, past[-2:])
    assert {} == book.unseeded(seen)
    assert ["AAPL 5m closed 10.00 above 9.00, prior 2-bar average 9.00"] == [
        each.text for each in book.take(seen)
    ]

    later = [bar("5m", 900, 10)]
    book.add("al_2", 1, rule_of({**close, "than": {"range": 3}}))
    assert {key: (OPEN + 900 * SECOND_US, 3)} == book.unseeded(later)
    book.seed(key, [*past[-1:], *seen])
    assert {} == book.unseeded(later)

    tomorrow = [bar("5m", 86_400, 10)]
    assert {key: (OPEN + DAY_US, 3)} == book.unseeded(tomorrow)


def test_a_daily_bar_that_was_seeded_counts_once_it_is_told() -> None:
    """A price asks for the days before; the last of them is told after it, and is evaluated."""
    daily = {"kind": "close", "interval": "1d", "relation": "above", "than": {"level": 5}}
    move = {"kind": "move", "percent": 50, "window": "1d"}
    book = Book()
    book.add("al_1", 1, rule_of({"kind": "any", "of": [move, daily]}))
    yesterday = bar("1d", -86_400, 10, time=1)

    assert {("AAPL", "1d", "regular"): (OPEN - 52_200 * SECOND_US, 1)} == book.unseeded(
        [tick(0, 11)]
    )
    book.seed(("AAPL", "1d", "regular"), [yesterday])
    assert ["AAPL 1d closed 10.00 above 5.00"] == [
        each.text for each in book.take([tick(0, 11), yesterday, yesterday])
    ]
