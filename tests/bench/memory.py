"""How much memory the engine and views hold, session after session of a whole market."""

from __future__ import annotations

import datetime as dt
import shutil
from contextlib import closing
from typing import Any, Final

import polars as pl

from lake.hours import SessionHours, hours_of
from lake.instant import microseconds
from lake.settings import Settings
from lake.wire import SCHEMA
from speed_layer.engine import Engine
from speed_layer.views import open_view
from speed_layer.views.memory import MemoryView
from tests.bench.timing import markdown, resident_bytes, run_alone
from tests.days import SESSION, calendar
from tests.parts import RedisServer

TRADES: Final = 20
_SESSIONS: Final = 10
_DAY_US: Final = 16 * 3_600_000_000
_MINUTE_US: Final = 60_000_000
_OVER: Final = dt.timedelta(minutes=16)
_MIB: Final = 2**20


def memory_task(*, symbols: int, sessions: int) -> dict[str, Any]:
    """Apply sessions, and tell what is held after each, in MiB."""
    table, view = calendar(), MemoryView()
    first = table.ordinals(SESSION, SESSION).start
    engine, held = Engine(table), []
    before = resident_bytes()
    for number in range(sessions):
        hours = hours_of(table[first + number], table)
        for place in range(TRADES):
            changes = engine.apply(traded(hours, symbols, place))
            view.put(changes.bars, changes.prices)
        changes = engine.apply(_over(hours))
        view.put(changes.bars, changes.prices)
        covered = table[first + number - 1]
        view.forget(daily=covered, minute=covered)
        held.append((resident_bytes() - before) / _MIB)
    return {"held": held}


def redis_task(*, url: str, symbols: int) -> dict[str, Any]:
    """Put all bars and prices of a session into Redis, and tell what it holds then, in MiB."""
    import redis  # noqa: PLC0415 - whoever has no Redis needs no client

    table = calendar()
    engine = Engine(table)
    for place in range(TRADES):
        engine.apply(traded(hours_of(SESSION, table), symbols, place))
    everything = engine.everything()
    with (
        redis.Redis.from_url(url) as client,
        closing(open_view(Settings.model_validate({"view": "redis", "redis_url": url}))) as view,
    ):
        before = client.info("memory")["used_memory"]
        view.put(everything.bars, everything.prices)
        held = client.info("memory")["used_memory"] - before
    return {"held": [held / _MIB], "bars": everything.bars.height}


def traded(hours: SessionHours, symbols: int, place: int) -> pl.DataFrame:
    """Return a trade of each symbol, at one of the instants at which all trade."""
    time = microseconds(hours.dawn) + _DAY_US * place // TRADES
    told = {
        "kind": pl.lit("trade"),
        "symbol": pl.format("S{}", pl.int_range(symbols)),
        "time": pl.lit(time),
        "sequence": pl.lit(place),
        "minute": pl.lit(time // _MINUTE_US * _MINUTE_US),
        "moves": pl.lit(7),
        "price": pl.lit(10.0 + place),
        "size": pl.lit(100.0),
        "received": pl.lit(time),
        "source": pl.lit("massive"),
    }
    return _events(told)


def memory(symbols: int) -> str:
    """Return the table of what is held."""
    held = run_alone(memory_task, symbols=symbols, sessions=_SESSIONS).result["held"]
    rows = [[f"engine and memory, session {at + 1}", f"{mib:,.0f}"] for at, mib in enumerate(held)]
    if shutil.which("redis-server"):
        server = RedisServer()
        server.start()
        try:
            ran = run_alone(redis_task, url=server.url, symbols=symbols).result
        finally:
            server.stop()
        rows.append([f"Redis, a session of {ran['bars']:,} bars", f"{ran['held'][0]:,.0f}"])
    return markdown(["what is held", "MiB"], rows)


def _over(hours: SessionHours) -> pl.DataFrame:
    """Return the heartbeat that ends a session."""
    time = pl.lit(microseconds(hours.dusk + _OVER))
    return _events({"kind": pl.lit("heartbeat"), "symbol": pl.lit(""), "time": time})


def _events(told: dict[str, pl.Expr]) -> pl.DataFrame:
    absent = {
        **dict.fromkeys(("sequence", "revision", "minute", "moves", "received"), pl.lit(0)),
        **dict.fromkeys(("price", "size"), pl.lit(0.0)),
        "cancelled": pl.lit(value=False),
        "source": pl.lit(""),
    }
    columns = {**absent, **told}
    return pl.select(
        columns.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in SCHEMA.items()
    )
