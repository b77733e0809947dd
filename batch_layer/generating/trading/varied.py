"""What is odd in a day's trades, and leaves its daily bars as they are.

The trades that make a daily bar's prices stay as they are; of the others some become odd lots,
print under other conditions or outside regular hours, at prices that count for nothing there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from batch_layer.generating.trading.trades import as_events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from lake.hours import SessionHours

    Draw = Callable[[int], NDArray[np.float64]]
    """Returns so many numbers in [0, 1)."""

_MINUTE_US: Final = 60_000_000
_ODD_LOT: Final = (37,)
_FORM_T: Final = ((12,), (12, 37), (13,))
_OTHERS: Final = ((2,), (7,), (10,), (14,), (14, 37), (22,), (33,), (53,), (4,), (5,))
_VOLUME_ALONE: Final = frozenset({2, 7, 37, 53})
_OFFICIAL_OPEN, _OFFICIAL_CLOSE = (16,), (15,)
_ROUND_LOT: Final = 100
_ODD, _OTHER, _EXTENDED, _QUIET = 0.1, 0.06, 0.02, 0.02
"""Parts of all trades, and of all minutes of a symbol that have odd lots alone."""


def varied(trades: pl.DataFrame, hours: SessionHours, draw: Draw) -> pl.DataFrame:
    """Return a day's trades with what is odd in them, in order of symbol, time and sequence.

    Args:
        trades: As `trades_of` makes them.
        hours: Of their session.
        draw: Where chance comes from.
    """
    trades = trades.sort("symbol", "time", "sequence")
    free = ~_anchors(trades)
    codes, which = _conditions(trades, free, draw)
    time = trades["time"].to_numpy()
    is_extended = free & (draw(trades.height) < _EXTENDED)
    time = np.where(is_extended, _outside(hours, draw(trades.height)), time)
    form_t = len(codes) + np.floor(draw(trades.height) * len(_FORM_T)).astype(np.int64)
    which = np.where(is_extended, form_t, which)
    codes = [*codes, *_FORM_T]
    rows = trades.with_columns(
        time=pl.Series(time),
        size=pl.Series(_fractions(trades, free & (which > 0), draw)),
        price=pl.Series(_off_market(trades, codes, which, draw)),
        conditions=pl.when(pl.Series(which == 0))
        .then("conditions")
        .otherwise(pl.Series(codes, dtype=pl.List(pl.Int32)).gather(which)),
    )
    rows = pl.concat([rows, _official(trades, hours)])
    rows = rows.sort("symbol", "time", "sequence", maintain_order=True)
    return rows.with_columns(
        sequence=pl.int_range(1, pl.len() + 1, dtype=pl.Int64()).over("symbol"), received="time"
    )


def _anchors(trades: pl.DataFrame) -> NDArray[np.bool_]:
    """Return which trades make the prices of the daily bars."""
    price, place = pl.col("price"), pl.int_range(pl.len())
    first_last = (place == 0) | (place == pl.len() - 1)
    extreme = (place == price.arg_max()) | (place == price.arg_min())
    anchor = trades.select(anchor=(first_last | extreme).over("symbol"))
    anchors: NDArray[np.bool_] = anchor["anchor"].to_numpy()
    return anchors


def _conditions(
    trades: pl.DataFrame, free: NDArray[np.bool_], draw: Draw
) -> tuple[list[Sequence[int]], NDArray[np.int64]]:
    """Return lists of codes, and which of them each trade prints under; 0: as it did."""
    codes: list[Sequence[int]] = [(), _ODD_LOT, *_OTHERS]
    chance = draw(trades.height)
    size = trades["size"].to_numpy()
    is_odd = chance < np.where(size < _ROUND_LOT, 6 * _ODD, _ODD / 2)
    is_other = ~is_odd & (chance > 1 - _OTHER)
    other = 2 + np.floor(draw(trades.height) * len(_OTHERS)).astype(np.int64)
    which = np.where(is_other, other, is_odd.astype(np.int64))
    which = np.where(_in_quiet_minutes(trades, free, draw), 1, which)
    return codes, np.where(free, which, 0)


def _in_quiet_minutes(
    trades: pl.DataFrame, free: NDArray[np.bool_], draw: Draw
) -> NDArray[np.bool_]:
    """Return which trades are in minutes that shall have odd lots alone."""
    minutes = trades.select("symbol", minute=pl.col("time") // _MINUTE_US, free=pl.Series(free))
    run = minutes.select(pl.struct("symbol", "minute").rle_id())["symbol"].to_numpy()
    chosen = draw(int(run[-1]) + 1) < _QUIET
    held = np.bincount(run, ~free) > 0
    quiet: NDArray[np.bool_] = (chosen & ~held)[run]
    return quiet


def _outside(hours: SessionHours, chance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return instants before the open and, from a minute on, after the close."""
    dawn, opens, closes, dusk = (
        int(at.timestamp()) * 1_000_000 for at in (hours.dawn, hours.open, hours.close, hours.dusk)
    )
    before, after = opens - dawn, dusk - closes - _MINUTE_US
    place = np.floor(chance * (before + after)).astype(np.int64)
    return np.where(place < before, dawn + place, closes + _MINUTE_US + place - before)


def _fractions(trades: pl.DataFrame, free: NDArray[np.bool_], draw: Draw) -> NDArray[np.float64]:
    """Return sizes of which some lack a quarter of a share, that the next one has more."""
    size = trades["size"].to_numpy().copy()
    symbol = trades["symbol"].rle_id().to_numpy()
    is_pair = free[:-1] & free[1:] & (symbol[:-1] == symbol[1:]) & (size[:-1] >= 1)
    is_pair &= draw(len(is_pair)) < _ODD
    is_pair[1:] &= ~is_pair[:-1]
    # Of a run every other one, at most, is left: none lacks twice.
    size[:-1][is_pair] -= 0.25
    size[1:][is_pair] += 0.25
    return size


def _off_market(
    trades: pl.DataFrame,
    codes: Sequence[Sequence[int]],
    which: NDArray[np.int64],
    draw: Draw,
) -> NDArray[np.float64]:
    """Return prices, some of which the day never saw: of trades that move nothing but volume."""
    counts_for_nothing = np.array([bool(_VOLUME_ALONE & set(each)) for each in codes])[which]
    chance = draw(trades.height)
    price = trades["price"].to_numpy()
    far = np.rint(price * (100 + 20 * (chance - 0.1))) / 100
    return np.where(counts_for_nothing & (chance < 1 / 5), far, price)


def _official(trades: pl.DataFrame, hours: SessionHours) -> pl.DataFrame:
    """Return the official prices of each symbol's market, which move nothing."""
    close_us = int(hours.close.timestamp()) * 1_000_000
    opening = (
        trades.group_by("symbol")
        .first()
        .with_columns(
            time=pl.col("time") + 1_000, conditions=pl.lit(list(_OFFICIAL_OPEN), pl.List(pl.Int32))
        )
    )
    closing = (
        trades.group_by("symbol")
        .last()
        .with_columns(
            time=pl.max_horizontal("time", pl.lit(close_us)) + _MINUTE_US,
            conditions=pl.lit(list(_OFFICIAL_CLOSE), pl.List(pl.Int32)),
        )
    )
    told = pl.concat([opening, closing]).sort("symbol", "time")
    return as_events(
        told.select("symbol", "time", "sequence", "price", "size", "conditions", "received"),
        str(trades["source"][0]),
    )
