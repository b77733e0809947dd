"""All rules, indexed: what is seen meets only those that it can change.

    book = Book(market_rows)
    book.add("al_5f0c9b2e7d31", 1, rule, state_row)
    for key, bars in history.before(book.unseeded(seen)).items():
        book.seed(key, bars)
    firings = book.take(seen)
    changed = book.changed()    # rows, to be committed with the firings

The rows are all there is to know: a book made of them goes on as this one would have, whatever of
the flow is told again. Each rule fires as `lake.alerts.evaluate` alone would have it.

Units: instants are microseconds since 1970, UTC; prices USD a share.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from lake.alerts.days import Days
from lake.alerts.evaluate import beginning, progress_of
from lake.alerts.market import BarsBefore, Market, restored
from lake.alerts.plan import plan_of
from lake.alerts.seen import Tick
from lake.alerts.symbol_rules import SymbolRules
from lake.alerts.watches import Watch
from lake.bar import Hours

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lake.alerts.rule import Rule
    from lake.alerts.seen import Seen, SeenBar

_NEVER: Final = 2**63 - 1
BarsKey: TypeAlias = tuple[str, str, Hours]
"""Symbol, interval and hours."""


class Firing(NamedTuple):
    """A rule that became true.

    Attributes:
        alert: Whose.
        revision: Of the rule.
        number: Counts the firings of a revision from 1.
        symbol: Of what.
        time: Of what was seen.
        price: The price, or the bar's close.
        text: Why, in a sentence.
    """

    alert: str
    revision: int
    number: int
    symbol: str
    time: int
    price: float
    text: str

    @property
    def id(self) -> str:
        """Names it, for good."""
        return f"{self.alert}.{self.revision}.{self.number}"


@dataclass(frozen=True, slots=True)
class RuleState:
    """How far a rule is: a row of ALERT_STATES.

    Attributes:
        revision: Of the rule.
        state: JSON.
        fired: How often this revision fired.
        last_fired: When it last did; None where it did not.
        is_done: Whether it fires no more.
    """

    revision: int
    state: str
    fired: int
    last_fired: int | None
    is_done: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows that changed.

    Attributes:
        rules: By alert, of ALERT_STATES.
        market: By key, JSON, of ALERT_MARKET; None: no rule looks at it any more.
    """

    rules: dict[str, RuleState]
    market: dict[str, str | None]


