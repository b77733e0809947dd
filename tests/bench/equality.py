"""Whether two silvers hold the same bars: all fields exactly, but vwap to one part in 1e9.

A vwap is a sum of products over a sum: the order in which they are added shows in its last digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake import keys
from lake.interval import FIBONACCI, Interval
from lake.schemas import BARS
from lake.store import LocalStore

VWAP_TOLERANCE: Final = 1e-9


@dataclass(frozen=True)
class Compared:
    """How many bars the first silver has, and what differs between the two, in words."""

    bars: int
    differences: tuple[str, ...]


def compare_silver(expected: Path, actual: Path) -> Compared:
    """Compare the silver of two lakes, partition by partition."""
    bars = 0
    found: list[str] = []
    for interval in FIBONACCI:
        ours, theirs = (_partitions(folder, interval) for folder in (expected, actual))
        found += [f"{key}: in one silver alone" for key in sorted(set(ours) ^ set(theirs))]
        for key in sorted(set(ours) & set(theirs)):
            one, other = _rows(expected / key), _rows(actual / key)
            bars += one.num_rows
            found += [f"{key}: {what}" for what in _differences(one, other)]
    return Compared(bars, tuple(found))


def share_of_equal_bars(expected: Path, interval: Interval, bars: pl.DataFrame) -> float:
    """Return how many of some bars, of 1, are among those expected: symbol, start and prices."""
    names = ["symbol", "start", "open", "high", "low", "close", "volume"]
    files = [expected / key for key in sorted(_partitions(expected, interval))]
    known = pl.scan_parquet(files, hive_partitioning=False).select(names)
    equal = bars.lazy().select(names).join(known, on=names, how="semi")
    return equal.collect().height / bars.height


def _partitions(folder: Path, interval: Interval) -> set[str]:
    found = LocalStore(folder).fingerprints(keys.silver_prefix(interval))
    return set(keys.by_year(found).values())


def _rows(path: Path) -> pa.Table:
    return pq.ParquetFile(path).read(BARS.names)


def _differences(one: pa.Table, other: pa.Table) -> list[str]:
    if one.num_rows != other.num_rows:
        return [f"{one.num_rows} bars, not {other.num_rows}"]
    return [
        f"{name} of {count} bars" for name in BARS.names if (count := _unequal(one, other, name))
    ]


def _unequal(one: pa.Table, other: pa.Table, name: str) -> int:
    left, right = one[name], other[name]
    if name == "vwap":
        left, right = (column.to_numpy() for column in (left, right))
        near = np.abs(left - right) <= VWAP_TOLERANCE * np.abs(left)
        return int((~near & ~(np.isnan(left) & np.isnan(right))).sum())
    same = pc.fill_null(
        pc.equal(left, right.cast(left.type)), pc.and_(left.is_null(), right.is_null())
    )
    return len(left) - (pc.sum(same).as_py() or 0)
