"""Several views as one: whom it asks, and whom it leaves in peace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import polars as pl
import pytest

from lake.bar import Hours
from lake.errors import ViewUnavailableError
from lake.interval import DAILY, Interval
from serving_layer.view_chain import ViewChain
from tests.live import bar, bars_of, price, prices_of

PATIENT_S = 30


class Told:
    """A view that answers with its number, or not, and counts how often it is asked."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_away = False
        self.asked = 0
        self.goes_on = threading.Event()
        self.goes_on.set()

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        self._ask()
        return prices_of(*(price(name, self.number) for name in symbols or ()))

    def bars(self, symbol: str, interval: Interval, hours: Hours = "regular") -> pl.DataFrame:
        self._ask()
        return bars_of(bar(symbol, self.number, interval=str(interval), hours=hours))

    def _ask(self) -> None:
        self.asked += 1
        assert self.goes_on.wait(PATIENT_S)
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


def hanging(
    chain: ViewChain, view: Told, askers: int, pool: ThreadPoolExecutor
) -> list[Future[int]]:
    """Let some ask a view that hangs, and wait until they do."""
    view.goes_on.clear()
    before = view.asked
    waiting = [pool.submit(version, chain) for _ in range(askers)]
    until(lambda: view.asked == before + askers)
    return waiting


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_view_that_hangs_is_waited_for_by_those_before_alone() -> None:
    # first   asked -------- hangs -------- answers
    # seconds 0     0.4  0.5
    #               asks others: the second answers
    first, second, watch = Told(1), Told(2), Watch()
    chain = ViewChain([first, second], seconds=watch)
    with ThreadPoolExecutor() as pool:
        waiting = hanging(chain, first, 1, pool)
        watch.now = 0.4
        waiting += hanging(chain, first, 1, pool)
        watch.now = 0.5
        meanwhile = [version(chain) for _ in range(50)]
        first.goes_on.set()

    assert ([2] * 50, [1, 1]) == (meanwhile, [each.result() for each in waiting])
    assert 1 == version(chain)


def test_few_wait_for_a_view_that_hangs_however_many_ask_at_once() -> None:
    first, second = Told(1), Told(2)
    chain = ViewChain([first, second])
    with ThreadPoolExecutor(40) as pool:
        waiting = hanging(chain, first, 8, pool)
        others = list(pool.map(lambda _: version(chain), range(32)))
        first.goes_on.set()

    assert ([2] * 32, 8) == (others, first.asked)
    assert [1] * 8 == [each.result() for each in waiting]


def test_one_alone_tries_a_view_that_failed() -> None:
    # first   away | rests | hangs -------------- answers
    # asked   x            | by one, not by others
    first, second, watch = Told(1), Told(2), Watch()
    chain = ViewChain([first, second], seconds=watch)
    first.is_away = True
    version(chain)
    first.is_away = False
    watch.now = 1.0
    with ThreadPoolExecutor() as pool:
        waiting = hanging(chain, first, 1, pool)
        meanwhile = [version(chain) for _ in range(5)]
        first.goes_on.set()

    assert ([2] * 5, 2) == (meanwhile, first.asked)
    assert [1] == [each.result() for each in waiting]


def test_where_all_hang_the_error_says_so_at_once() -> None:
    view, watch = Told(1), Watch()
    chain = ViewChain([view], seconds=watch)
    with ThreadPoolExecutor() as pool:
        hanging(chain, view, 1, pool)
        watch.now = 2.0
        with pytest.raises(ViewUnavailableError, match=r"It has been waited for since 2\.0 s\."):
            version(chain)
        view.goes_on.set()
