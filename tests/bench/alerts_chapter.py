"""The chapter of alerts: how soon rules are evaluated, and what an index of them is worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.bench.alerts import MINUTE_S, PER_SECOND, RULES, SECONDS, SYMBOLS, throughput, waits
from tests.bench.alerts_live import live_waits
from tests.bench.chapter import Chapter, Sections, Size
from tests.bench.dry_run import dry_runs

_FULL: Final = 1_000
_FEW: Final = 20
_INTRODUCTION: Final = """# Alerts

Written by `make bench` on {machine}.

`make bench ARGS='--chapter alerts'` measures this chapter alone.
"""
_TEXTS: Final = {
    "rules": """## From a price to its rules

Ticks of {symbols:,} symbols become due at a steady rate for {seconds:.0f} seconds; a loop on one
core takes those that are due, evaluates the rules of all kinds that they may change, and every
100 ms writes the rows that changed as JSON. A tick waits from its due instant until all that was
taken with it is evaluated.

* Promised: {rules:,} rules, {per_second:,} ticks/s, p99 of 20 ms at most. That is measured through
  {minute:.0f} seconds: half way a minute ends, and the final minute bars of all {symbols:,} symbols
  come at once, each looked at by two rules. Ticks wait for them.
* Of 1,000 rules each has a symbol of its own, and 1,000,000 are 100 of each symbol. Bytes a rule
  count what the rules of a symbol share, as the bars before.
* Each rule of the symbol: what an index by symbol alone would do, by the same pure function and
  without the rules that look at bars, which it would have to keep.
""",
    "live": """## From a feed to what fires, live

The real path in one process, on all its cores: a feed puts a piece of {per_second:,} events a
second every 10 ms for {minute:.0f} seconds, minutes end amid them; a thread makes prices and bars
of them and evaluates the rules, which another one keeps in SQLite with what fired; and an engine,
in a thread of its own, makes the bars and prices that are served.

* Alerts: from when a piece is put until it is evaluated, and what changed is on its way to be kept.
  A turn of that thread lasts 10 ms at least, which is in it.
* Prices: from when a piece is put until the engine has taken it; of no rules, what they are without
  alerts.
* The promise is of the rules alone, above. Here all threads take turns at one interpreter.
""",
    "evaluated": """## Ticks at most

{rules:,} rules; ticks are evaluated as fast as one core does, in batches of 100. With all rules on
one symbol most ticks pass some level: what is left is the work of rules that change.
""",
    "tried": """## Rules on the past

A dry run of one symbol, reading included, in one thread; the median of three. Each daily bar and
each minute is four prices where the rule looks at prices.

* Promised: a daily rule over decades within a second, a year of minutes within five.
""",
}


def _told(_: Size) -> Mapping[str, object]:
    return {
        "rules": RULES,
        "symbols": SYMBOLS,
        "per_second": PER_SECOND,
        "seconds": SECONDS,
        "minute": MINUTE_S,
    }


def _sections(size: Size, work: Path) -> Sections:
    is_full = size.symbols >= _FULL
    symbols = SYMBOLS if is_full else _FEW
    return {
        "rules": lambda: waits(symbols, is_full=is_full),
        "live": lambda: live_waits(symbols, is_full=is_full),
        "evaluated": lambda: throughput(symbols, is_full=is_full),
        "tried": lambda: dry_runs(work, is_full=is_full),
    }


ALERTS: Final = Chapter(_INTRODUCTION, _TEXTS, _told, _sections)
