"""Indicators: what there is of them, how they are named, and which SQL computes each.

`n` is the period, in bars of the interval; the definitions:

    sma_n      mean of the last n closes
    ema_n      of closes, each weighing 2 / (n + 1); the first is the sma of the first n
    atr_n      of true ranges, smoothed as Wilder does; the first is the mean of the first n
    rsi_n      100 * g / (g + l), gains g and losses l from close to close smoothed as Wilder does;
               the first is of the first n changes; null where nothing has changed
    returns_n  close / close n bars before - 1

The true range is the largest of high - low, and of high and low from the close before; of a
listing's first bar it is high - low. Wilder's smoothing gives what is new the weight 1 / n. Until
enough bars are there, an indicator is null.

Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978), for atr and rsi.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pyarrow as pa

from lake.errors import MisuseError
from lake.scan import sql

if TYPE_CHECKING:
    import duckdb

_PACKAGE: Final = "serving_layer"
_NAMED: Final = re.compile(r"(sma|ema|atr|rsi|returns)_([1-9]\d{0,3})")
_SMOOTHED: Final = ("ema", "atr", "rsi")
MOST_PERIOD: Final = 1000
_ALLOWED: Final = (
    f"Allowed: sma_N and returns_N with N from 1, ema_N, atr_N and rsi_N with N from 2, "
    f"to {MOST_PERIOD}, as rsi_14"
)
_FORGOTTEN: Final = 2.0**-53
"""What weighs less than this beside 1 no longer shows in a double."""
_BLOCK_WEIGHT: Final = 1e-100
"""Weights are summed in blocks in which they fall to this: none overflows."""
MACROS: Final = (
    "backtest_bars",
    "backtest_closes",
    "backtest_true_ranges",
    "backtest_gains",
    "backtest_moves",
)
"""What a connection must have before `column` runs on it, in this order."""
STATEMENTS: Final = ("backtest_sma", "backtest_returns", "backtest_smoothed", "backtest_rsi")


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator; build it with `Indicator.parse`.

    Attributes:
        kind: `sma`, `ema`, `atr`, `rsi` or `returns`.
        period: In bars.
    """

    kind: str
    period: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the indicator that `text` names, as `rsi_14`.

        Raises:
            MisuseError: If it names none.
        """
        match = _NAMED.fullmatch(text)
        kind, period = (match[1], int(match[2])) if match else ("", 0)
        least = 2 if kind in _SMOOTHED else 1
        if not least <= period <= MOST_PERIOD:
            fact = f"{text!r} is not an indicator. {_ALLOWED}."
            raise MisuseError(fact)
        return cls(kind, period)

    @property
    def kept(self) -> float:
        """How much of a smoothed value the next one keeps."""
        return 1 - (2 / (self.period + 1) if self.kind == "ema" else 1 / self.period)

    @property
    def memory(self) -> int:
        """How many bars back a bar can still show in it."""
        if self.kind not in _SMOOTHED:
            return self.period
        return 1 + self.period + math.ceil(math.log(_FORGOTTEN) / math.log(self.kept))

    def column(self, cursor: duckdb.DuckDBPyConnection, bars: pa.Table) -> pa.ChunkedArray:
        """Return the indicator of each bar, float64 and null where bars are too few.

        Args:
            cursor: A connection that has `MACROS`.
            bars: Listing, high, low and close, in order of listing and start, of one interval.
        """
        nth = pa.array(np.arange(bars.num_rows))
        cursor.register("bars", bars.append_column("nth", nth))
        if self.kind in {"sma", "returns"}:
            return _run(cursor, f"backtest_{self.kind}", n=self.period)["value"]
        if self.kind == "rsi":
            cursor.register("gained", self._smoothed(cursor, "gains"))
            cursor.register("moved", self._smoothed(cursor, "moves"))
            return _run(cursor, "backtest_rsi")["value"]
        measure = {"ema": "closes", "atr": "true_ranges"}[self.kind]
        return self._smoothed(cursor, measure)["value"]

    def _smoothed(self, cursor: duckdb.DuckDBPyConnection, measure: str) -> pa.Table:
        block = math.ceil(math.log(_BLOCK_WEIGHT) / math.log(self.kept))
        statement = sql(_PACKAGE, "backtest_smoothed").replace("measured(", f"{measure}(")
        binds = {"n": self.period, "kept": self.kept, "block": block}
        return cursor.execute(statement, binds).to_arrow_table()

    def __str__(self) -> str:
        return f"{self.kind}_{self.period}"


def _run(cursor: duckdb.DuckDBPyConnection, name: str, **binds: object) -> pa.Table:
    return cursor.execute(sql(_PACKAGE, name), binds).to_arrow_table()