class Book:
    """All rules, how far each is, and what they share.

    Args:
        market: Rows of ALERT_MARKET, as `changed` told them.
    """

    def __init__(self, market: Mapping[str, str] | None = None) -> None:
        self._stored = _by_symbol(market or {})
        self._pages: dict[str, SymbolRules] = {}
        self._watches: dict[str, Watch] = {}
        self._changed: defaultdict[str, dict[str, Watch]] = defaultdict(dict)
        self._changed_markets: dict[str, SymbolRules] = {}
        self._changed_bars: dict[BarsKey, BarsBefore] = {}
        self._seeding: dict[BarsKey, dt.date] = {}
        self._left = set(self._stored)
        """Symbols of whose market there may be what no rule looks at."""
        self._split = dt.date.min
        self._days = Days()

    def add(self, alert: str, revision: int, rule: Rule, state: RuleState | None = None) -> None:
        """Evaluate a rule from now on, in the place of the alert's earlier one.

        Args:
            alert: Whose.
            revision: Of the rule.
            rule: The rule.
            state: How far it is; None, or of another revision: it begins anew.
        """
        self.remove(alert)
        plan = plan_of(rule)
        goes_on = state is not None and state.revision == revision
        if state is not None and goes_on:
            progress = progress_of(
                plan,
                state.state,
                fired=state.fired,
                last_fired=state.last_fired,
                is_done=state.is_done,
            )
        else:
            progress = beginning(plan)
        watch = self._watches[alert] = Watch(alert, revision, plan, progress)
        if not goes_on:
            self._changed[plan.symbol][alert] = watch
        if progress.is_done:
            return
        page = self._page(plan.symbol)
        page.add(watch, goes_on=goes_on)
        if not goes_on:
            # What it begins with is kept with its first state: else a book that is made of the
            # rows would take what they say from before for what it saw.
            self._changed_markets[plan.symbol] = page
            for pair in plan.bars:
                self._changed_bars[plan.symbol, *pair] = page.market.bars[pair]

    def remove(self, alert: str) -> None:
        """Evaluate an alert no more; one that is not here is none."""
        watch = self._watches.pop(alert, None)
        if watch is None:
            return
        self._changed.get(watch.plan.symbol, {}).pop(alert, None)
        if not watch.progress.is_done:
            self._pages[watch.plan.symbol].remove(watch)
            self._left.add(watch.plan.symbol)

    def unseeded(self, seen: Sequence[Seen]) -> dict[BarsKey, tuple[int, int]]:
        """Return the bars that are needed before `seen` can be evaluated.

        Bars are wanted anew in each session, since a split moves all earlier prices.

        Args:
            seen: What is to be taken next, of one session.

        Returns:
            By key: `before_us`, and how many of the final bars that begin before that are wanted,
            the last ones, on the split basis of the session.
        """
        wanted: dict[BarsKey, tuple[int, int]] = {}
        for item in seen:
            page = self._pages.get(item[0])
            if page is None or not page.by_bars:
                continue
            if isinstance(item, Tick):
                if page.daily_moves:
                    # Of daily bars the price is held to those that were told, if any was.
                    told = page.market.bars[_DAILY].final
                    start = self._days.midnight(item.time) if told is None else told
                    self._want(wanted, page, _DAILY, start, item.time)
            else:
                self._want(wanted, page, (item.interval, item.hours), item.start, item.time)
        return wanted

    def seed(self, key: BarsKey, bars: Sequence[SeenBar]) -> None:
        """Take the bars that `unseeded` asked for.

        Args:
            key: Which.
            bars: Oldest first; fewer than asked for, or none, where there are no more.
        """
        symbol, interval, hours = key
        page = self._pages.get(symbol)
        rules = page.by_bars.get((interval, hours)) if page else None
        if page is None or not rules:
            return
        before = page.market.bars[interval, hours]
        before.seed(bars, self._seeding.pop(key, dt.date.min))
        self._changed_bars[key] = before
        self._changed_markets[symbol] = page
        page.look_again(rules.values())

    def take(self, seen: Sequence[Seen]) -> list[Firing]:
        """Evaluate what is seen, and return what fired, in order.

        Args:
            seen: In the order of the flow. What was taken before, or lies before that, changes
                nothing; nor does what no rule looks at.
        """
        firings: list[Firing] = []
        for item in seen:
            page = self._pages.get(item[0])
            if page is None:
                continue
            if isinstance(item, Tick):
                watches, price = page.take_tick(item), item.price
            else:
                watches, price = page.take_bar(item), item.close
            if watches is None:
                continue
            self._changed_markets[item[0]] = page
            if not isinstance(item, Tick) and item.state == "final":
                key = (item.symbol, item.interval, item.hours)
                self._changed_bars[key] = page.market.bars[item.interval, item.hours]
            for watch in watches:
                has_changed, text = page.look(watch, item)
                if has_changed:
                    self._changed[item[0]][watch.alert] = watch
                    if watch.progress.is_done:
                        self._left.add(item[0])
                if text is not None:
                    number = watch.progress.fired
                    which = (watch.alert, watch.revision, number, item.symbol)
                    firings.append(Firing(*which, item.time, price, text))
        return firings

    @property
    def unkept(self) -> set[str]:
        """The symbols of which something changed that `changed` did not tell yet."""
        return self._changed.keys() | self._changed_markets.keys()

    def changed(
        self, awaited: Collection[str] = (), symbols: Collection[str] | None = None
    ) -> Changed:
        """Return the rows that changed since the last call, the first ones of new rules with them.

        What no rule looks at is forgotten. The rows of a symbol are to be committed together, and
        with its firings that `take` returned meanwhile. Symbols know nothing of each other.

        Args:
            awaited: Symbols of which rules are still to be added that go on: nothing of those is
                forgotten.
            symbols: Of which; None: of all. What changed of others waits.
        """
        told: dict[str, str | None] = dict.fromkeys(self._tidied(awaited))
        rules: dict[str, RuleState] = {}
        for symbol in self.unkept if symbols is None else symbols:
            watches = self._changed.pop(symbol, {})
            rules |= {alert: _row(watch) for alert, watch in watches.items()}
            if page := self._changed_markets.pop(symbol, None):
                told[symbol] = page.market.told()
                for key in [(symbol, *pair) for pair in page.market.bars]:
                    if bars := self._changed_bars.pop(key, None):
                        told[" ".join(key)] = bars.told()
        return Changed(rules, told)

    def wants(self) -> frozenset[BarsKey]:
        """Return the keys of the bars that rules look at which are not done."""
        return frozenset(
            (symbol, *pair) for symbol, page in self._pages.items() for pair in page.by_bars
        )

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols with rules that look at prices and are not done."""
        return frozenset(symbol for symbol, page in self._pages.items() if page.has_prices)

    def rebase(
        self,
        symbol: str,
        session: dt.date,
        factor: float,
        *,
        since: int = _NEVER,
        spared: Collection[str] = (),
    ) -> None:
        """Put a symbol on the basis after a split; twice for one session changes nothing.

        The levels of its rules and its prices from before are divided. Rules that are added later
        are on that basis as they are.

        Args:
            symbol: Whose split.
            session: From which on it is effective: before anything of that is taken.
            factor: New shares for one.
            since: From when on prices are on that basis, where some of them were taken.
            spared: Alerts whose rules are on that basis as they are.
        """
        page = self._page(symbol)
        if not page.market.rebase(session, factor, since):
            return
        if session > self._split:
            self._split = session
            self._left |= {each for each, other in self._pages.items() if not other.count}
        self._changed_markets[symbol] = page
        for pair, bars in page.market.bars.items():
            if pair in page.by_bars:
                self._changed_bars[symbol, *pair] = bars
        rules = [
            watch
            for watch in self._watches.values()
            if watch.plan.symbol == symbol and not watch.progress.is_done
        ]
        page.look_again(rules)
        rules = [watch for watch in rules if watch.alert not in spared]
        page.rebase(rules, factor)
        self._changed[symbol] |= {watch.alert: watch for watch in rules}

    def _page(self, symbol: str) -> SymbolRules:
        page = self._pages.get(symbol)
        if page is None:
            page = self._pages[symbol] = SymbolRules(self._market(symbol))
        return page

    def _market(self, symbol: str) -> Market:
        stored = self._stored.pop(symbol, {})
        told = stored.pop("", None)
        if told is None:
            return Market(symbol)
        market = restored(symbol, told, stored)
        self._split = max(self._split, market.split or self._split)
        return market

    def _tidied(self, awaited: Collection[str]) -> list[str]:
        """Forget what no rule looks at, and return the keys of its rows."""
        left = self._left.difference(awaited)
        self._left -= left
        gone: list[str] = []
        for symbol, page in [(symbol, self._page(symbol)) for symbol in left]:
            for pair in page.tidy():
                self._changed_bars.pop((symbol, *pair), None)
                self._seeding.pop((symbol, *pair), None)
                gone.append(" ".join((symbol, *pair)))
            # Which split was the last stays known: it is told once more after a restart.
            split = page.market.split
            if page.count or (split is not None and split >= self._split):
                self._changed_markets[symbol] = page
            else:
                del self._pages[symbol]
                self._changed_markets.pop(symbol, None)
                gone.append(symbol)
        return gone

    def _want(
        self,
        wanted: dict[BarsKey, tuple[int, int]],
        page: SymbolRules,
        pair: tuple[str, Hours],
        start: int,
        time: int,
    ) -> None:
        """Note the bars that are needed before the one that begins at `start`, and counts then."""
        key = (page.market.symbol, *pair)
        if pair not in page.by_bars or key in wanted:
            return
        bars, session = page.market.bars[pair], self._days.of(time)
        if not bars.count or (bars.asked >= bars.count and session <= bars.session):
            return
        before = start if bars.final is None else max(start, bars.final + 1)
        wanted[key] = before, bars.count
        self._seeding[key] = max(session, bars.session)


_DAILY: Final[tuple[str, Hours]] = ("1d", "regular")


def _by_symbol(market: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return rows by symbol: its own under an empty text, those of bars by interval and hours."""
    found: dict[str, dict[str, str]] = {}
    for key, told in market.items():
        symbol, _, pair = key.partition(" ")
        found.setdefault(symbol, {})[pair] = told
    return found


def _row(watch: Watch) -> RuleState:
    progress = watch.progress
    return RuleState(
        watch.revision, progress.told(), progress.fired, progress.last_fired, progress.is_done
    )
