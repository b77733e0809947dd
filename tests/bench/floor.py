"""The floor: what resampling must do and no more, by a fold written by hand.

It reads each year's bars once, folds the buckets that start in it, with their ends in the next year
and the splits inside them, and writes silver's files; two threads share the years. It takes a clean
market for granted: no bar withdrawn, no vwap or trades unknown, all files in order. There are no
checkpoints and no conditional writes.
"""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from batch_layer.bronze import splits
from lake import keys
from lake.exchange import load_sessions
from lake.interval import FIBONACCI, Interval
from lake.parquet import ROW_GROUP_ROWS
from lake.schemas import BARS
from lake.store import LocalStore
from tests.bench.fold import Bars, Rows, Splits, fold

THREADS: Final = 2
_NAMES: Final = ["symbol"]
_VALUES: Final = ["open", "high", "low", "close", "volume", "vwap", "trades", "revision"]
# Dictionaries of prices would cost time, and space as well.
_REPEATED: Final = [
    name for name in BARS.names if BARS.field(name).type not in {pa.float64(), pa.int64()}
]
_STATES: Final = pa.array(["forming", "final"])


@dataclass(frozen=True)
class _Year:
    """A year of bronze: the rows of listing `names[i]` are those from `at[i]` to `at[i + 1]`."""

    names: list[str]
    at: NDArray[np.int64]
    symbols: pa.Array
    rows: Rows


@dataclass(frozen=True)
class _Pair:
    """A year and the first sessions of the next: what is folded together."""

    names: list[str]
    symbols: pa.Array
    runs: NDArray[np.int64]
    years: tuple[Rows, Rows]


class _Bronze:
    """A lake's bronze, each year of it read once."""

    def __init__(self, folder: Path) -> None:
        store = LocalStore(folder)
        found = keys.by_year(store.fingerprints(keys.DAILY))
        self.years = {year: folder / key for year, key in found.items()}
        self.table = load_sessions(store)
        self.dates = pa.array(self.table.dates, pa.date32()).cast(pa.int32()).to_numpy()
        self._ordinals = np.full(self.dates[-1] + 1 - self.dates[0], -1, np.int32)
        self._ordinals[self.dates - self.dates[0]] = np.arange(len(self.dates))
        last = _last_session(self.years[max(self.years)])
        self.last = self.table.ordinals(last, last).start
        known = splits.read(store)
        ordinals = [self.table.ordinals(day, self.table.last).start for day in known["effective"]]
        factors = known["split_to"] / known["split_from"]
        self.splits = sorted(zip(known["symbol"], ordinals, factors, strict=True))
        # Of the bars of a year, the last ones may have their rows in the next.
        self._most = 2 * max(pq.read_metadata(path).num_rows for path in self.years.values())
        self._room = threading.local()
        self._kept: dict[int, _Year] = {}
        self._locks = {year: threading.Lock() for year in self.years}

    def pair(self, year: int) -> _Pair:
        """Return a year and the next one; each year is asked for twice."""
        found = [self._year(each) for each in (year, year + 1) if each in self.years]
        names = sorted({name for each in found for name in each.names})
        runs = np.hstack([_runs(names, each) for each in found])
        if len(found) == 1:
            (only,) = found
            nothing = np.zeros_like(runs)
            return _Pair(names, only.symbols, np.hstack([runs, nothing]), (only.rows, only.rows))
        one, other = found
        symbol = other.rows.symbol + np.int32(len(one.symbols))
        symbol.setflags(write=False)  # as Arrow's are: one kind of array, compiled once
        symbols = pa.concat_arrays([one.symbols, other.symbols])
        return _Pair(names, symbols, runs, (one.rows, other.rows._replace(symbol=symbol)))

    def room(self) -> Bars:
        """Return room for a year's bars, the same for all that a thread folds."""
        if not hasattr(self._room, "bars"):
            self._room.bars = Bars.room_for(self._most)
        bars: Bars = self._room.bars
        return bars

    def _year(self, year: int) -> _Year:
        with self._locks[year]:
            found = self._kept.pop(year, None)
            if found is None:
                found = self._kept[year] = self._read(self.years[year])
            return found

    def _read(self, path: Path) -> _Year:
        file = pq.ParquetFile(path, read_dictionary=_NAMES)
        rows = file.read([*_NAMES, "session", *_VALUES], use_threads=False)
        rows = rows.unify_dictionaries().combine_chunks()
        symbol = rows["symbol"].chunk(0)
        codes = symbol.indices.to_numpy()
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        days = rows["session"].chunk(0).cast(pa.int32()).to_numpy()
        values = [rows[name].chunk(0).to_numpy() for name in _VALUES]
        return _Year(
            names=symbol.dictionary.take(pa.array(codes[starts])).to_pylist(),
            at=np.append(starts, len(codes)),
            symbols=symbol.dictionary,
            rows=Rows(self._ordinals[days - self.dates[0]], symbol.indices.to_numpy(), *values),
        )


