"""Minutes and days made of recorded events into bronze, where vendors told of none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.bronze import daily, minute
from batch_layer.trades.owned import DAY, claim, marks_of, may_change, settle, told

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from batch_layer.bronze.daily import Changes
    from batch_layer.bronze.year import Year
    from batch_layer.trades.owned import Told
    from lake.clock import Clock
    from lake.store import ObjectStore

_AT: Final = pl.col("start").to_physical()
_DAY: Final = pl.lit(DAY)


@dataclass(frozen=True, slots=True)
class Made:
    """Bars made of a session's events.

    Attributes:
        session: Which session.
        minutes: The columns of `MINUTE` but `revision`.
        days: The columns of `DAILY` but `revision`.
    """

    session: dt.date
    minutes: pl.DataFrame
    days: pl.DataFrame


def bring(store: ObjectStore, made: Made, clock: Clock) -> tuple[Changes, Changes]:
    """Commit bars, and withdraw those made before that are no more; others' bars stay.

    Returns:
        What that changes of minutes, and of days.

    Raises:
        ConflictError: If others kept writing the same bars.
        StoreError: If the lake cannot be written.
    """
    marks = pl.concat([marks_of(made.minutes, _AT), marks_of(made.days, _DAY)])
    both = claim(store, made.session, marks)
    minutes = _bring_minutes(store, made, both)
    days = _bring_days(store, made, both, clock)
    settle(store, made.session, marks)
    return minutes, days


def _bring_minutes(store: ObjectStore, made: Made, marks: pl.DataFrame) -> Changes:
    by_vendors = told(store, "minute", made.session)

    def revised(old: pl.DataFrame) -> tuple[pl.DataFrame, Changes]:
        fresh, gone = _split(made.minutes, old, minute.KEY, _AT, marks, by_vendors)
        new, changes = minute.merged(fresh, old)
        left, withdrawn = minute.without(gone, new)
        return left, changes + withdrawn

    return minute.revise(store, made.session, revised)


def _bring_days(store: ObjectStore, made: Made, marks: pl.DataFrame, clock: Clock) -> Changes:
    by_vendors = told(store, "daily", made.session)

    def revised(old: Year) -> daily.Revision:
        fresh, gone = _split(made.days, old.bars, ("symbol",), _DAY, marks, by_vendors)
        new, changes = daily.merged(fresh, old)
        left, withdrawn = daily.without(gone.select("symbol", "session"), clock, new)
        return left, changes + withdrawn

    sessions = pl.Series([made.session])
    return daily.revise(store, made.session.year, sessions, revised)


def _split(  # noqa: PLR0913, PLR0917 - a fact of both kinds each
    new: pl.DataFrame,
    old: pl.DataFrame,
    key: Sequence[str],
    start: pl.Expr,
    marks: pl.DataFrame,
    by_vendors: Told,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what of the new bars may be committed, and which of the old ones are no more."""
    own = may_change(old, start, marks, by_vendors)
    others = old.join(own, on=key, how="anti")
    return new.join(others, on=key, how="anti"), own.join(new, on=key, how="anti")
