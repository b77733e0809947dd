"""Rules and what they see, short to write; and every rule evaluated alone, as the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lake.alerts.book import BarsKey, Firing
from lake.alerts.evaluate import Progress, beginning, evaluate, looks_at
from lake.alerts.market import BarsBefore, Market, PriceWindow
from lake.alerts.plan import plan_of
from lake.alerts.rule import Rule, parse_rule
from lake.alerts.seen import Seen, SeenBar, Tick
from lake.bar import Hours, State

SECOND_US = 1_000_000
OPEN = 1_767_623_400 * SECOND_US
"""2026-01-05T14:30:00Z, Monday: 09:30 at the exchange."""
DAY_US = 86_400 * SECOND_US


def rule_of(when: Mapping[str, object], **rest: object) -> Rule:
    document = {"symbol": "AAPL", "repeat": True, "cooldown_seconds": 0, "when": when, **rest}
    return parse_rule(document)


def tick(second: float, price: float, symbol: str = "AAPL", sequence: int = 0) -> Tick:
    return Tick(symbol, OPEN + int(second * SECOND_US), sequence, price)


def bar(
    interval: str,
    start: int,
    close: float,
    *,
    volume: float = 100.0,
    state: State = "final",
    symbol: str = "AAPL",
    hours: Hours = "regular",
    high: float | None = None,
    low: float | None = None,
    time: int | None = None,
) -> SeenBar:
    """A bar whose start is a number, counted as seconds after OPEN, and whose time is likewise."""
    begin = OPEN + start * SECOND_US
    at = begin if time is None else OPEN + time * SECOND_US
    prices = (close, close if high is None else high, close if low is None else low, close)
    return SeenBar(symbol, interval, hours, begin, at, *prices, volume, state)


@dataclass
class Past:
    """History: what final bars there are, asked for as a Book asks."""

    bars: Sequence[SeenBar]

    def before(self, wanted: Mapping[BarsKey, tuple[int, int]]) -> dict[BarsKey, list[SeenBar]]:
        return {key: self._last(key, *asked) for key, asked in wanted.items()}

    def _last(self, key: BarsKey, before_us: int, count: int) -> list[SeenBar]:
        found = [each for each in self.bars if each[:3] == key and each.start < before_us]
        return sorted(found, key=lambda each: each.start)[-count:]


@dataclass
class Alone:
    """One rule and its own market: every item that it looks at, through the pure function."""

    alert: str
    rule: Rule
    past: Past
    fired: list[Firing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plan = plan_of(self.rule)
        self.progress: Progress = beginning(self.plan)
        self.market = Market(self.rule.symbol)
        for minutes in self.plan.windows:
            self.market.windows[minutes] = PriceWindow(minutes)
        for pair, count in self.plan.bars.items():
            self.market.bars[pair] = BarsBefore()
            self.market.bars[pair].count = count

    def take(self, seen: Seen) -> Firing | None:
        if seen[0] != self.rule.symbol or not looks_at(self.plan, seen):
            return None
        if isinstance(seen, Tick):
            counts, price = self.market.take(seen), seen.price
        else:
            counts, price = self.market.bars[seen.interval, seen.hours].take(seen), seen.close
        if not counts:
            return None
        self.progress, text = evaluate(self.plan, self.progress, seen, self.market)
        if text is None:
            return None
        number = self.progress.fired
        return Firing(self.alert, 1, number, self.rule.symbol, seen.time, price, text)
