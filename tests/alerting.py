"""Rules and what they see, short to write; and every rule evaluated alone, as the truth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lake.alerts.book import BarsKey, Book, Firing
from lake.alerts.evaluate import Progress, beginning, evaluate, looks_at, rebased
from lake.alerts.market import BarsBefore, Market, PriceWindow
from lake.alerts.plan import Plan, plan_of
from lake.alerts.rule import Rule, parse_rule
from lake.alerts.seen import Seen, SeenBar, Tick
from lake.bar import Hours, State

SECOND_US = 1_000_000
OPEN = 1_767_623_400 * SECOND_US
"""2026-01-05T14:30:00Z, Monday: 09:30 at the exchange."""
DAY_US = 86_400 * SECOND_US
NEVER = 2**63 - 1
ABOVE = {"kind": "price", "relation": "above", "level": 100}
BELOW = {"kind": "price", "relation": "below", "level": 100}


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


@dataclass
class Among:
    """Rules that come and go, each on everything, no index: the truth of many amid a flow.

    What they share of a symbol is known while one of them looks at it, and no longer.
    """

    rules: dict[str, tuple[int, Plan, Progress]] = field(default_factory=dict)
    markets: dict[str, Market] = field(default_factory=dict)

    def add(self, alert: str, revision: int, rule: Rule) -> None:
        self.remove(alert)
        plan = plan_of(rule)
        market = self.markets.setdefault(plan.symbol, Market(plan.symbol))
        for minutes in plan.windows:
            market.windows.setdefault(minutes, PriceWindow(minutes))
        for pair, count in plan.bars.items():
            bars = market.bars.setdefault(pair, BarsBefore())
            bars.count = max(bars.count, count)
        self.rules[alert] = revision, plan, beginning(plan)

    def remove(self, alert: str) -> None:
        if self.rules.pop(alert, None):
            self._forget()

    def rebase(self, symbol: str, session: dt.date, factor: float) -> None:
        self.markets.setdefault(symbol, Market(symbol)).rebase(session, factor, NEVER)
        for alert, (revision, plan, progress) in self.rules.items():
            if plan.symbol == symbol:
                self.rules[alert] = revision, plan, rebased(plan, progress, factor)

    def seed(self, key: BarsKey, bars: Sequence[SeenBar]) -> None:
        self.markets[key[0]].bars[key[1:]].seed(bars, dt.date.min)

    def take(self, seen: Seen) -> list[Firing]:
        is_tick = isinstance(seen, Tick)
        looking = [
            alert
            for alert, (_, plan, _) in self.rules.items()
            if plan.symbol == seen[0] and (plan.has_prices if is_tick else seen[1:3] in plan.bars)
        ]
        market = self.markets.get(seen[0])
        if not looking or market is None:
            return []
        if isinstance(seen, Tick):
            counts = market.take(seen)
        else:
            counts = market.bars[seen.interval, seen.hours].take(seen)
        assert counts
        found = [self._look(alert, seen, market) for alert in sorted(looking)]
        self._forget()
        return [firing for firing in found if firing is not None]

    def _look(self, alert: str, seen: Seen, market: Market) -> Firing | None:
        revision, plan, was = self.rules[alert]
        if not looks_at(plan, seen):
            return None
        now, text = evaluate(plan, was, seen, market)
        self.rules[alert] = revision, plan, now
        if now.is_done:
            del self.rules[alert]
        if text is None:
            return None
        price = seen.price if isinstance(seen, Tick) else seen.close
        return Firing(alert, revision, now.fired, plan.symbol, seen.time, price, text)

    def _forget(self) -> None:
        for symbol, market in self.markets.items():
            plans = [plan for _, plan, _ in self.rules.values() if plan.symbol == symbol]
            windows = {minutes for plan in plans for minutes in plan.windows}
            pairs = {pair for plan in plans for pair in plan.bars}
            market.windows = {key: market.windows[key] for key in windows}
            market.bars = {key: market.bars[key] for key in pairs}
            if not any(plan.has_prices for plan in plans):
                market.price = None


def firings(rule: Rule, seen: Sequence[Seen]) -> list[Firing]:
    book = Book()
    book.add("al_1", 1, rule)
    return book.take(seen)


def seconds(rule: Rule, seen: Sequence[Seen]) -> list[int]:
    return [(each.time - OPEN) // SECOND_US for each in firings(rule, seen)]


def texts(rule: Rule, seen: Sequence[Seen]) -> list[str]:
    return [each.text for each in firings(rule, seen)]


def prices(*of: float) -> list[Seen]:
    """A tick a second."""
    return [tick(second, price) for second, price in enumerate(of)]


def closes(*of: float, interval: str = "13d", volume: float = 100) -> list[Seen]:
    return [bar(interval, at, close, volume=volume) for at, close in enumerate(of)]
