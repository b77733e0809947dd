"""Made-up alert rules, and the ticks and bars that they are evaluated on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from lake.alerts.book import Book
from lake.alerts.rule import Rule, parse_rule
from lake.alerts.seen import SeenBar, Tick
from tests.alerting import OPEN, SECOND_US

WARM_UP_S: Final = 360
"""Of the flow: moves are measured over five minutes."""
_EVERY_S: Final = 10
_BARS: Final = 20
_STEP: Final = 0.0002
_SPREAD: Final = 0.05
"""How far levels lie from the price, at most."""


def names(symbols: int) -> list[str]:
    """Return symbols."""
    return [f"S{number:05}" for number in range(symbols)]


def first_prices(symbols: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return where each symbol's price begins."""
    return np.random.default_rng(7).uniform(10, 500, symbols)


def made_up_rules(count: int, symbols: int) -> Iterator[tuple[str, Rule]]:
    """Yield rules of all kinds, spread over symbols: levels around the first price."""
    rng = np.random.default_rng(11)
    at, spread = first_prices(symbols), rng.uniform(1 - _SPREAD, 1 + _SPREAD, count)
    symbol = names(symbols)
    for number in range(count):
        place = number % symbols
        when = _condition(
            number // symbols if count > symbols else number, at[place], spread[number]
        )
        document = {"symbol": symbol[place], "when": when, "repeat": True, "cooldown_seconds": 60}
        yield f"al_{number:012x}", parse_rule(document)


def _condition(kind: int, at: float, spread: float) -> dict[str, Any]:
    level = round(float(at * spread), 2)
    price = {"kind": "price", "level": level, "hysteresis_percent": 0.1}
    close = {"kind": "close", "interval": "1m", "relation": "above"}
    kinds: list[dict[str, Any]] = [
        {**price, "relation": "above"},
        {**price, "relation": "below"},
        {**price, "relation": "crosses"},
        {**price, "relation": "crosses_up"},
        {**price, "relation": "crosses_down"},
        {"kind": "move", "percent": 1.0, "window": "5m", "hysteresis_percent": 0.2},
        {"kind": "move", "percent": 0.5, "window": "1m", "hysteresis_percent": 0.1},
        {**close, "than": {"range": 13}},
        {"kind": "all", "of": [{**price, "relation": "above"}, {**close, "than": {"average": 20}}]},
        {"kind": "any", "of": [{**price, "relation": "above"}, {**price, "relation": "crosses"}]},
    ]
    return kinds[kind % len(kinds)]


class MadeUpFlow:
    """Prices that walk at random, symbol by symbol in a random order.

    Args:
        symbols: How many.
    """

    def __init__(self, symbols: int) -> None:
        self._rng = np.random.default_rng(13)
        self._names = names(symbols)
        self._prices = first_prices(symbols)
        self._sequence = 0

    def warm_up(self) -> list[Tick]:
        """Return a tick of each symbol every ten seconds, up to where `ticks` begins."""
        instants = range(-WARM_UP_S, 0, _EVERY_S)
        everyone = np.arange(len(self._names))
        return [
            tick for at in instants for tick in self._ticks(everyone, np.full(everyone.size, at))
        ]

    def ticks(self, count: int, per_second: int) -> list[Tick]:
        """Return ticks, so many a second of the flow."""
        places = self._rng.integers(0, len(self._names), count)
        return self._ticks(places, np.arange(count) / per_second)

    def bars(self, book: Book, minute: int, time: int) -> list[SeenBar]:
        """Return a bar of that minute of each symbol whose minutes are looked at.

        Args:
            book: Who looks.
            minute: Which, counted from the first tick.
            time: When it is final.
        """
        place = {name: at for at, name in enumerate(self._names)}
        found = []
        for symbol, interval, hours in sorted(book.wants()):
            price, start = float(self._prices[place[symbol]]), OPEN + minute * 60 * SECOND_US
            ohlc = (price, price * 1.002, price * 0.998, price * self._rng.uniform(0.998, 1.003))
            found.append(SeenBar(symbol, interval, hours, start, time, *ohlc, 1e5, "final"))
        return found

    def before(self, book: Book) -> None:
        """Let the book know the minutes before."""
        bars = [self.bars(book, -minute, 0) for minute in range(_BARS + 1, 0, -1)]
        book.unseeded([bar._replace(start=OPEN, time=OPEN) for bar in bars[0]])
        for of_symbol in zip(*bars, strict=True):
            book.seed(of_symbol[0][:3], of_symbol)

    def _ticks(self, places: Any, seconds: Any) -> list[Tick]:
        steps = np.exp(self._rng.normal(0, _STEP, places.size))
        times = OPEN + (seconds * SECOND_US).astype(np.int64)
        found = []
        for place, time, step in zip(places.tolist(), times.tolist(), steps.tolist(), strict=True):
            price = self._prices[place] = self._prices[place] * step
            self._sequence += 1
            found.append(Tick(self._names[place], time, self._sequence, round(float(price), 2)))
        return found
