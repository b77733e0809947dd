"""Slots as frames: live bars and prices as the view takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lake.hours import HOURS
from lake.schemas import LIVE_BARS, PRICES
from speed_layer.engine import parts
from speed_layer.engine.buckets import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speed_layer.engine.day import Day

BARS_SCHEMA: Final = pl.Schema(pl.from_arrow(LIVE_BARS.empty_table()).schema)  # type: ignore[union-attr]
PRICES_SCHEMA: Final = pl.Schema(pl.from_arrow(PRICES.empty_table()).schema)  # type: ignore[union-attr]
_LEVELS: Final = pl.Series(LEVELS)
_HOURS: Final = pl.Series(HOURS)
_STATES: Final = pl.Series(["forming", "final"])


def bars_of(day: Day, slots: NDArray[np.int64], symbols: pl.Series) -> pl.DataFrame:
    """Return the bars of some slots, schema `LIVE_BARS`.

    Args:
        day: Their session.
        slots: Those of bars.
        symbols: All, by number.
    """
    values, marks = day.slots.values[slots], day.slots.marks[slots]
    bucket = day.slots.bucket[slots]
    is_bar = parts.is_bar(values)
    is_final = day.is_final[bucket]
    volume, notional = values[:, parts.VOLUME], values[:, parts.NOTIONAL]
    prices = {name: values[:, place] for place, name in enumerate(parts.VALUES[: parts.CLOSE + 1])}
    with np.errstate(invalid="ignore", divide="ignore"):
        vwap = np.where(volume > 0, notional / volume, np.nan)
    return pl.DataFrame(
        {
            "symbol": symbols.gather(day.slots.symbol[slots]),
            "interval": _LEVELS.gather(day.buckets.level[bucket]),
            "session": pl.repeat(day.buckets.hours.session, len(slots), dtype=pl.Date, eager=True),
            "hours": _HOURS.gather(day.buckets.within[bucket]),
            "start": day.buckets.start[bucket],
            **{name: _known(price, is_bar & np.isfinite(price)) for name, price in prices.items()},
            "volume": volume,
            "vwap": _known(vwap, ~np.isnan(vwap)),
            "trades": _known(values[:, parts.TRADES], ~np.isnan(values[:, parts.TRADES])),
            "minutes": marks[:, parts.MINUTES],
            "state": _STATES.gather(is_final.astype(np.int64)),
            "version": 2 * marks[:, parts.WEIGHT] + is_final,
        }
    ).cast(BARS_SCHEMA)


def prices_of(
    day: Day, slots: NDArray[np.int64], symbols: pl.Series, sources: pl.Series
) -> pl.DataFrame:
    """Return the prices of some slots, schema `PRICES`.

    Args:
        day: Their session.
        slots: Those of prices.
        symbols: All, by number.
        sources: All, by number; the first is none's.
    """
    price, marks = day.slots.values[slots, parts.CLOSE], day.slots.marks[slots]
    is_known = ~np.isnan(price)
    return pl.DataFrame(
        {
            "symbol": symbols.gather(day.slots.symbol[slots]),
            "session": pl.repeat(day.buckets.hours.session, len(slots), dtype=pl.Date, eager=True),
            "price": _known(price, is_known),
            "time": np.where(is_known, marks[:, parts.CLOSE_TIME], 0),
            "received": marks[:, parts.RECEIVED],
            "source": sources.gather(marks[:, parts.SOURCE]),
            "version": marks[:, parts.WEIGHT],
        }
    ).cast(PRICES_SCHEMA)


def _known(column: NDArray[np.float64], is_known: NDArray[np.bool_]) -> pl.Series:
    return pl.Series(np.where(is_known, column, np.nan), nan_to_null=True)
