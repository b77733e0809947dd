"""Six intervals out of daily bars, by several engines, and on markets of several sizes."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from lake import keys
from lake.exchange import load_sessions
from lake.interval import Interval
from lake.store import LocalStore
from tests.bench.equality import compare_silver, share_of_equal_bars
from tests.bench.floor import compile_fold, fold_lake
from tests.bench.lakes import Market, lake_at, without_silver
from tests.bench.naive import read_naive, resample_naively
from tests.bench.timing import Ran, markdown, run_alone, seconds_of
from tests.bench.with_arcticdb import load_daily, read_resampled, resample_with_arcticdb
from tests.bench.with_polars import resample_with_polars

_TIMES: Final = 3
_SAMPLED: Final = Interval.parse("13d")
Result = dict[str, Any]


def ours_task(folder: str) -> Result:
    """Resample a lake as a user does."""
    report = lake_at(folder).resample(force=True)
    return {"seconds": report.seconds, "bars": report.bars}


def floor_task(source: str, target: str) -> Result:
    compile_fold(Path(source))
    return {"seconds": seconds_of(lambda: fold_lake(Path(source), Path(target)))}


def polars_task(source: str, target: str) -> Result:
    return {"seconds": seconds_of(lambda: resample_with_polars(Path(source), Path(target)))}


def naive_task(source: str, target: str) -> Result:
    found = LocalStore(Path(source)).fingerprints(keys.DAILY)
    files = [str(Path(source) / key) for key in found]
    return {"seconds": seconds_of(lambda: resample_naively(files, Path(target)))}


def arcticdb_load_task(source: str, target: str) -> Result:
    return {"seconds": seconds_of(lambda: load_daily(Path(source), Path(target)))}


def arcticdb_task(target: str) -> Result:
    return {"seconds": seconds_of(lambda: resample_with_arcticdb(Path(target)))}


def compare_task(expected: str, actual: str) -> Result:
    return asdict(compare_silver(Path(expected), Path(actual)))


def naive_share_task(expected: str, actual: str) -> Result:
    bars = read_naive(Path(actual), _SAMPLED)
    return {"share": share_of_equal_bars(Path(expected), _SAMPLED, bars)}


def arcticdb_share_task(source: str, expected: str, actual: str) -> Result:
    table = load_sessions(LocalStore(Path(source)))
    bars = read_resampled(Path(actual), _SAMPLED, table)
    return {"share": share_of_equal_bars(Path(expected), _SAMPLED, bars)}


class SideBySide:
    """All engines on one market, each in a process of its own; the floor's bars are what is right.

    Args:
        market: What they resample.
        work: Where they write.
    """

    def __init__(self, market: Market, work: Path) -> None:
        self._market = market
        self._work = work
        self._rows: list[list[str]] = []
        self._floor = 0.0

    def run(self) -> str:
        """Return the table."""
        source = self._market.folder
        floors, runs = [], []
        for _ in range(_TIMES):
            floors.append(run_alone(floor_task, source=source, target=self._fresh("floor")))
            ours = without_silver(source, self._fresh("ours"))
            runs.append(run_alone(ours_task, folder=ours))
        floor, one = (
            sorted(each, key=attrgetter("seconds"))[_TIMES // 2] for each in (floors, runs)
        )
        self._floor = floor.seconds
        self._add("fiblake", one, self._equality(ours))
        self._add("the floor: a fold by hand, numba", floor, "by definition")
        self._polars()
        self._naive()
        if find_spec("arcticdb"):
            self._arcticdb()
        header = ["engine", "seconds", "of the floor's", "daily bars/s", "peak GiB", "equal bars"]
        return markdown(header, self._rows)

    def _polars(self) -> None:
        target = self._fresh("polars")
        ran = run_alone(polars_task, source=self._market.folder, target=target)
        self._add("Polars, a year at a time", ran, self._equality(target))

    def _naive(self) -> None:
        target = self._fresh("naive")
        ran = run_alone(naive_task, source=self._market.folder, target=target)
        share = run_alone(naive_share_task, expected=self._work / "floor", actual=target)
        self._add("DuckDB, ROW_NUMBER per symbol (the published way)", ran, _share(share))
        shutil.rmtree(target)

    def _arcticdb(self) -> None:
        target = self._fresh("arcticdb")
        source = self._market.folder
        run_alone(arcticdb_load_task, source=source, target=target)
        ran = run_alone(arcticdb_task, target=target)
        share = run_alone(
            arcticdb_share_task, source=source, expected=self._work / "floor", actual=target
        )
        self._add("ArcticDB `resample`, LMDB to LMDB", ran, _share(share))
        shutil.rmtree(target)

    def _fresh(self, name: str) -> Path:
        shutil.rmtree(self._work / name, ignore_errors=True)
        return self._work / name

    def _equality(self, actual: Path) -> str:
        compared = run_alone(compare_task, expected=self._work / "floor", actual=actual).result
        different = compared["differences"]
        return f"no: {different[0]}" if different else f"all {compared['bars']:,}"

    def _add(self, engine: str, ran: Ran, equality: str) -> None:
        self._rows.append(
            [
                engine,
                f"{ran.seconds:.1f}",
                f"{ran.seconds / self._floor:.1f}x",
                f"{self._market.rows / ran.seconds:,.0f}",
                f"{ran.peak_gib:.1f}",
                equality,
            ]
        )


def growth(markets: list[Market], work: Path, *, straight: Market) -> str:
    """Return the table of our seconds on markets of growing size.

    The last column tells how far the time is off a straight line from nothing through `straight`.
    """
    ran = []
    for market in markets:
        folder = without_silver(market.folder, work / "growing")
        ran.append(run_alone(ours_task, folder=folder))
    slope = ran[markets.index(straight)].seconds / straight.rows
    rows = [
        [
            f"{market.symbols:,}",
            f"{market.rows:,}",
            f"{one.seconds:.1f}",
            f"{market.rows / one.seconds:,.0f}",
            f"{one.peak_gib:.1f}",
            f"{one.seconds / (slope * market.rows) - 1:+.0%}",
        ]
        for market, one in zip(markets, ran, strict=True)
    ]
    header = ["symbols", "daily bars", "seconds", "daily bars/s", "peak GiB", "off the line"]
    return markdown(header, rows)


def _share(ran: Ran) -> str:
    return f"{ran.result['share']:.1%} of its {_SAMPLED} bars"
