"""How long prices wait for the rules of alerts, and how many of them one core evaluates.

Ticks become due at a rate; a loop takes those that are, evaluates them, and every 100 ms asks for
the rows that changed, as the live service does. A tick's latency is from its due instant until it
is evaluated, with all that was due with it or before.
"""

from __future__ import annotations

import gc
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import numpy as np

from lake.alerts.book import Book
from lake.alerts.evaluate import Progress, beginning, evaluate
from lake.alerts.market import Market, PriceWindow
from lake.alerts.plan import Plan, plan_of
from lake.alerts.seen import Seen, Tick
from tests.bench.alert_flow import MadeUpFlow, made_up_rules
from tests.bench.timing import markdown, resident_bytes, run_alone

RULES: Final = 100_000
SYMBOLS: Final = 10_000
PER_SECOND: Final = 10_000
SECONDS: Final = 10.0
MINUTE_S: Final = 60.0
_IDLE_S: Final = 0.0005
_ROWS_S: Final = 0.1
_MOST_TICKS: Final = 300_000
_MOST_S: Final = 5.0
_BATCH: Final = 100


class Evaluator(Protocol):
    """Something that is measured: made of how many rules, of how many symbols, and the flow."""

    def take(self, seen: Sequence[Seen]) -> int:
        """Evaluate what is seen, and return how many rules fired."""
        ...

    def rows(self) -> None:
        """Write what changed."""
        ...

    def minute(self, at: int) -> list[Seen]:
        """Return the bars that end with a minute."""
        ...


class Indexed:
    """The book."""

    def __init__(self, rules: int, symbols: int, flow: MadeUpFlow) -> None:
        self.book = Book()
        for alert, rule in made_up_rules(rules, symbols):
            self.book.add(alert, 1, rule)
        flow.before(self.book)
        self._flow = flow

    def take(self, seen: Sequence[Seen]) -> int:
        self.book.unseeded(seen)
        return len(self.book.take(seen))

    def rows(self) -> None:
        self.book.changed()

    def minute(self, at: int) -> list[Seen]:
        return [*self._flow.bars(self.book, 0, at)]


class Floor:
    """The last price of each symbol, and no rule."""

    def __init__(self, rules: int, symbols: int, flow: MadeUpFlow) -> None:
        del rules, symbols, flow
        self._last: dict[str, float] = {}

    def take(self, seen: Sequence[Seen]) -> int:
        for item in seen:
            if isinstance(item, Tick):
                self._last[item.symbol] = item.price
        return 0

    def rows(self) -> None:
        self._last.copy()

    def minute(self, at: int) -> list[Seen]:
        del at
        return []


class OfSymbol:
    """Every rule of a symbol on each of its ticks, by the same pure function."""

    def __init__(self, rules: int, symbols: int, flow: MadeUpFlow) -> None:
        del flow
        self._markets: dict[str, Market] = {}
        self._rules: dict[str, list[tuple[Plan, Progress]]] = defaultdict(list)
        for _, rule in made_up_rules(rules, symbols):
            plan = plan_of(rule)
            if not plan.has_prices or plan.bars:
                continue  # it would have to keep bars, too
            market = self._markets.setdefault(plan.symbol, Market(plan.symbol))
            market.windows |= {minutes: PriceWindow(minutes) for minutes in plan.windows}
            self._rules[plan.symbol].append((plan, beginning(plan)))

    def take(self, seen: Sequence[Seen]) -> int:
        fired = 0
        for item in seen:
            market = self._markets.get(item.symbol)
            if not isinstance(item, Tick) or market is None or not market.take(item):
                continue
            for symbol in self._looked_at(item.symbol):
                rules = self._rules[symbol]
                for at, (plan, progress) in enumerate(rules):
                    if plan.symbol != item.symbol:
                        continue
                    now, text = evaluate(plan, progress, item, market)
                    rules[at] = plan, now
                    fired += text is not None
        return fired

    def rows(self) -> None:
        self._rules.copy()

    def minute(self, at: int) -> list[Seen]:
        del at
        return []

    def _looked_at(self, symbol: str) -> Sequence[str]:
        return (symbol,)


class OfAll(OfSymbol):
    """Every rule on each tick."""

    def _looked_at(self, symbol: str) -> Sequence[str]:
        del symbol
        return tuple(self._rules)


KINDS: Final[dict[str, Callable[[int, int, MadeUpFlow], Evaluator]]] = {
    "book": Indexed,
    "floor": Floor,
    "symbol": OfSymbol,
    "all": OfAll,
}


