"""How silver could be laid out, and what each way costs: `python -m tests.bench.layout LAKE`.

It lays two intervals of a resampled lake out anew in several ways, reads them as a plain reader
would, and prints the table of docs/layout.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lake import keys
from lake.interval import Interval
from tests.bench.timing import latencies_ms, markdown, seconds_of

ONE: Final = Interval.parse("13d")
MANY: Final = Interval.parse("5d")
_BY_LISTING: Final = ["listing", "start"]
_BY_SESSION: Final = ["start", "listing"]
_TEXTS: Final = ["listing", "symbol", "state"]
_QUERIES: Final = 20
Query: TypeAlias = Callable[[str, list[str], dt.date], Callable[[], object]]
_SYMBOLS: Final = 500


@dataclass(frozen=True)
class Layout:
    """A way to lay silver out."""

    name: str
    files: str = "year"
    order: tuple[str, ...] = tuple(_BY_LISTING)
    row_group: int = 65_536
    compression: str = "zstd"
    level: int | None = None
    dictionaries: bool = False

    def write(self, bars: pl.DataFrame, folder: Path) -> None:
        for number, part in enumerate(self._parts(bars)):
            pq.write_table(
                part.sort(self.order).to_arrow().cast(_plain(part)),
                folder / f"{number:05}.parquet",
                compression=self.compression,
                compression_level=self.level,
                row_group_size=self.row_group,
                use_dictionary=self.dictionaries or _TEXTS,
                store_schema=False,
            )

    def _parts(self, bars: pl.DataFrame) -> Iterator[pl.DataFrame]:
        if self.files == "all":
            yield bars
            return
        by = [pl.col("start").dt.year().alias("_year")]
        if self.files == "month":
            by.append(pl.col("start").dt.month().alias("_month"))
        names = ["_year", "_month"][: len(by)]
        parts = bars.with_columns(by).partition_by(names, include_key=False, maintain_order=True)
        yield from parts


LAYOUTS: Final = (
    Layout("**year files, by listing, groups of 65,536, zstd 1**"),
    Layout("year and month files", files="month"),
    Layout("one file an interval", files="all"),
    Layout("by session", order=tuple(_BY_SESSION)),
    Layout("groups of 16,384", row_group=16_384),
    Layout("groups of 262,144", row_group=262_144),
    Layout("zstd 3", level=3),
    Layout("zstd 9", level=9),
    Layout("lz4", compression="lz4"),
    Layout("snappy", compression="snappy"),
    Layout("numbers as dictionaries too", dictionaries=True),
)


def _plain(bars: pl.DataFrame) -> pa.Schema:
    schema = bars.to_arrow().schema
    return pa.schema([_plain_field(field) for field in schema])


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field


class Readers:
    """The three queries, by DuckDB and by Polars, on one layout."""

    def __init__(self, folders: dict[Interval, Path]) -> None:
        self._files = {interval: f"{folder}/*.parquet" for interval, folder in folders.items()}
        self._connection = duckdb.connect()

    def duckdb(self, interval: Interval, where: str, **binds: Any) -> int:
        statement = f"SELECT * FROM read_parquet('{self._files[interval]}') WHERE {where}"  # noqa: S608 - our own
        return int(self._connection.execute(statement, binds).to_arrow_table().num_rows)

    def polars(self, interval: Interval, *where: pl.Expr) -> int:
        return pl.scan_parquet(self._files[interval]).filter(*where).collect().height


def _workload(bars: pl.DataFrame) -> list[tuple[str, list[str], dt.date]]:
    random_ = random.Random(7)  # noqa: S311 - no secret
    symbols = bars["symbol"].unique().sort().to_list()
    starts = bars.filter(pl.col("start").dt.year() >= 1990)["start"].unique().sort().to_list()
    return [
        (
            random_.choice(symbols),
            random_.sample(symbols, min(_SYMBOLS, len(symbols))),
            random_.choice(starts),
        )
        for _ in range(_QUERIES)
    ]


def _latencies(readers: Readers, workload: list[tuple[str, list[str], dt.date]]) -> list[str]:
    """Return the p50 of each kind of query, by DuckDB / by Polars."""
    kinds = (_one, _many, _whole)
    return [
        " / ".join(f"{_p50([query(*each) for each in workload]):.0f}" for query in kind(readers))
        for kind in kinds
    ]


def _p50(runs: list[Callable[[], object]]) -> float:
    return latencies_ms(runs, warm_up=2)[0]


def _one(readers: Readers) -> tuple[Query, Query]:
    def by_duckdb(symbol: str, _symbols: list[str], _day: dt.date) -> Callable[[], object]:
        return partial(readers.duckdb, ONE, "symbol = $symbol", symbol=symbol)

    def by_polars(symbol: str, _symbols: list[str], _day: dt.date) -> Callable[[], object]:
        return partial(readers.polars, ONE, pl.col("symbol") == symbol)

    return by_duckdb, by_polars


def _many(readers: Readers) -> tuple[Query, Query]:
    first, last = dt.date(2005, 1, 1), dt.date(2014, 12, 31)
    where = "symbol IN (SELECT unnest($symbols)) AND start BETWEEN $first AND $last"

    def by_duckdb(_symbol: str, symbols: list[str], _day: dt.date) -> Callable[[], object]:
        return partial(readers.duckdb, MANY, where, symbols=symbols, first=first, last=last)

    def by_polars(_symbol: str, symbols: list[str], _day: dt.date) -> Callable[[], object]:
        asked = pl.col("symbol").is_in(symbols), pl.col("start").is_between(first, last)
        return partial(readers.polars, MANY, *asked)

    return by_duckdb, by_polars


def _whole(readers: Readers) -> tuple[Query, Query]:
    def by_duckdb(_symbol: str, _symbols: list[str], day: dt.date) -> Callable[[], object]:
        return partial(readers.duckdb, MANY, "start = $day", day=day)

    def by_polars(_symbol: str, _symbols: list[str], day: dt.date) -> Callable[[], object]:
        return partial(readers.polars, MANY, pl.col("start") == day)

    return by_duckdb, by_polars


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake", type=Path)
    lake = parser.parse_args().lake
    bars = {
        interval: pl.read_parquet(lake / keys.silver_prefix(interval), hive_partitioning=False)
        for interval in (ONE, MANY)
    }
    workload = _workload(bars[MANY])
    rows = []
    for layout in LAYOUTS:
        work = Path(tempfile.mkdtemp(prefix="fiblake-layout-"))
        folders = {interval: work / str(interval) for interval in bars}
        for folder in folders.values():
            folder.mkdir()
        seconds = sum(
            seconds_of(partial(layout.write, found, folders[interval]))
            for interval, found in bars.items()
        )
        files = [path for folder in folders.values() for path in folder.iterdir()]
        mb = sum(path.stat().st_size for path in files) / 1e6
        rows.append(
            [
                layout.name,
                f"{len(files):,}",
                f"{mb:.0f}",
                f"{seconds:.1f}",
                *_latencies(Readers(folders), workload),
            ]
        )
        shutil.rmtree(work)
    header = ["layout of 13d and 5d", "files", "MB", "write, s", f"one symbol, all {ONE}"]
    header += [f"{_SYMBOLS} symbols, 10 years of {MANY}", f"one date of {MANY}"]
    print(markdown(header, rows))  # noqa: T201 - a benchmark's output


if __name__ == "__main__":
    main()
