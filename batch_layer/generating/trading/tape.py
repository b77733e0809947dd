"""What a tape makes of a day's trades: how, and in what order, a feed receives them.

It is late, twice, wrong and corrected; it is broken off and filled later. The statements in force
after it all make the very daily bars that the trades made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from batch_layer.generating.trading.varied import varied
from batch_layer.local_vendor.words import seeds, uniform
from lake.conditions import CLOSING_PRINT, bundled
from lake.eligibility import judged
from lake.hours import Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lake.hours import SessionHours

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

_SECOND_US: Final = 1_000_000
_LATENCY_US: Final = (20_000, 300_000)
_SHUFFLED, _SHUFFLED_US = 0.05, 30 * _SECOND_US
_VERY_LATE: Final = 0.001
_VERY_LATE_US: Final = (16 * 60 * _SECOND_US, 60 * 60 * _SECOND_US)
_TWICE, _TWICE_US = 0.01, 5 * _SECOND_US
_CORRECTED, _CORRECTED_AGAIN = 0.005, 0.1
_MOVED: Final = 0.5
"""Part of closing prints that are told to be none, and then to be some all the same."""
_CANCELLED: Final = 0.003
_RESTATED_US: Final = (_SECOND_US, 600 * _SECOND_US)
_EARLY: Final = 0.2
"""Part of corrections and cancels that overtake what they restate."""
_GAP_US: Final = 20 * _SECOND_US
_FILLED_TWICE: Final = 0.3


@dataclass(slots=True)
class _Chance:
    """Numbers in [0, 1), each call's from a stream of its own."""

    seed: NDArray[np.uint64]
    _streams: Iterator[int] = field(default_factory=count)

    def __call__(self, many: int) -> Floats:
        """Return so many numbers."""
        drawn: Floats = uniform(self.seed, next(self._streams), many)[0]
        return drawn

    def between(self, many: int, span: tuple[int, int]) -> NDArray[np.int64]:
        """Return so many whole numbers in [first, beyond)."""
        first, beyond = span
        return first + np.floor(self(many) * (beyond - first)).astype(np.int64)


def messy(
    trades: pl.DataFrame,
    seed: int,
    hours: SessionHours,
    *,
    gaps: int = 1,
) -> pl.DataFrame:
    """Return a day's trades as a feed receives them, in the order of their receipt.

    Args:
        trades: As `trades_of` makes them.
        seed: Another makes another tape.
        hours: Of their session.
        gaps: How often the feed is cut off for 20 seconds, and what it missed filled later.

    Returns:
        Schema `EVENTS`, judged.
    """
    if trades.is_empty():
        return trades
    chance = _Chance(seeds([f"{seed}|tape"]))
    day = varied(trades, hours, chance)
    told = pl.concat([*_told(day, chance), _bad_prints(day, chance)])
    twice = told.filter(pl.Series(chance(told.height) < _TWICE))
    twice = twice.with_columns(received=_after("received", chance, twice, (0, _TWICE_US)))
    tape = pl.concat([told, twice]).sort("received", "symbol", "sequence", "revision")
    for _ in range(gaps):
        tape = _broken_off(tape, chance)
    return judged(tape, bundled(), Timetable([hours]))


def _told(day: pl.DataFrame, chance: _Chance) -> list[pl.DataFrame]:
    """Return the statements that tell of a day's trades, some of which restate wrong ones."""
    day = day.with_columns(received=_received(day, chance))
    again = chance(day.height)
    wrong = pl.Series(again < _CORRECTED)
    right = day.filter(~wrong)
    told = [right]
    corrected = day.filter(wrong)
    is_wrong_twice = pl.Series(again < _CORRECTED * _CORRECTED_AGAIN).filter(wrong)
    last = pl.when(is_wrong_twice).then(2).otherwise(1).cast(pl.Int64)
    told.append(_off(corrected, chance))
    told.append(
        _off(corrected.filter(is_wrong_twice), chance).with_columns(
            revision=pl.lit(1, pl.Int64()), received=pl.col("received") + _SECOND_US
        )
    )
    told.append(_restating(corrected, chance).with_columns(revision=last))
    return [*told, *_moved(right, chance)]


