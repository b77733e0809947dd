"""How fast live bars are put into views, read from them and told to subscribers, and their size."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final
from unittest.mock import patch

import polars as pl

from lake.interval import DAILY, MINUTE, MINUTE_INTERVALS
from lake.live import BARS_SCHEMA, PRICES_SCHEMA, Subscribable
from lake.settings import Settings
from speed_layer.views import View, open_view
from tests.bench.timing import latencies_ms, markdown, resident_bytes, run_alone, seconds_of
from tests.parts import MotoServer, RedisServer

_SESSION: Final = dt.date(2026, 1, 5)
_START: Final = 1_767_623_400_000_000
_INTERVALS: Final = (*MINUTE_INTERVALS, DAILY)
_ROUNDS: Final = 5
_AT_ONCE: Final = 7_000
_MOST_SINGLE: Final = 500
_MOST_MOTO: Final = 140
_WARM_UP: Final = 10
_MIB: Final = 2**20
_NOT_AWS: Final = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


def changed(symbols: int, version: int) -> pl.DataFrame:
    """Return the forming bars of all intervals of a market in which each symbol has traded."""
    market = pl.select(symbol=pl.format("S{}", pl.int_range(symbols).cast(pl.String)))
    intervals = pl.DataFrame({"interval": [str(each) for each in _INTERVALS]})
    rows = market.join(intervals, how="cross", maintain_order="left_right")
    values = {"open": 10.0, "high": 12.5, "low": 9.75, "close": 10.1, "vwap": 10.3}
    return rows.with_columns(
        session=pl.lit(_SESSION),
        hours=pl.lit("regular"),
        start=pl.lit(_START),
        volume=pl.lit(float(version)),
        trades=pl.lit(version),
        minutes=pl.lit(1),
        state=pl.lit("forming"),
        version=pl.lit(2 * version),
        **{name: pl.lit(value) for name, value in values.items()},
    ).select(pl.col(name).cast(kind) for name, kind in BARS_SCHEMA.items())


def put_task(
    view: str, url: str, symbols: int, at_once: int, most: int, queries: int
) -> dict[str, Any]:
    """Put bars in rounds, each over those of the one before; read some; tell of some."""
    with _opened(view, url) as live:
        before = _bytes_held(url if view == "redis" else "")
        _put(live, changed(symbols, 1)[:most], at_once)
        held = _bytes_held(url if view == "redis" else "") - before
        rounds = [changed(symbols, 2 + number)[:most] for number in range(_ROUNDS)]
        seconds = seconds_of(lambda: _put(live, pl.concat(rounds), at_once))
        return {
            "seconds": seconds,
            "per_second": sum(map(len, rounds)) / seconds,
            "held_mib": held / _MIB,
            "read_ms": _reads_ms(live, symbols, queries),
            "told_ms": _told_ms(live, queries),
        }


def views(symbols: int, queries: int) -> str:
    """Return the table of views."""
    rows = [_row("memory", _run("memory", "", symbols, queries))]
    if shutil.which("redis-server"):
        rows += [
            _row("Redis, pipelined", _with(RedisServer(), _run, "redis", symbols, queries)),
            _row("Redis, bar by bar", _with(RedisServer(), _single, "redis", symbols, queries)),
        ]
    rows += [_row("DynamoDB (moto)", _with(MotoServer(), _run, "dynamodb", symbols, queries))]
    told = ["bars put/s", "MiB held", "a series read, ms", "put and told, ms"]
    return markdown(["view", *told], rows)


def _run(view: str, url: str, symbols: int, queries: int, **others: int) -> dict[str, Any]:
    most = _MOST_MOTO if view == "dynamodb" else symbols * len(_INTERVALS)
    given = {"at_once": _AT_ONCE, "most": most, **others}
    return run_alone(put_task, view=view, url=url, symbols=symbols, queries=queries, **given).result


def _single(view: str, url: str, symbols: int, queries: int) -> dict[str, Any]:
    return _run(view, url, symbols, queries, at_once=1, most=_MOST_SINGLE)


def _with(
    server: RedisServer | MotoServer,
    run: Callable[..., dict[str, Any]],
    view: str,
    symbols: int,
    queries: int,
) -> dict[str, Any]:
    server.start()
    try:
        return run(view, server.url, symbols, queries)
    finally:
        server.stop()


@contextmanager
def _opened(kind: str, url: str) -> Iterator[View]:
    given = {"view": kind} | ({"redis_url": url} if kind == "redis" else {})
    with patch.dict(os.environ, _NOT_AWS | {"AWS_ENDPOINT_URL": url}):
        live = open_view(Settings.model_validate(given))
        if kind == "dynamodb":
            live.create_tables()  # type: ignore[attr-defined]
        try:
            yield live
        finally:
            live.close()


def _put(live: View, bars: pl.DataFrame, at_once: int) -> None:
    none = pl.DataFrame(schema=PRICES_SCHEMA)
    for at in range(0, bars.height, at_once):
        live.put(bars[at : at + at_once], none)


def _reads_ms(live: View, symbols: int, queries: int) -> tuple[float, float]:
    names = [f"S{number % symbols}" for number in range(queries + _WARM_UP)]
    return latencies_ms([partial(live.bars, name, MINUTE) for name in names], warm_up=_WARM_UP)


def _told_ms(live: View, queries: int) -> tuple[float, float] | None:
    """Return p50 and p95 from a bar's put to its subscriber's having it."""
    if not isinstance(live, Subscribable):
        return None
    with live.subscribe() as subscription:

        def hear(bars: pl.DataFrame) -> None:
            _put(live, bars, at_once=1)
            subscription.get(10)

        bars = [changed(1, 100 + number)[:1] for number in range(queries + _WARM_UP)]
        return latencies_ms([partial(hear, each) for each in bars], warm_up=_WARM_UP)


def _bytes_held(redis_url: str) -> int:
    """Return what Redis holds, or else this process."""
    if redis_url:
        import redis  # noqa: PLC0415 - whoever has no Redis needs no client

        with redis.Redis.from_url(redis_url) as client:
            return int(client.info("memory")["used_memory"])
    time.sleep(0.1)
    return resident_bytes()


def _row(name: str, measured: dict[str, Any]) -> list[str]:
    told, read = measured["told_ms"], measured["read_ms"]
    return [
        name,
        f"{measured['per_second']:,.0f}",
        "-" if name.startswith("DynamoDB") or "by bar" in name else f"{measured['held_mib']:.0f}",
        f"{read[0]:.1f} / {read[1]:.1f}",
        f"{told[0]:.1f} / {told[1]:.1f}" if told else "-",
    ]
