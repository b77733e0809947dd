"""One year of bronze, as it is read: current bars, replaced bars, and which objects they were."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from lake import keys
from lake.parquet import read_frame
from lake.schemas import DAILY, DAILY_HISTORY

if TYPE_CHECKING:
    from lake.store import ObjectStore

KEY: Final = ("symbol", "session")


@dataclass(frozen=True, slots=True)
class Year:
    """A year's daily bars.

    Attributes:
        bars: Current bars, schema `DAILY`.
        history: Superseded and withdrawn bars, schema `DAILY_HISTORY`.
        bars_fingerprint: Of the object read; None where there was none.
        history_fingerprint: Likewise.
    """

    bars: pl.DataFrame
    history: pl.DataFrame
    bars_fingerprint: str | None
    history_fingerprint: str | None

    def where(self, which: pl.Expr) -> Year:
        """Return the part of the year that an expression on its rows selects."""
        return replace(self, bars=self.bars.filter(which), history=self.history.filter(which))

    def withdrawn(self) -> pl.DataFrame:
        """Return (symbol, session, revision) of the bars that were withdrawn."""
        return withdrawn(self.history, self.bars)


def read_year(store: ObjectStore, year: int) -> Year:
    """Return what bronze holds of a year; no rows where it holds nothing."""
    bars, bars_fingerprint = read_frame(store, keys.daily(year), DAILY)
    history, history_fingerprint = read_frame(store, keys.daily_history(year), DAILY_HISTORY)
    return Year(bars, history, bars_fingerprint, history_fingerprint)


def withdrawn(history: pl.DataFrame, current: pl.DataFrame) -> pl.DataFrame:
    """Return (symbol, session, revision) of the bars of which history alone tells.

    A withdrawal is a change as well: its revision is one above that of the bar withdrawn.
    """
    gone = history.join(current, on=KEY, how="anti")
    return gone.group_by(KEY).agg(pl.col("revision").max() + 1)
