"""The market that the vendor sells: unadjusted daily bars, read from a lake's bronze.

Bronze is read a calendar year at a time, and the last few years are kept in memory: some 100 MB
each with 5,350 symbols. A lake that changes while it is served may be served in parts.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from batch_layer.bronze import manifest
from lake import keys
from lake.errors import IMPORT_HINT, EmptyLakeError
from lake.exchange import load_sessions
from lake.parquet import decode_columns

if TYPE_CHECKING:
    import datetime as dt

    from lake.store import ObjectStore

COLUMNS: Final = ("symbol", "open", "high", "low", "close", "volume", "vwap", "trades")
_YEARS_KEPT: Final = 2


@dataclass(frozen=True, slots=True)
class _Year:
    """A year's bars in order of session and symbol, and where each session's are."""

    bars: pl.DataFrame
    places: dict[dt.date, tuple[int, int]]

    def day(self, session: dt.date) -> pl.DataFrame:
        offset, length = self.places.get(session, (0, 0))
        return self.bars.slice(offset, length)


class Market:
    """The daily bars of a lake, by session and by symbol.

    Args:
        store: The lake.

    Raises:
        EmptyLakeError: If it holds no bars.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.table = load_sessions(store)
        self.years = keys.by_year(store.fingerprints(keys.DAILY))
        self.sessions = sorted(manifest.read(store))
        if not self.sessions:
            fact = f"The lake {store.location} holds no bars to sell."
            raise EmptyLakeError(fact, hint=IMPORT_HINT)
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, _Year] = OrderedDict()

    def day(self, session: dt.date) -> pl.DataFrame:
        """Return the bars of a session, columns `COLUMNS`, in order of symbol."""
        return self._year(session.year).day(session).select(COLUMNS)

    def history(self, symbol: str, first: dt.date, last: dt.date) -> pl.DataFrame:
        """Return a symbol's bars in `[first, last]`: `session` and `COLUMNS`, in order."""
        wanted = (pl.col("symbol") == symbol) & pl.col("session").is_between(first, last)
        years = [each for each in self.years if first.year <= each <= last.year]
        found = [self._year(year).bars.filter(wanted) for year in years]
        return pl.concat([no_bars(), *found])

    def spans(self) -> dict[str, tuple[dt.date, dt.date]]:
        """Return the first and the last bar of each symbol."""
        parts = []
        for key in self.years.values():
            what = f"{key} in {self._store.location}"
            columns = ("symbol", "session")
            rows = pl.DataFrame(decode_columns(self._store.get(key).data, what, columns))
            first, last = pl.col("session").min(), pl.col("session").max()
            parts.append(rows.group_by("symbol").agg(first=first, last=last))
        merged = pl.concat(parts).group_by("symbol")
        spans = merged.agg(pl.col("first").min(), pl.col("last").max()).sort("symbol")
        return {symbol: (first, last) for symbol, first, last in spans.iter_rows()}

    def _year(self, year: int) -> _Year:
        # One thread reads, the others wait for it: else each would read the same year.
        with self._lock:
            if year in self._kept:
                self._kept.move_to_end(year)
                return self._kept[year]
            found = self._kept[year] = self._read(year)
            while len(self._kept) > _YEARS_KEPT:
                self._kept.popitem(last=False)
            return found

    def _read(self, year: int) -> _Year:
        if year not in self.years:
            return _Year(no_bars(), {})
        key = self.years[year]
        what = f"{key} in {self._store.location}"
        data = self._store.get(key).data
        bars = pl.DataFrame(decode_columns(data, what, ("session", *COLUMNS)))
        bars = bars.sort("session", "symbol")
        days, first, length = np.unique(
            bars["session"].to_numpy(), return_index=True, return_counts=True
        )
        places = zip(days.tolist(), zip(first.tolist(), length.tolist(), strict=True), strict=True)
        return _Year(bars, dict(places))


def no_bars() -> pl.DataFrame:
    """Return no bars: `session` and `COLUMNS`."""
    kinds: dict[str, pl.DataType] = {name: pl.Float64() for name in COLUMNS}
    kinds |= {"symbol": pl.String(), "trades": pl.Int64()}
    return pl.DataFrame(schema={"session": pl.Date(), **kinds})
