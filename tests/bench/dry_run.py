"""How long a rule takes on the past: decades of daily bars, and a year of minutes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from statistics import median
from typing import Any, Final

import polars as pl

from batch_layer.bronze import minute
from lake.alerts.rule import parse_rule
from lake.exchange import load_sessions
from serving_layer.alerts.dry_run import DryRun, DryRuns, Resolution
from serving_layer.merged import MergedReader
from tests.bench.intraday import minutes_of
from tests.bench.lakes import LAST, lake_at
from tests.bench.timing import markdown, run_alone, seconds_of

_RUNS: Final = 3
_BREAKOUT: Final = {"kind": "close", "interval": "13d", "relation": "above", "than": {"range": 13}}
_AVERAGE: Final = {"kind": "close", "interval": "1d", "relation": "above", "than": {"average": 200}}
_FIVE: Final = {"kind": "close", "interval": "5m", "relation": "above", "than": {"range": 20}}
_CROSS: Final = {"kind": "price", "relation": "crosses", "level": 0.0}
_RULES: Final[tuple[tuple[str, dict[str, Any], Resolution], ...]] = (
    ("13d above 13 bars' range", _BREAKOUT, "1d"),
    ("the same, forming", {**_BREAKOUT, "state": "forming"}, "1d"),
    ("1d above its 200-bar average", _AVERAGE, "1d"),
    ("price crosses a level", _CROSS, "1d"),
    ("price moves 5% in 5 sessions", {"kind": "move", "percent": 5, "window": "5d"}, "1d"),
    ("5m above 20 bars' range", _FIVE, "1m"),
    ("the same, forming", {**_FIVE, "state": "forming"}, "1m"),
    ("price crosses a level", _CROSS, "1m"),
    ("price moves 1% in 15 minutes", {"kind": "move", "percent": 1, "window": "15m"}, "1m"),
)
"""A level is the symbol's last close."""


def lake_task(folder: str, symbols: int, start: str, sessions: int) -> dict[str, Any]:
    """Make a market, with minutes of the symbol that is the oldest and still there."""
    lake = lake_at(folder)
    lake.generate(symbols, start=start, end=LAST)
    there = lake.symbols().filter(pl.col("last") == LAST).sort("first", "symbol")
    symbol = str(there["symbol"][0])
    table = load_sessions(lake.store)
    last = table.ordinals(LAST, LAST).start
    for ordinal in range(last + 1 - sessions, last + 1):
        made = minutes_of(table[ordinal], table, 1).with_columns(symbol=pl.lit(symbol))
        minute.commit(lake.store, made)
    lake.resample()
    return {"symbol": symbol}


def run_task(
    folder: str, symbol: str, when: dict[str, Any], resolution: Resolution
) -> dict[str, Any]:
    """Run a rule some times; the seconds are the median."""
    lake = lake_at(folder)
    if "level" in when:
        when = {**when, "level": lake.bars(symbol)["close"][-1]}
    rule = parse_rule({"symbol": symbol, "when": when, "repeat": True, "cooldown_seconds": 0})
    runs = DryRuns(lake.reader, MergedReader(lake.reader))
    found: list[DryRun] = []
    taken = [
        seconds_of(lambda: found.append(runs.run(rule, None, None, resolution)))
        for _ in range(_RUNS)
    ]
    last = found[-1]
    told = {"sessions": last.sessions, "seen": last.seen, "fired": last.fired}
    return {"seconds": median(taken), **told}


def dry_runs(work: Path, *, is_full: bool) -> str:
    """Return the table of rules on the past."""
    size: tuple[int, dt.date, int] = (100, dt.date(1962, 1, 2), 252)
    symbols, start, sessions = size if is_full else (5, dt.date(2025, 1, 2), 3)
    folder = work / "dry-run"
    made = run_alone(
        lake_task, folder=folder, symbols=symbols, start=start, sessions=sessions
    ).result
    rows = []
    for name, when, resolution in _RULES:
        told = run_alone(
            run_task, folder=folder, symbol=made["symbol"], when=when, resolution=resolution
        ).result
        shown = [f"{told[each]:,}" for each in ("sessions", "seen", "fired")]
        rows.append([name, resolution, *shown, f"{told['seconds']:.2f}"])
    return markdown(["rule", "resolution", "sessions", "seen", "fired", "seconds"], rows)
