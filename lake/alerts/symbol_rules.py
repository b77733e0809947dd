"""The rules of one symbol: which of them what is seen can change, and what becomes of those."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lake.alerts.evaluate import bounds_of, evaluate, looks_at, rebased
from lake.alerts.market import BarsBefore, Market, PriceWindow
from lake.alerts.seen import Tick
from lake.alerts.watches import AT_ONCE, Watch, Watches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lake.alerts.seen import Seen, SeenBar
    from lake.bar import Hours


class SymbolRules:
    """The rules of one symbol that are not done.

    Args:
        market: What they share.

    Attributes:
        market: Likewise.
        count: How many they are.
        by_bars: Those that look at bars, by interval and hours, then by alert.
        daily_moves: How many measure moves in sessions.
    """

    __slots__ = ("_priced", "_windows", "by_bars", "count", "daily_moves", "market")

    def __init__(self, market: Market) -> None:
        self.market = market
        self.count = 0
        self.by_bars: dict[tuple[str, Hours], dict[str, Watch]] = {}
        self.daily_moves = 0
        self._priced = Watches()
        self._windows: Counter[int] = Counter()

    @property
    def has_prices(self) -> bool:
        """Whether a rule looks at prices."""
        return self._priced.count > 0

    def add(self, watch: Watch, *, goes_on: bool) -> None:
        """Take up a rule.

        Args:
            watch: The rule.
            goes_on: Whether it was evaluated all the while that the market was kept. A market that
                none looked at has gaps, which a rule that begins must not take for prices.
        """
        plan, market = watch.plan, self.market
        self.count += 1
        self.daily_moves += plan.has_daily_moves
        for minutes in plan.windows:
            if minutes not in market.windows or not (goes_on or self._windows[minutes]):
                market.windows[minutes] = PriceWindow(minutes)
            self._windows[minutes] += 1
        for pair, count in plan.bars.items():
            bars = market.bars.setdefault(pair, BarsBefore())
            rules = self.by_bars.setdefault(pair, {})
            if not rules and not goes_on:
                bars.forget()
            bars.count = max(bars.count, count)
            rules[watch.alert] = watch
        if plan.has_prices:
            if not goes_on and not self._priced.count:
                market.price = None
            self._priced.add(watch)

    def remove(self, watch: Watch) -> None:
        """Let a rule go; what it looked at stays until `tidy`."""
        plan = watch.plan
        self.count -= 1
        self.daily_moves -= plan.has_daily_moves
        for minutes in plan.windows:
            self._windows[minutes] -= 1
        for pair in plan.bars:
            rules = self.by_bars[pair]
            del rules[watch.alert]
            if not rules:
                del self.by_bars[pair]
        if plan.has_prices:
            self._priced.remove(watch)

    def tidy(self) -> list[tuple[str, Hours]]:
        """Forget what no rule looks at, and return of which bars that was."""
        market = self.market
        market.windows = {
            minutes: window for minutes, window in market.windows.items() if self._windows[minutes]
        }
        gone = [pair for pair in market.bars if pair not in self.by_bars]
        for pair in gone:
            del market.bars[pair]
        if not self._priced.count:
            market.price = None
        return gone

    def take_tick(self, tick: Tick) -> list[Watch] | None:
        """Take a tick, and return the rules that it may change; None where it does not count."""
        if not self._priced.count or not self.market.take(tick):
            return None
        return self._priced.passed(tick.time, tick.price)

    def take_bar(self, bar: SeenBar) -> list[Watch] | None:
        """Take a bar, and return the rules that look at it; None where it does not count."""
        pair = bar.interval, bar.hours
        rules = self.by_bars.get(pair)
        if not rules or not self.market.bars[pair].take(bar):
            return None
        if bar.state == "final":  # those that look at forming ones look at these, too
            return sorted(rules.values())
        return sorted(watch for watch in rules.values() if looks_at(watch.plan, bar))

    def look(self, watch: Watch, seen: Seen) -> tuple[bool, str | None]:
        """Evaluate a rule, and return whether it changed, and why it fired, if it did."""
        was = watch.progress
        watch.progress, text = evaluate(watch.plan, was, seen, self.market)
        has_changed = watch.progress is not was
        if watch.progress.is_done:
            self.remove(watch)
        elif watch.plan.has_prices and (
            has_changed or isinstance(seen, Tick) or watch.plan.has_daily_moves
        ):
            self._priced.bind(watch, *bounds_of(watch.plan, watch.progress, self.market))
        return has_changed, text

    def look_again(self, watches: Iterable[Watch]) -> None:
        """Have the next tick met by rules whose prices were changed by other than a tick."""
        for watch in watches:
            if watch.plan.has_prices:
                self._priced.bind(watch, watch.low, watch.high, AT_ONCE)

    def rebase(self, watches: Iterable[Watch], factor: float) -> None:
        """Put rules on a split's basis."""
        for watch in watches:
            watch.progress = rebased(watch.plan, watch.progress, factor)
            self.look_again([watch])
