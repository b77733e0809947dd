"""Which events of a source go on, and why others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from lake.eligibility import OUTSIDE, judged
from lake.symbol import is_symbol

if TYPE_CHECKING:
    from lake.conditions import Conditions
    from lake.hours import Timetable

_SECOND_US: Final = 1_000_000
_PRICES: Final = ("open", "high", "low", "vwap")
REASONS: Final = {
    "malformed": "is no event",
    "symbol": "no symbol of the lake is spelled so",
    "price": "its price, or one of its prices, is none",
    "size": "its size is none",
    "ahead": "it is stamped further ahead of its receipt than clocks may differ",
    "outside": "it is outside all hours",
}
"""Why something is refused, by the word under which it is counted."""


class Judge:
    """Judges events.

    Args:
        conditions: What trades under each may move.
        days: The hours of the sessions that events may be of.
        skew_s: How far ahead of its receipt an event may be stamped: were one to tell an hour too
            much, everything after it would seem late.
    """

    def __init__(self, conditions: Conditions, days: Timetable, *, skew_s: float = 60.0) -> None:
        self._conditions = conditions
        self._days = days
        self._skew_us = int(skew_s * _SECOND_US)
        self._spellings: dict[str, bool] = {}

    def judge(self, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the events that go on, with `minute` and `moves`, and those that are refused.

        Both keep their order; the latter have the `reason` besides.
        """
        events = judged(events, self._conditions, self._days)
        reason = (
            pl.when(pl.Series(self._misspelt(events["symbol"])))
            .then(pl.lit("symbol"))
            .when(~_is_price(pl.col("price")) | ~_are_prices())
            .then(pl.lit("price"))
            .when(~pl.col("size").is_finite() | (pl.col("size") < 0))
            .then(pl.lit("size"))
            .when(pl.col("time") > pl.col("received") + self._skew_us)
            .then(pl.lit("ahead"))
            .when(pl.col("minute") == OUTSIDE)
            .then(pl.lit("outside"))
        )
        told = events.select(reason.alias("reason"))["reason"]
        if told.null_count() == events.height:
            return events, events.clear().with_columns(reason=pl.lit("", pl.String))
        refused = events.with_columns(told).filter(told.is_not_null())
        return events.filter(told.is_null()), refused

    def _misspelt(self, symbols: pl.Series) -> pl.Series:
        names = symbols.unique()
        for name in names:
            if name not in self._spellings:
                self._spellings[name] = is_symbol(name)
        wrong = [name for name in names if not self._spellings[name]]
        if not wrong:
            return pl.repeat(value=False, n=len(symbols), eager=True)
        return symbols.is_in(wrong)


def _is_price(column: pl.Expr) -> pl.Expr:
    return column.is_finite() & (column > 0)


def _are_prices() -> pl.Expr:
    """Return whether those of an aggregate's prices that are told are prices."""
    return pl.all_horizontal(_is_price(pl.col(name)).fill_null(value=True) for name in _PRICES)
