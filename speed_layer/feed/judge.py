"""Which events of a source go on, and why others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lake.eligibility import OUTSIDE, judged
from lake.symbol import is_symbol
from lake.wire import SCHEMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
_NONE_REFUSED: Final = pl.Schema({**SCHEMA, "reason": pl.String()}).to_frame()


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
        wrong = self._wrong(events)
        is_wrong = np.logical_or.reduce(list(wrong.values()))
        if not is_wrong.any():
            return events, _NONE_REFUSED
        # Of several reasons the first is told.
        first = np.argmax(list(wrong.values()), axis=0)
        reason = pl.Series("reason", np.array(list(wrong), dtype=object)[first], pl.String)
        refused = events.with_columns(reason).filter(pl.Series(is_wrong))
        return events.filter(pl.Series(~is_wrong)), refused

    def _wrong(self, events: pl.DataFrame) -> dict[str, NDArray[np.bool_]]:
        """Return by reason which events are to be refused for it."""
        size, time = events["size"].to_numpy(), events["time"].to_numpy()
        return {
            "symbol": self._misspelt(events["symbol"]),
            "price": _mispriced(events),
            "size": ~(np.isfinite(size) & (size >= 0)),
            "ahead": time > events["received"].to_numpy() + self._skew_us,
            "outside": events["minute"].to_numpy() == OUTSIDE,
        }

    def _misspelt(self, symbols: pl.Series) -> NDArray[np.bool_]:
        texts = symbols.to_list()
        known = self._spellings
        for name in set(texts).difference(known):
            known[name] = is_symbol(name)
        return ~np.fromiter(map(known.__getitem__, texts), dtype=bool, count=len(texts))


def _mispriced(events: pl.DataFrame) -> NDArray[np.bool_]:
    """Return whose price is none, or any of those that an aggregate tells besides."""
    wrong = ~_is_price(events["price"])
    for name in _PRICES:
        told = events[name]
        if told.null_count() < len(told):
            wrong |= ~_is_price(told) & told.is_not_null().to_numpy()
    return wrong


def _is_price(column: pl.Series) -> NDArray[np.bool_]:
    values = column.to_numpy()
    wanted: NDArray[np.bool_] = np.isfinite(values) & (values > 0)
    return wanted
