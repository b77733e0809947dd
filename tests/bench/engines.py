"""How each engine answers the same three queries on the same bars, in the form it gives best."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb
import polars as pl
import pyarrow as pa

from lake import keys
from lake.interval import Interval
from lake.schemas import BARS
from tests.bench.lakes import lake_at
from tests.bench.with_arcticdb import frames_by_listing, in_batches, open_arctic, write_frames

ONE: Final = Interval.parse("13d")
MANY: Final = Interval.parse("5d")
_BY_DATE: Final = "by-date"


class Engine(Protocol):
    """Answers queries; what it answers with is its own affair, but it is in memory."""

    def one(self, symbol: str) -> Any:
        """Return all bars of ONE of a symbol."""

    def many(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Any:
        """Return the bars of MANY of symbols whose start lies between two dates."""

    def whole(self, start: dt.date) -> Any:
        """Return the bars of MANY of the whole market that start on a date."""


class Ours:
    """`Lake.bars` on local copies of silver: splits applied, the bars in order."""

    def __init__(self, lake: Path, store: Path) -> None:
        os.environ["FIBLAKE_CACHE"] = str(store / "cache")
        self._lake = lake_at(lake)
        self._lake.warm(str(ONE), str(MANY))

    def one(self, symbol: str) -> Any:
        return self._lake.bars(symbol, str(ONE))

    def many(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Any:
        return self._lake.bars(symbols, str(MANY), start=first, end=last)

    def whole(self, start: dt.date) -> Any:
        return self._lake.bars(None, str(MANY), start=start, end=start)


class Polars:
    """`scan_parquet` on silver's files."""

    def __init__(self, lake: Path, _store: Path) -> None:
        self._lake = lake

    def one(self, symbol: str) -> Any:
        return self._scan(ONE).filter(symbol=symbol).collect()

    def many(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Any:
        years = pl.col("year").is_between(first.year, last.year)
        dates = pl.col("start").is_between(first, last)
        return self._scan(MANY).filter(years, dates, pl.col("symbol").is_in(symbols)).collect()

    def whole(self, start: dt.date) -> Any:
        return self._scan(MANY).filter(year=start.year, start=start).collect()

    def _scan(self, interval: Interval) -> pl.LazyFrame:
        return pl.scan_parquet(self._lake / keys.silver_prefix(interval), hive_partitioning=True)


class DuckDB:
    """`read_parquet` on silver's files, into Arrow."""

    def __init__(self, lake: Path, _store: Path) -> None:
        self._connection = duckdb.connect()
        self._lake = lake

    def one(self, symbol: str) -> Any:
        return self._read(ONE, "symbol = $symbol", symbol=symbol)

    def many(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Any:
        where = (
            "year BETWEEN year($first) AND year($last) AND start BETWEEN $first AND $last"
            " AND list_contains($symbols, symbol)"
        )
        return self._read(MANY, where, symbols=list(symbols), first=first, last=last)

    def whole(self, start: dt.date) -> Any:
        return self._read(MANY, "year = year($start) AND start = $start", start=start)

    def _read(self, interval: Interval, where: str, **binds: object) -> Any:
        files = f"{self._lake}/{keys.silver_prefix(interval)}**/*.parquet"
        sql = f"FROM read_parquet('{files}', hive_partitioning = true) WHERE {where}"
        return self._connection.execute(sql, binds).to_arrow_table()


class ChDB:
    """chDB: a MergeTree an interval, ordered by listing and start, into Arrow.

    That of MANY is in a part a year: a date then touches a 64th of it.
    """

    def __init__(self, _lake: Path, store: Path) -> None:
        from chdb.session import Session  # noqa: PLC0415 - installed for benchmarks alone

        self._session = Session(str(store))

    def one(self, symbol: str) -> Any:
        return self._read(ONE, f"listing = '{symbol}'")

    def many(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Any:
        names = ", ".join(f"'{symbol}'" for symbol in symbols)
        return self._read(MANY, f"listing IN ({names}) AND start BETWEEN '{first}' AND '{last}'")

    def whole(self, start: dt.date) -> Any:
        return self._read(MANY, f"start = '{start}'")

    def load(self, lake: Path) -> None:
        """Make the tables out of silver."""
        self._session.query("CREATE DATABASE bars")
        names = ", ".join(
            f"toLowCardinality({name}) AS {name}" if BARS.field(name).type == pa.string() else name
            for name in BARS.names
        )
        for interval, partition in ((ONE, ""), (MANY, "PARTITION BY toYear(start)")):
            files = f"{lake}/{keys.silver_prefix(interval)}**/*.parquet"
            source = f"SELECT {names} FROM file('{files}', Parquet)"  # noqa: S608 - names of our own
            self._session.query(
                f"CREATE TABLE bars.bars{interval} ENGINE MergeTree {partition}"
                f" ORDER BY (listing, start) AS {source}"
            )
            self._session.query(f"OPTIMIZE TABLE bars.bars{interval} FINAL")

    def _read(self, interval: Interval, where: str) -> Any:
        sql = f"SELECT * FROM bars.bars{interval} WHERE {where}"  # noqa: S608 - likewise
        return self._session.query(sql, "ArrowTable")


class ArcticDB:
    """ArcticDB on LMDB: a symbol per ticker, and for the whole market a symbol per date."""

    def __init__(self, _lake: Path, store: Path) -> None:
        self._arctic = open_arctic(store)
        self._one, self._many, self._by_date = (
            self._arctic.get_library(name, create_if_missing=True)
            for name in (str(ONE), str(MANY), _BY_DATE)
        )

    def one(self, symbol: str) -> Any:
        return self._one.read(symbol).data

    def many(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Any:
        from arcticdb import ReadRequest  # noqa: PLC0415

        span = dt.datetime.combine(first, dt.time()), dt.datetime.combine(last, dt.time())
        answers = self._many.read_batch([ReadRequest(name, date_range=span) for name in symbols])
        return [answer.data for answer in answers]

    def whole(self, start: dt.date) -> Any:
        return self._by_date.read(str(start)).data

    def load(self, lake: Path) -> None:
        """Write the libraries out of silver; what says nothing beside its symbol is left out."""
        for library, interval in ((self._one, ONE), (self._many, MANY)):
            bars = _silver(lake, interval)
            for names in in_batches(bars["listing"].unique(maintain_order=True).to_list()):
                some = bars.filter(pl.col("listing").is_in(names)).drop("symbol")
                write_frames(library, frames_by_listing(some, "start"))
        bars = _silver(lake, MANY).drop("symbol").sort("start", "listing")
        dates = bars["start"].unique(maintain_order=True).to_list()
        for batch in in_batches(dates):
            parts = bars.filter(pl.col("start").is_in(batch)).partition_by("start", as_dict=True)
            frames = {str(start): part.to_pandas() for (start,), part in parts.items()}
            write_frames(self._by_date, frames)


def _silver(lake: Path, interval: Interval) -> pl.DataFrame:
    through = pl.col("through").cast(pl.Datetime("ns"))
    is_final = pl.col("state") == "final"
    bars = pl.read_parquet(lake / keys.silver_prefix(interval), hive_partitioning=False)
    return bars.with_columns(through, state=is_final)


ENGINES: Final[dict[str, Callable[[Path, Path], Engine]]] = {
    "fiblake": Ours,
    "Polars": Polars,
    "DuckDB": DuckDB,
    "chDB": ChDB,
    "ArcticDB": ArcticDB,
}
