"""How fast bars are read, warm and local: three queries, each over other symbols and dates."""

from __future__ import annotations

import datetime as dt
import random
import shutil
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import polars as pl

from lake import keys
from tests.bench.engines import ENGINES, MANY, ONE, ArcticDB, ChDB
from tests.bench.lakes import LAST, lake_at
from tests.bench.timing import (
    BenchmarkError,
    latencies_ms,
    markdown,
    run_alone,
    seconds_of,
    warm,
)

QUERIES: Final = 100
_WARM_UP: Final = 10
_SYMBOLS: Final = 500
_YEARS: Final = 10
_SEED: Final = 7
_FROM: Final = 1990
_KINDS: Final = {
    "one": f"one symbol, all {ONE} bars",
    "many": f"{_SYMBOLS} symbols, {_YEARS} years of {MANY}",
    "whole": f"the whole market, one date of {MANY}",
}
_OWN_STORE: Final = {"chDB": "chdb", "ArcticDB": "arcticdb"}


class Workload:
    """The arguments of each kind of query: others each time, and the same for every engine."""

    def __init__(self, lake: Path, queries: int) -> None:
        known = lake_at(lake).symbols()
        silver = pl.scan_parquet(lake / keys.silver_prefix(MANY), hive_partitioning=False)
        starts = silver.select(pl.col("start").unique().sort()).collect()["start"]
        symbols, last_years = known["symbol"].to_list(), range(_FROM, LAST.year - _YEARS + 1)
        recent = starts.filter(starts.dt.year() >= _FROM).to_list()
        random_ = random.Random(_SEED)  # noqa: S311 - no secret
        times = range(queries + _WARM_UP)
        self.one = [(random_.choice(symbols),) for _ in times]
        self.many = [_some(known, random_.choice(last_years), random_) for _ in times]
        self.whole = [(random_.choice(recent),) for _ in times]


def _some(
    known: pl.DataFrame, year: int, random_: random.Random
) -> tuple[list[str], dt.date, dt.date]:
    """Return years from one on, and symbols that traded through them, or else any."""
    first, last = dt.date(year, 1, 1), dt.date(year + _YEARS - 1, 12, 31)
    traded = known.filter(pl.col("first") <= first, pl.col("last") >= last)
    names = (known if traded.is_empty() else traded)["symbol"].to_list()
    return random_.sample(names, min(_SYMBOLS, len(names))), first, last


def load_task(engine: str, lake: str, store: str) -> dict[str, Any]:
    """Load silver into an engine's own store."""
    kinds: dict[str, type[ChDB | ArcticDB]] = {"chDB": ChDB, "ArcticDB": ArcticDB}
    loader = kinds[engine](Path(lake), Path(store))
    return {"seconds": seconds_of(lambda: loader.load(Path(lake)))}


def read_task(engine: str, lake: str, store: str, queries: int) -> dict[str, Any]:
    """Return p50 and p95 of each kind of query, and how many bars the first one answers."""
    reader = ENGINES[engine](Path(lake), Path(store))
    workload = Workload(Path(lake), queries)
    answered: dict[str, Any] = {}
    for kind in _KINDS:
        query, arguments = getattr(reader, kind), getattr(workload, kind)
        answer = query(*arguments[0])
        if answer is not None:
            runs = [partial(query, *each) for each in arguments]
            answered[kind] = {"bars": _bars(answer), "ms": latencies_ms(runs, warm_up=_WARM_UP)}
    return answered


def readers(resampled: Path, work: Path, queries: int = QUERIES) -> str:
    """Return the table of latencies."""
    warm(resampled)
    engines = [
        name for name in ENGINES if _OWN_STORE.get(name) is None or find_spec(_OWN_STORE[name])
    ]
    answers = {}
    for engine in engines:
        store = work / f"reader-{engine}"
        shutil.rmtree(store, ignore_errors=True)
        if engine in _OWN_STORE:
            run_alone(load_task, engine=engine, lake=resampled, store=store)
        answers[engine] = run_alone(
            read_task, engine=engine, lake=resampled, store=store, queries=queries
        ).result
        shutil.rmtree(store, ignore_errors=True)
    _check_answers(answers)
    rows = [[engine, *(_cell(answers, engine, kind) for kind in _KINDS)] for engine in engines]
    return markdown(["reader", *_KINDS.values()], rows)


def _check_answers(answers: dict[str, Any]) -> None:
    for kind in _KINDS:
        counts = {name: found[kind]["bars"] for name, found in answers.items() if kind in found}
        if len(set(counts.values())) > 1:
            msg = f"{kind}: engines answer with different numbers of bars: {counts}"
            raise BenchmarkError(msg)


def _cell(answers: dict[str, Any], engine: str, kind: str) -> str:
    """Return p50 / p95, in bold where no other engine's p50 is less."""
    if kind not in answers[engine]:
        return "-"
    p50, p95 = answers[engine][kind]["ms"]
    least = min(found[kind]["ms"][0] for found in answers.values() if kind in found)
    text = f"{p50:.1f} / {p95:.1f}"
    return f"**{text}**" if p50 == least else text


def _bars(answer: Any) -> int:
    return sum(map(len, answer)) if isinstance(answer, list) else len(answer)