def _moved(right: pl.DataFrame, chance: _Chance) -> Iterator[pl.DataFrame]:
    """Yield what tells of closing prints that they are none, and what restates that."""
    prints = right.filter(pl.col("conditions").list.contains(CLOSING_PRINT))
    moved = prints.filter(pl.Series(chance(prints.height) < _MOVED))
    plain = pl.col("conditions").list.set_difference([CLOSING_PRINT])
    for revision, conditions in enumerate((plain, pl.col("conditions")), start=1):
        told = moved.with_columns(conditions, revision=pl.lit(revision, pl.Int64()))
        yield _restating(told, chance)


def _received(day: pl.DataFrame, chance: _Chance) -> pl.Series:
    """Return when each trade is received: soon, mostly."""
    delay = chance.between(day.height, _LATENCY_US)
    shuffled = chance.between(day.height, (0, _SHUFFLED_US))
    delay = np.where(chance(day.height) < _SHUFFLED, shuffled, delay)
    late = chance.between(day.height, _VERY_LATE_US)
    delay = np.where(chance(day.height) < _VERY_LATE, late, delay)
    return day["time"] + pl.Series(delay)


def _off(trades: pl.DataFrame, chance: _Chance) -> pl.DataFrame:
    """Return trades with a price and a size that they do not have."""
    factor = pl.Series(80 + np.floor(chance(trades.height) * 40))
    return trades.with_columns(
        price=(pl.col("price") * factor).round() / 100,
        size=pl.col("size") + pl.Series(chance.between(trades.height, (0, 5)) * 100),
    )


def _restating(trades: pl.DataFrame, chance: _Chance) -> pl.DataFrame:
    """Return trades as they are told later, or overtaking what was told of them first."""
    is_early = pl.Series(chance(trades.height) < _EARLY)
    # Never before they printed.
    early = (pl.col("time") + pl.col("received")) // 2
    late = _after("received", chance, trades, _RESTATED_US)
    return trades.with_columns(received=pl.when(is_early).then(early).otherwise(late))


def _after(name: str, chance: _Chance, rows: pl.DataFrame, span: tuple[int, int]) -> pl.Expr:
    return pl.col(name) + pl.Series(chance.between(rows.height, span))


def _bad_prints(day: pl.DataFrame, chance: _Chance) -> pl.DataFrame:
    """Return trades far off the market that never were, and what cancels each."""
    near = day.filter(pl.Series(chance(day.height) < _CANCELLED))
    first = day.group_by("symbol").agg(last=pl.col("sequence").max())
    near = near.join(first, on="symbol", how="left", maintain_order="left")
    sequence = pl.col("last") + pl.int_range(1, pl.len() + 1, dtype=pl.Int64()).over("symbol")
    factor = pl.Series(np.where(chance(near.height) < 1 / 2, 0.5, 2.0))
    bad = near.with_columns(
        sequence=sequence,
        price=(pl.col("price") * factor * 100).round() / 100,
        size=pl.lit(1_000.0),
        conditions=pl.lit([], pl.List(pl.Int32())),
    ).drop("last")
    bad = bad.with_columns(received=_received(bad, chance))
    cancels = _restating(bad, chance).with_columns(
        revision=pl.lit(1, pl.Int64()), cancelled=pl.lit(value=True)
    )
    return pl.concat([bad, cancels])


def _broken_off(tape: pl.DataFrame, chance: _Chance) -> pl.DataFrame:
    """Return a tape of which a span comes only after it, in order of time, some of it twice."""
    received = tape["received"].to_numpy()
    begin = int(received[int(chance(1)[0] * tape.height)])
    end = begin + _GAP_US
    missed = pl.Series((received >= begin) & (received < end))
    filled = tape.filter(missed).sort("time", "symbol", "sequence", "revision")
    pace = (_GAP_US + np.arange(filled.height) * _GAP_US // max(filled.height, 1)).astype(np.int64)
    filled = filled.with_columns(received=pl.Series(end + pace))
    twice = filled.filter(pl.Series(chance(filled.height) < _FILLED_TWICE))
    parts = [tape.filter(~missed), filled, twice.with_columns(pl.col("received") + 1)]
    return pl.concat(parts).sort("received", maintain_order=True)
