"""The embedded stream engine: ticks a second on one core, the latency of small batches, memory."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lake.event import EVERYTHING, HIGH_LOW, OPEN_CLOSE, VOLUME
from lake.exchange import compute_sessions
from lake.hours import SessionHours, hours_of
from lake.interval import MINUTE_INTERVALS
from lake.session import SessionTable
from lake.wire import SCHEMA
from speed_layer.engine import Engine
from tests.bench.timing import markdown, run_alone

FIRST: Final = dt.date(2024, 3, 4)
SESSIONS: Final = 10
BATCHES: Final = (20_000, 50_000)
SMALL: Final = (1, 10, 100)
_TIMES: Final = 300
_LIVE_PER_S: Final = 5_000
_TICKS_PER_SYMBOL: Final = 2_000
_MOST: Final = 500
_PER_DAY: Final = 40
_MINUTE_US: Final = 60_000_000
Result = dict[str, Any]


def engine(symbols: int, large: int) -> str:
    """Return tables of throughput, latency and memory.

    Args:
        symbols: Of the flow, some hundreds at most.
        large: How many to measure memory with.
    """
    few = min(symbols, _MOST)
    ticks = few * _TICKS_PER_SYMBOL
    measured = [
        *(("fiblake", rate_task, batch) for batch in BATCHES),
        ("plain dicts, without corrections", naive_task, 1),
    ]
    rows = []
    for name, task, batch in measured:
        ran = run_alone(task, symbols=few, ticks=ticks, batch=batch)
        rows.append([name, f"{batch:,}", f"{ran.result['rate']:,.0f}"])
    latency = run_alone(latency_task, symbols=few, ticks=ticks).result
    memory = run_alone(memory_task, symbols=large or symbols)
    days = [[f"{day}", f"{mib:,.0f}"] for day, mib in enumerate(memory.result["mib"], 1)]
    return "\n\n".join(
        [
            markdown(["engine", "events a batch", "ticks a second of one core"], rows),
            markdown(["events a batch", "p50 ms", "p99 ms"], latency["rows"]),
            markdown(["session", "resident MiB after it"], days),
        ]
    )


def rate_task(symbols: int, ticks: int, batch: int) -> Result:
    """Apply a flow in big batches; seconds are those of the processor, of all threads."""
    events, engine = flow(_table(), FIRST, symbols, ticks), Engine(_table())
    batches = list(events.iter_slices(batch))
    started = time.process_time()
    for each in batches:
        engine.apply(each)
    seconds = time.process_time() - started
    return {"seconds": seconds, "rate": events.height / seconds}


def latency_task(symbols: int, ticks: int) -> Result:
    """Apply small batches to an engine that has much in it."""
    events, engine = flow(_table(), FIRST, symbols, ticks), Engine(_table())
    filled = max(0, events.height - _TIMES * sum(SMALL))
    started = time.perf_counter()
    engine.apply(events[:filled])
    rows = []
    for size in SMALL:
        taken = []
        for each in events[filled : filled + _TIMES * size].iter_slices(size):
            before = time.perf_counter()
            engine.apply(each)
            taken.append(time.perf_counter() - before)
        p50, p99 = np.percentile(taken, [50, 99]) * 1000
        rows.append([f"{size}", f"{p50:.2f}", f"{p99:.2f}"])
        filled += _TIMES * size
    return {"seconds": time.perf_counter() - started, "rows": rows}


def memory_task(symbols: int) -> Result:
    """Apply several sessions, and tell what is resident after each."""
    table = _table()
    first = table.ordinal(FIRST)
    engine, mib = Engine(table), []
    started = time.perf_counter()
    for ordinal in range(first or 0, (first or 0) + SESSIONS):
        ticks = symbols * _PER_DAY
        events = flow(table, table[ordinal], symbols, ticks, per_s=ticks / (390 * 60))
        for each in events.iter_slices(BATCHES[0]):
            engine.apply(each)
        del events
        mib.append(_resident_mib())
    return {"seconds": time.perf_counter() - started, "mib": mib}


def naive_task(symbols: int, ticks: int, batch: int) -> Result:
    """Apply a flow one event at a time to bars in dicts; corrections are not even applied."""
    del batch
    table = _table()
    hours = hours_of(FIRST, table)
    dawn = int(hours.dawn.timestamp()) * 1_000_000
    begins = [hours.buckets(interval.minutes)[0].tolist() for interval in MINUTE_INTERVALS]
    rows = flow(table, FIRST, symbols, ticks).select(
        "symbol", "time", "sequence", "minute", "moves", "price", "size"
    )
    events, seen = rows.rows(), set()
    bars: dict[tuple[str, int, int], list[Any]] = {}
    started = time.process_time()
    for symbol, stamp, sequence, minute, moves, price, size in events:
        if (symbol, stamp, sequence) in seen:
            continue
        seen.add((symbol, stamp, sequence))
        place = (minute - dawn) // _MINUTE_US
        for level, begin in enumerate([*(each[place] for each in begins), 0]):
            _tick(bars, (symbol, level, begin), (stamp, sequence), moves, price, size)
    seconds = time.process_time() - started
    return {"seconds": seconds, "rate": len(events) / seconds}


def _tick(
    bars: dict[tuple[str, int, int], list[Any]],
    key: tuple[str, int, int],
    when: tuple[int, int],
    moves: int,
    price: float,
    size: float,
) -> None:
    bar = bars.get(key)
    if bar is None:
        bar = bars[key] = [(2**63, 0), 0.0, -1e300, 1e300, (0, 0), 0.0, 0.0, 0.0, 0]
    if moves & OPEN_CLOSE:
        if when < bar[0]:
            bar[0], bar[1] = when, price
        if when > bar[4]:
            bar[4], bar[5] = when, price
    if moves & HIGH_LOW:
        bar[2], bar[3] = max(bar[2], price), min(bar[3], price)
    if moves & VOLUME:
        bar[6] += size
        bar[7] += price * size
        bar[8] += 1


def flow(
    table: SessionTable, session: dt.date, symbols: int, ticks: int, per_s: float = _LIVE_PER_S
) -> pl.DataFrame:
    """Return trades from the open on, in order of receipt.

    A fifth comes up to 30 s after its time, 1 % comes again, 0.5 % are corrected or cancelled; a
    third are odd lots. Few symbols trade much, many little.
    """
    rng = np.random.default_rng(session.toordinal())
    time_us = _opens(hours_of(session, table)) + (np.arange(ticks) / per_s * 1e6).astype(np.int64)
    symbol = (rng.random(ticks) ** 2 * symbols).astype(np.int64)
    price = 100 + rng.integers(-400, 400, ticks) / 4
    delay = np.where(rng.random(ticks) < 1 / 5, rng.random(ticks) * 30e6, 1000).astype(np.int64)
    again = np.flatnonzero(rng.random(ticks) < 1 / 100)
    restated = np.flatnonzero(rng.random(ticks) < 1 / 200)
    which = np.concatenate([np.arange(ticks), again, restated])
    is_new = np.arange(len(which)) >= ticks + len(again)
    received = (time_us + delay)[which] + np.where(np.arange(len(which)) < ticks, 0, 2_000_000)
    order = np.argsort(received, kind="stable")
    which, is_new = which[order], is_new[order]
    return _events(
        symbol=pl.Series([f"S{number:05d}" for number in range(symbols)]).gather(symbol[which]),
        time=time_us[which],
        sequence=which,
        revision=is_new.astype(np.int64),
        minute=time_us[which] - time_us[which] % _MINUTE_US,
        moves=np.where(rng.random(ticks) < 1 / 3, VOLUME, EVERYTHING)[which].astype(np.int32),
        price=price[which] + is_new,
        size=rng.integers(1, 500, ticks)[which].astype(float),
        cancelled=is_new & (which % 2 == 0),
        received=received[order],
    )


def _events(**columns: Any) -> pl.DataFrame:
    count = len(columns["time"])
    told = pl.DataFrame(columns).with_columns(
        *(pl.lit(None, SCHEMA[name]).alias(name) for name in ("open", "high", "low", "vwap")),
        pl.lit(None, SCHEMA["trades"]).alias("trades"),
        pl.Series("conditions", [[]] * count, SCHEMA["conditions"]),
        kind=pl.lit("trade"),
        source=pl.lit("made up"),
    )
    return told.select(SCHEMA.names())


def _opens(hours: SessionHours) -> int:
    return int(hours.open.timestamp()) * 1_000_000


def _table() -> SessionTable:
    return compute_sessions(dt.date(2024, 12, 31))


def _resident_mib() -> float:
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
