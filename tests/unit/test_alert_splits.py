"""Splits are applied to each symbol by its own flow, and move what was there before alone."""

from __future__ import annotations

import datetime as dt
from typing import Final

from lake.alerts.book import Book
from lake.alerts.rule import Rule
from lake.alerts.seen import SeenBar, Tick
from lake.bar import State
from speed_layer.alerts.sessions import dawn
from speed_layer.alerts.splits import Splits
from tests.days import calendar
from tests.evaluated_alerts import rule

SESSION: Final = dt.date(2026, 1, 6)
DAWN: Final = dawn(calendar(), SESSION)


def bar(state: State, interval: str, time: int, symbol: str = "AAPL") -> SeenBar:
    return SeenBar(symbol, interval, "regular", time, time, 1.0, 1.0, 1.0, 1.0, 1.0, state)


def test_a_split_is_due_at_the_first_of_its_symbol_and_session() -> None:
    splits = Splits(calendar())
    splits.note(SESSION, {"AAPL": 2.0})
    splits.note(SESSION, {"AAPL": 2.0, "MSFT": 3.0})

    assert [] == splits.before(Tick("GOOG", DAWN, 1, 1.0))
    assert [] == splits.before(Tick("AAPL", DAWN - 1, 1, 1.0))
    assert [] == splits.before(bar("final", "5m", DAWN - 1))
    assert [] == splits.before(bar("forming", "1d", DAWN - 1))
    assert [(SESSION, DAWN, 2.0)] == splits.before(Tick("AAPL", DAWN, 1, 1.0))
    assert splits
    assert [(SESSION, DAWN, 3.0)] == splits.before(
        bar("final", "1d", DAWN - 1)._replace(symbol="MSFT")
    )
    splits.note(SESSION, {"AAPL": 2.0, "MSFT": 3.0})
    assert not splits


def test_a_split_that_is_applied_late_leaves_alone_what_is_on_its_basis() -> None:
    book = Book()
    book.add("al_old", 1, above(100))
    book.add("al_move", 1, rule("AAPL", {"kind": "move", "percent": 40, "window": "1h"}))
    book.take([Tick("AAPL", DAWN - 1_000_000, 1, 98.0), Tick("AAPL", DAWN, 1, 49.0)])
    book.add("al_new", 1, above(60))

    for _ in range(2):
        book.rebase("AAPL", SESSION, 2.0, since=DAWN, spared={"al_new"})

    later = [Tick("AAPL", DAWN + at * 10**6, 1, price) for at, price in ((1, 51.0), (3700, 61.0))]
    assert ["al_old", "al_new"] == [firing.alert for firing in book.take(later)]


def above(level: float) -> Rule:
    return rule("AAPL", {"kind": "price", "relation": "above", "level": level})
