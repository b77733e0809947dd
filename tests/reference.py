"""A market with a story: a company renamed, a symbol used again, a class of shares."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from batch_layer.bronze import dividends, listings, splits
from batch_layer.local_vendor import Rename, Reuse, Story
from lake.store import LocalStore, ObjectStore
from tests.frames import bronze
from tests.vendor import LAST

RENAMED: Final = dt.date(2012, 9, 4)
REUSED: Final = dt.date(2012, 11, 1)
NEW: Final = "META"
CLASS: Final = "BRK.B"
DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cast:
    """Which symbols of the vendor's lake play which part.

    Attributes:
        renamed: Becomes `NEW` on `RENAMED`; it was split.
        reused: Another company's from `REUSED` on.
        spelt: Sold as `CLASS`.
        delisted: Trade no more on `LAST`; with their last days.
        first: By symbol, the day of its first bar.
    """

    renamed: str
    reused: str
    spelt: str
    delisted: dict[str, dt.date]
    first: dict[str, dt.date]

    @property
    def story(self) -> Story:
        return Story(
            renames=(Rename(self.renamed, NEW, RENAMED),),
            reuses=(Reuse(self.reused, REUSED),),
            spellings={self.spelt: CLASS},
        )


def cast_of(folder: Path) -> Cast:
    store = LocalStore(folder)
    bars = bronze(store).group_by("symbol")
    spans = bars.agg(first=pl.col("session").min(), last=pl.col("session").max())
    is_whole = (pl.col("first") < RENAMED - 30 * DAY) & (pl.col("last") == LAST)
    was_split = set(splits.read(store)["symbol"])
    whole = sorted(spans.filter(is_whole)["symbol"], key=lambda each: (each not in was_split, each))
    renamed, reused, spelt = whole[:3]
    gone = spans.filter(pl.col("last") < LAST - 30 * DAY)
    delisted = dict(gone.select("symbol", "last").iter_rows())
    return Cast(renamed, reused, spelt, delisted, dict(spans.select("symbol", "first").iter_rows()))


def known(store: ObjectStore) -> tuple[list[tuple[object, ...]], ...]:
    """All reference data in force, and from when they are known."""
    tables = (splits.read(store), dividends.read(store), listings.read(store))
    return tuple(each.rows() for each in tables)