def paced(kind: str, rules: int, symbols: int, per_second: int, seconds: float) -> dict[str, Any]:
    """Return the latencies of ticks that become due at a rate, on one core.

    In a run of a minute or longer a minute ends, half way: its bars come all at once.
    """
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    flow, before = MadeUpFlow(symbols), resident_bytes()
    begun = time.process_time()
    evaluator = KINDS[kind](rules, symbols, flow)
    adding = time.process_time() - begun
    gc.collect()
    held = resident_bytes() - before
    evaluator.take(flow.warm_up())
    evaluator.rows()
    ticks = flow.ticks(int(per_second * seconds), per_second)
    half = ticks[len(ticks) // 2].time
    minute = evaluator.minute(half) if seconds >= MINUTE_S else []
    gc.collect()
    gc.freeze()  # as what serves does once it has begun
    cpu, fired = time.process_time(), 0
    done, fired, span = _run(evaluator, ticks, minute, per_second)
    cpu = time.process_time() - cpu
    late = (done - np.arange(len(ticks)) / per_second) * 1000
    p50, p99, p999 = np.percentile(late, [50, 99, 99.9])
    return {
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "p999_ms": float(p999),
        "max_ms": float(late.max()),
        "cpu": cpu / span,
        "fired": fired / span,
        "bytes": held / rules,
        "add_us": adding / rules * 1e6,
    }


def _run(
    evaluator: Evaluator, ticks: Sequence[Tick], minute: list[Seen], per_second: int
) -> tuple[Any, int, float]:
    """Return when each tick was evaluated, how often rules fired, and how long it took."""
    done, half = np.zeros(len(ticks)), len(ticks) // 2
    told, fired, rows_due = 0, 0, _ROWS_S
    begun = time.perf_counter()
    while told < len(ticks):
        now = time.perf_counter() - begun
        due = min(int(now * per_second) + 1, len(ticks))
        if due == told:
            time.sleep(_IDLE_S)
            continue
        seen: list[Seen] = list(ticks[told:due])
        if told <= half < due:
            seen = minute + seen
        fired += evaluator.take(seen)
        done[told:due] = time.perf_counter() - begun
        told = due
        if now >= rows_due:
            evaluator.rows()
            rows_due = now + _ROWS_S
    return done, fired, time.perf_counter() - begun


def at_most(kind: str, rules: int, symbols: int, most_s: float) -> dict[str, Any]:
    """Return how many ticks one core evaluates in a second of its time, in batches of a hundred."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    flow = MadeUpFlow(symbols)
    evaluator = KINDS[kind](rules, symbols, flow)
    if kind != "all":
        evaluator.take(flow.warm_up())
    evaluator.rows()
    ticks = flow.ticks(_MOST_TICKS if symbols > 1 else _MOST_TICKS // 10, PER_SECOND)
    gc.collect()
    gc.freeze()
    batch = _BATCH if kind != "all" else 1
    taken, begun = 0, time.process_time()
    while taken < len(ticks) and time.process_time() - begun < most_s:
        evaluator.take(ticks[taken : taken + batch])
        taken += batch
    return {"ticks": taken / (time.process_time() - begun)}


_COLUMNS: Final = (
    ("p50 ms", "p50_ms", "{:.2f}"),
    ("p99 ms", "p99_ms", "{:.2f}"),
    ("p99.9 ms", "p999_ms", "{:.1f}"),
    ("max ms", "max_ms", "{:.1f}"),
    ("CPU", "cpu", "{:.0%}"),
    ("fired/s", "fired", "{:,.0f}"),
    ("bytes a rule", "bytes", "{:,.0f}"),
)
_NAMES: Final = {
    "book": "index",
    "floor": "floor: last prices, no rules",
    "symbol": "each rule of the symbol",
    "all": "each rule",
}


def waits(symbols: int, *, is_full: bool) -> str:
    """Return the table of latencies: by rules, by ticks a second, and of what there is beside."""
    rows = []
    for kind, rules, per_second, seconds in _runs(is_full=is_full):
        told = run_alone(
            paced,
            kind=kind,
            rules=rules,
            symbols=min(symbols, rules) if kind == "book" else symbols,
            per_second=per_second,
            seconds=seconds,
        ).result
        shown = [form.format(told[key]) for _, key, form in _COLUMNS]
        if kind != "book":
            shown[-1] = ""
        name = f"{_NAMES[kind]}, bars too" if seconds == MINUTE_S else _NAMES[kind]
        rows.append([name, f"{rules:,}", f"{per_second:,}", *shown])
    names = [name for name, _, _ in _COLUMNS]
    return markdown(["evaluated by", "rules", "ticks/s", *names], rows)


def _runs(*, is_full: bool) -> list[tuple[str, int, int, float]]:
    if not is_full:
        return [(kind, 200, 1_000, 0.5) for kind in ("book", "floor", "symbol")]
    promised = [("book", RULES, PER_SECOND, seconds) for seconds in (MINUTE_S, SECONDS)]
    by_rules = [("book", rules, PER_SECOND, SECONDS) for rules in (1_000, 10_000, 1_000_000)]
    by_ticks = [("book", RULES, rate, SECONDS) for rate in (1_000, 20_000, 50_000, 100_000)]
    beside = [(kind, RULES, PER_SECOND, SECONDS) for kind in ("floor", "symbol")]
    return [*promised, *by_rules, *by_ticks, *beside]


def throughput(symbols: int, *, is_full: bool) -> str:
    """Return the table of ticks a second at most."""
    rules, most_s = (RULES, _MOST_S) if is_full else (200, 0.3)
    rows = []
    for kind, of in [*((kind, symbols) for kind in KINDS), ("book", 1), ("symbol", 1)]:
        told = run_alone(at_most, kind=kind, rules=rules, symbols=of, most_s=most_s).result
        rows.append([_NAMES[kind], f"{of:,}", f"{told['ticks']:,.0f}"])
    return markdown(["evaluated by", "symbols", "ticks/s"], rows)
