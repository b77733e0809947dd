"""What a day brings into a full lake: how long it takes, and which partitions it rebuilds."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import polars as pl

from batch_layer.bronze.year import read_year
from batch_layer.fetching.splits_file import read_splits
from fiblake import Lake
from lake import keys
from lake.exchange import load_sessions
from tests.bench.lakes import LAST, lake_at, linked_copy
from tests.bench.resampling import compare_task, floor_task
from tests.bench.timing import markdown, run_alone, seconds_of

_COLUMNS: Final = ["symbol", "session", "open", "high", "low", "close", "volume", "vwap", "trades"]
_YEARS_BACK: Final = 20
_LATE: Final = "LATECOMER"


def _new_session(lake: Lake) -> pl.DataFrame:
    """Return the bars of the session after the last one: those of the last one, again."""
    table = load_sessions(lake.store)
    following = table[table.ordinals(LAST, LAST).stop]
    bars = read_year(lake.store, LAST.year).bars.filter(session=LAST)
    return bars.with_columns(session=pl.lit(following))


def _correction(lake: Lake) -> pl.DataFrame:
    """Return one bar of long ago, or of the first year, with another volume."""
    years = keys.by_year(lake.store.fingerprints(keys.DAILY))
    bars = read_year(lake.store, max(LAST.year - _YEARS_BACK, min(years))).bars
    return bars.filter(session=bars["session"].max()).head(1).with_columns(pl.col("volume") * 2)


def _late_symbol(lake: Lake) -> pl.DataFrame:
    """Return the whole history of the symbol that has most, under another name."""
    known = lake.symbols()
    (longest,) = known.top_k(1, by="bars")["symbol"]
    years = range(known["first"].min().year, LAST.year + 1)  # type: ignore[union-attr]
    bars = pl.concat(read_year(lake.store, year).bars.filter(symbol=longest) for year in years)
    return bars.with_columns(symbol=pl.lit(_LATE))


def _nothing(lake: Lake) -> pl.DataFrame:
    """Return bars that are known."""
    return read_year(lake.store, LAST.year).bars.filter(session=LAST)


_BARS: Final[dict[str, Callable[[Lake], pl.DataFrame]]] = {
    "nothing new": _nothing,
    "a new session": _new_session,
    f"a correction, {_YEARS_BACK} years back": _correction,
    "a late symbol, its whole history": _late_symbol,
}
_SPLIT: Final = "a new split"


def step_task(folder: str, what: str) -> dict[str, Any]:
    """Import a file, and resample what became stale."""
    lake = lake_at(folder)
    work = Path(folder).parent
    if what == _SPLIT:
        path, rows = _split_file(lake, work), 1
        imported = seconds_of(lambda: lake.importer().import_files([], splits=read_splits(path)))
    else:
        bars = _BARS[what](lake).select(_COLUMNS)
        path, rows = work / "bars.parquet", bars.height
        bars.write_parquet(path)
        imported = lake.import_files(path).seconds
    report = lake.resample()
    years = defaultdict(set)
    for each in report.rebuilt:
        years[each.interval].add(each.year)
    return {
        "rows": rows,
        "imported": imported,
        "resampled": report.seconds,
        "rebuilt": {interval: sorted(found) for interval, found in years.items()},
        "partitions": report.partitions,
    }


def incremental(resampled: Path, work: Path) -> str:
    """Return the table of a day's work on a copy of a lake that is up to date."""
    folder = work / "daily-work"
    shutil.rmtree(folder, ignore_errors=True)
    linked_copy(resampled, folder)
    rows = []
    for what in (*_BARS, _SPLIT):
        ran = run_alone(step_task, folder=folder, what=what)
        done = ran.result
        rows.append(
            [
                what,
                f"{done['rows']:,}",
                f"{done['imported']:.2f}",
                f"{done['resampled']:.2f}",
                f"{ran.peak_gib:.1f}",
                _said(done["rebuilt"], done["partitions"]),
            ]
        )
    header = ["import of", "rows", "import, s", "resample, s", "peak GiB", "partitions rebuilt"]
    return "\n".join([markdown(header, rows), "", _verdict(folder, work)])


def _verdict(folder: Path, work: Path) -> str:
    """Return whether what was rebuilt piece by piece is what is built from nothing."""
    target = work / "rebuilt"
    shutil.rmtree(target, ignore_errors=True)
    run_alone(floor_task, source=folder, target=target)
    compared = run_alone(compare_task, expected=target, actual=folder).result
    if compared["differences"]:
        return f"Then silver was not what the floor makes anew: {compared['differences'][0]}."
    return f"Then all {compared['bars']:,} bars of silver were those that the floor makes anew."


def _said(rebuilt: dict[str, list[int]], partitions: int) -> str:
    """Return how many partitions of which years were rebuilt."""
    years = sorted({year for found in rebuilt.values() for year in found})
    if not years:
        return "none"
    count = sum(map(len, rebuilt.values()))
    span = str(years[0]) if len(years) == 1 else f"{years[0]} to {years[-1]}"
    return f"{count} of {partitions}: {span}"


def _split_file(lake: Lake, work: Path) -> Path:
    """Write a split of the first symbol that trades on the last session, on that day."""
    symbol = _nothing(lake)["symbol"][0]
    path = work / "splits.csv"
    path.write_text(f"symbol,effective,ratio\n{symbol},{LAST},2:1\n", "utf-8")
    return path