def compile_fold(source: Path) -> None:
    """Have the fold compiled, with the first of a lake's years, which are small."""
    bronze = _Bronze(source)
    with TemporaryDirectory() as scratch:
        _fold_year(bronze, min(bronze.years), Path(scratch))


def fold_lake(source: Path, target: Path) -> None:
    """Fold the bronze of a lake into the silver of the folder `target`."""
    bronze = _Bronze(source)
    # A bucket may start in the year before the first bar. The largest years come first.
    wanted = sorted({*bronze.years, min(bronze.years) - 1}, reverse=True)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda year: _fold_year(bronze, year, target), wanted))


def _last_session(path: Path) -> dt.date:
    metadata = pq.read_metadata(path)
    column = metadata.schema.names.index("session")
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    last: dt.date = max(group.column(column).statistics.max for group in groups)
    return last


def _fold_year(bronze: _Bronze, year: int, target: Path) -> None:
    pair = bronze.pair(year)
    of_year = bronze.table.ordinals(dt.date(year, 1, 1), dt.date(year, 12, 31))
    bars = bronze.room()
    for interval in FIBONACCI:
        n = interval.sessions
        first, beyond = (-(-ordinal // n) * n for ordinal in (of_year.start, of_year.stop))
        last = min(beyond - 1, bronze.last)
        inside = _splits(bronze, pair.names, first, last)
        made = fold(n, first, last, pair.runs, pair.years, inside, bars)
        if made:
            columns = Bars(*(column[:made] for column in bars))
            _write(_table(columns, pair, n, last, bronze.dates), interval, year, target)


def _runs(names: list[str], year: _Year) -> NDArray[np.int64]:
    """Return from which row to which the rows of each of some listings are."""
    runs = {name: year.at[number : number + 2] for number, name in enumerate(year.names)}
    nothing = np.zeros(2, np.int64)
    return np.array([runs.get(name, nothing) for name in names])


def _splits(bronze: _Bronze, names: list[str], first: int, last: int) -> Splits:
    inside = [each for each in bronze.splits if first < each[1] <= last]
    at = np.searchsorted(np.array([name for name, _, _ in inside], str), names)
    return Splits(
        at=np.append(at, len(inside)),
        ordinal=np.array([ordinal for _, ordinal, _ in inside], np.int64),
        factor=np.array([factor for _, _, factor in inside], np.float64),
    )


def _table(bars: Bars, pair: _Pair, n: int, last: int, dates: NDArray[np.int32]) -> pa.Table:
    """Return bars in the schema `BARS`."""
    first = bars.bucket * n
    through = np.minimum(first + n - 1, last)
    columns = {
        **bars._asdict(),
        "listing": pa.DictionaryArray.from_arrays(pa.array(bars.listing), pair.names),
        "symbol": pa.DictionaryArray.from_arrays(pa.array(bars.symbol), pair.symbols),
        "start": pa.array(dates[first]).view(pa.date32()),
        "vwap": bars.notional / bars.volume,
        "sessions_expected": through - first + np.int32(1),
        "through": pa.array(dates[through]).view(pa.date32()),
        "state": pa.DictionaryArray.from_arrays(
            pa.array((through == first + n - 1).view(np.int8)), _STATES
        ),
    }
    arrays = [pa.array(columns[name]) for name in BARS.names]
    kinds = zip(BARS, arrays, strict=True)
    return pa.table(arrays, pa.schema([field.with_type(array.type) for field, array in kinds]))


def _write(rows: pa.Table, interval: Interval, year: int, target: Path) -> None:
    path = target / keys.silver(interval, year)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        rows,
        path,
        compression="zstd",
        row_group_size=ROW_GROUP_ROWS,
        write_batch_size=ROW_GROUP_ROWS,
        use_dictionary=_REPEATED,
        store_schema=False,
    )
