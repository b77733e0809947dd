"""Several views as one: whom it asks, and whom it leaves in peace."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pytest

from lake.bar import Hours
from lake.errors import ViewUnavailableError
from lake.interval import DAILY, Interval
from serving_layer.view_chain import ViewChain
from tests.live import bar, bars_of, price, prices_of


class Told:
    """A view that answers with its number, or not, and counts how often it is asked."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_away = False
        self.asked = 0

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        self._ask()
        return prices_of(*(price(name, self.number) for name in symbols or ()))

    def bars(self, symbol: str, interval: Interval, hours: Hours = "regular") -> pl.DataFrame:
        self._ask()
        return bars_of(bar(symbol, self.number, interval=str(interval), hours=hours))

    def _ask(self) -> None:
        self.asked += 1
        if self.is_away:
            fact = f"View {self.number} is away."
            raise ViewUnavailableError(fact)


class Watch:
    """Shows the seconds that it was set to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def version(chain: ViewChain) -> int:
    found: int = chain.bars("A", DAILY)["version"][0]
    return found


def test_the_first_that_answers_does() -> None:
    first, second = Told(1), Told(2)
    chain = ViewChain([first, second])

    before = version(chain)
    first.is_away = True

    assert (1, 2) == (before, version(chain))
    assert ["A", "B"] == chain.price(iter(["A", "B"]))["symbol"].to_list()


def test_who_failed_rests_for_a_second_and_is_asked_again_then() -> None:
    # first   away --------- back
    # asked   x    . . . .   1
    first, second, watch = Told(1), Told(2), Watch()
    chain = ViewChain([first, second], seconds=watch)
    first.is_away = True
    while_away = [version(chain) for _ in range(4)]
    asked = first.asked
    first.is_away = False
    watch.now = 1.0

    assert ([2] * 4, 1) == (while_away, asked)
    assert 1 == version(chain)


def test_if_none_answers_the_error_says_what_each_said() -> None:
    views = [Told(1), Told(2)]
    for view in views:
        view.is_away = True
    chain = ViewChain(views)

    for _ in range(2):
        with pytest.raises(ViewUnavailableError, match=r"View 1 is away\.; View 2 is away\."):
            chain.price()
    assert [1, 1] == [view.asked for view in views]
