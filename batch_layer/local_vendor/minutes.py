"""Made-up minute bars that merge to the daily bar they are made from.

The minutes of regular hours open, touch the high and the low, and close as the day does; all
minutes together have its volume, trades and vwap (to 1e-9). What is hardly traded lacks most
minutes. A few minutes of extended hours have prices inside the day's range.

The same symbol and session make the same minutes, alone or among others, on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from batch_layer.local_vendor.hours import MINUTE_MS
from batch_layer.local_vendor.words import seeds, uniform

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from batch_layer.local_vendor.hours import Hours

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_AT_ONCE: Final = 500
"""Symbols, so that what is made on the way takes some 30 MB."""
_WHICH, _STEP, _SHARES, _COUNT, _REACH, _EXTENDED = range(6)
_EXTENDED_EACH: Final = 3
"""Minutes before the open, and after the close, at most."""
_EXTENDED_TRADES: Final = 2_000
_EXTENDED_SHARES: Final = 20_000
_EXTENDED_PART: Final = 0.002
_LIVELY: Final = 1.5
_SHARES_OF_A_TRADE: Final = 100
_TICKS: Final = 10_000.0
_STEPS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Days:
    """Daily bars as arrays; `trades` and `vwap` are NaN where they are unknown."""

    seed: NDArray[np.uint64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    trades: Floats


@dataclass(frozen=True, slots=True)
class _Minutes:
    """Minutes as arrays: of which day each is, and when it starts, in ms."""

    day: Ints
    start: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    trades: Floats


def minutes_of(session: dt.date, day: pl.DataFrame, hours: Hours) -> pl.DataFrame:
    """Return the minutes of daily bars, in order of symbol and start.

    Args:
        session: Which session.
        day: Its bars, `market.COLUMNS`.
        hours: When it opens and closes.

    Returns:
        `market.COLUMNS`, and `start` in ms.
    """
    if not hours.minutes or not day.height:
        return day.clear().with_columns(start=pl.lit(None, pl.Int64()))
    parts = [
        _frame(session, day.slice(first, _AT_ONCE), hours)
        for first in range(0, day.height, _AT_ONCE)
    ]
    return pl.concat(parts)


def _frame(session: dt.date, day: pl.DataFrame, hours: Hours) -> pl.DataFrame:
    names = ("open", "high", "low", "close", "volume", "vwap", "trades")
    columns = {
        name: day[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in names
    }
    days = _Days(seed=seeds(f"{symbol}|{session}" for symbol in day["symbol"]), **columns)
    made = _made(days, hours)
    order = np.lexsort((made.start, made.day))
    values = {name: getattr(made, name)[order] for name in names}
    frame = pl.DataFrame({"start": made.start[order], **values})
    return frame.select(
        "start",
        day["symbol"].gather(made.day[order]).alias("symbol"),
        *("open", "high", "low", "close", "volume"),
        pl.col("vwap").fill_nan(None),
        pl.col("trades").fill_nan(None).cast(pl.Int64),
    )


def _made(days: _Days, hours: Hours) -> _Minutes:
    extended = _extended(days, hours)
    count = len(days.seed)
    shares = days.volume - _summed(extended.volume, extended.day, count)
    trades = days.trades - _summed(extended.trades, extended.day, count)
    paid = _summed(extended.volume * extended.open, extended.day, count)
    regular = _regular(days, hours, shares, trades, days.volume * days.vwap - paid)
    names = _Minutes.__dataclass_fields__
    return _Minutes(
        **{
            name: np.concatenate([getattr(extended, name), getattr(regular, name)])
            for name in names
        }
    )


def _extended(days: _Days, hours: Hours) -> _Minutes:
    """Return the minutes before the open and after the close, of what is traded much."""
    most = 2 * _EXTENDED_EACH
    draw = uniform(days.seed, _EXTENDED, 2 * most)
    is_lively = (days.trades >= _EXTENDED_TRADES) & (days.volume >= _EXTENDED_SHARES)
    day, place = np.nonzero((draw[:, :most] < 1 / 2) & is_lively[:, None])
    is_late = place >= _EXTENDED_EACH
    first = np.where(is_late, hours.close, hours.early)
    length = np.where(is_late, hours.late - hours.close, hours.open - hours.early) // MINUTE_MS
    slot = length // _EXTENDED_EACH
    within = np.floor(draw[day, most + place] * slot).astype(np.int64)
    volume = np.floor(days.volume[day] * _EXTENDED_PART * draw[day, place]) + 1
    price = np.where(is_late, days.close[day], days.open[day])
    # Else no prices of regular hours could make up for these.
    left = days.volume[day] * (1 - most * _EXTENDED_PART) - most
    slack = (days.volume[day] - left) * (days.high - days.low)[day]
    reach = left * np.minimum(days.high[day] - days.vwap[day], days.vwap[day] - days.low[day])
    price = np.where(np.isnan(days.vwap[day]) | (reach > slack), price, days.vwap[day])
    price = np.clip(price, days.low[day], days.high[day])
    return _Minutes(
        day=day,
        start=first + ((place % _EXTENDED_EACH) * slot + within) * MINUTE_MS,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=volume,
        vwap=np.where(np.isnan(days.vwap[day]), np.nan, price),
        trades=np.ones(len(day)),
    )


def _regular(days: _Days, hours: Hours, shares: Floats, trades: Floats, paid: Floats) -> _Minutes:
    """Return the minutes of regular hours: so many shares and trades a day, so much paid."""
    day, place, first = _which(days, hours.minutes, shares, trades)
    opening, close = _path(days, day, place, first, hours.minutes)
    reach = uniform(days.seed, _REACH, hours.minutes)[day, place]
    high, low = _reached(days, day, first, (opening, close), reach)
    curve = 1 + 3 * np.square(2 * place / hours.minutes - 1)
    weight = curve * (0.5 + uniform(days.seed, _SHARES, hours.minutes)[day, place])
    volume = _shared(shares, weight, day, first)
    high, low, vwap = _vwap(days, day, (opening, high, low, close), volume, paid)
    lots = curve * (0.5 + uniform(days.seed, _COUNT, hours.minutes)[day, place])
    return _Minutes(
        day=day,
        start=hours.open + place * MINUTE_MS,
        open=opening,
        high=high,
        low=low,
        close=close,
        volume=volume,
        vwap=vwap,
        trades=_shared(trades, lots, day, first),
    )


def _which(days: _Days, minutes: int, shares: Floats, trades: Floats) -> tuple[Ints, Ints, Ints]:
    """Return the day and the place of each minute that is traded, and each day's first one."""
    told = np.where(np.isnan(trades), shares / _SHARES_OF_A_TRADE, trades)
    lively = _LIVELY * told / minutes
    most = np.minimum(np.floor(shares), np.where(np.isnan(trades), minutes, trades))
    wanted = np.minimum(np.floor(minutes * lively / (1 + lively)), most)
    count = np.clip(wanted, 1, minutes).astype(np.int64)
    draw = uniform(days.seed, _WHICH, minutes)
    rank = np.argsort(np.argsort(draw, axis=1, kind="stable"), axis=1, kind="stable")
    day, place = np.nonzero(rank < count[:, None])
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    return day, place, first


def _path(days: _Days, day: Ints, place: Ints, first: Ints, minutes: int) -> tuple[Floats, Floats]:
    """Return where each minute opens and closes: on a walk from the day's open to its close."""
    count = np.bincount(day)
    nth = np.arange(len(day)) - first[day] + 1
    part = nth / count[day]
    # Whole numbers: their sums are the same whichever other days are among them.
    step = np.floor((uniform(days.seed, _STEP, minutes)[day, place] - 0.5) * _STEPS).astype(
        np.int64
    )
    steps = np.cumsum(step)
    steps -= (steps[first] - step[first])[day]
    end = first + count - 1
    walk = steps - part * steps[end][day]
    widest = np.maximum.reduceat(np.abs(walk), first)
    walk /= np.where(widest > 0, widest, 1)[day]
    span = (days.high - days.low)[day]
    price = days.open[day] + (days.close - days.open)[day] * part + walk * span / 2
    close = np.clip(_to_ticks(price), days.low[day], days.high[day])
    close[end] = days.close
    opening = np.roll(close, 1)
    opening[first] = days.open
    return opening, close


def _reached(
    days: _Days, day: Ints, first: Ints, path: tuple[Floats, Floats], reach: Floats
) -> tuple[Floats, Floats]:
    """Return how far each minute reaches up and down; one a day to its high, one to its low."""
    beyond = reach * (days.high - days.low)[day] / 50
    top, bottom = np.maximum(*path), np.minimum(*path)
    high = np.clip(_to_ticks(top + beyond), top, days.high[day])
    low = np.clip(_to_ticks(bottom - beyond), days.low[day], bottom)
    high[_first_with(high == np.maximum.reduceat(high, first)[day], day)] = days.high
    low[_first_with(low == np.minimum.reduceat(low, first)[day], day)] = days.low
    return high, low


def _first_with(mark: Bools, day: Ints) -> Ints:
    """Return the first marked minute of each day."""
    marked = np.flatnonzero(mark)
    _, places = np.unique(day[marked], return_index=True)
    return marked[places]


def _shared(total: Floats, weight: Floats, day: Ints, first: Ints) -> Floats:
    """Return a day's total in whole parts, by weight, one at least; the last is what is left."""
    count = np.bincount(day)
    spare = np.maximum(total - count, 0)
    part = weight / _summed(weight, day)[day]
    whole = 1 + np.floor(spare[day] * part)
    end = first + count - 1
    whole[end] = 0
    whole[end] = total - _summed(whole, day)
    return whole


def _vwap(
    days: _Days,
    day: Ints,
    prices: tuple[Floats, Floats, Floats, Floats],
    volume: Floats,
    paid: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Return highs, lows and vwaps by which as much is paid in a day as is to be.

    The vwaps lie between each minute's middle and its high, or its low. Where that is not far
    enough, highs are lifted towards the day's, or lows lowered.
    """
    opening, high, low, close = prices
    middle = (opening + high + low + close) / 4
    lacking = paid - _summed(volume * middle, day)
    rises = lacking > 0
    bound = np.where(rises[day], high, low)
    limit = np.where(rises, days.high, days.low)[day]
    near = _summed(volume * (bound - middle), day)
    far = _summed(volume * (limit - bound), day)
    within = np.clip(_ratio(lacking, near), 0, 1)
    lifted = np.clip(_ratio(lacking - near, far), 0, 1)
    bound = _between(bound, limit, lifted[day])
    bound = np.clip(bound, days.low[day], days.high[day])
    vwap = np.where(lifted[day] > 0, bound, _between(middle, bound, within[day]))
    is_up, is_down = (lifted > 0) & rises, (lifted > 0) & ~rises
    above = np.clip(np.ceil(bound * _TICKS) / _TICKS, bound, days.high[day])
    below = np.clip(np.floor(bound * _TICKS) / _TICKS, days.low[day], bound)
    high, low = np.where(is_up[day], above, high), np.where(is_down[day], below, low)
    return high, low, np.where(np.isnan(days.vwap[day]), np.nan, vwap)


def _summed(values: Floats, day: Ints, days: int = 0) -> Floats:
    """Return the sum of each day, added up in the order of its minutes."""
    sums: Floats = np.bincount(day, values, days).astype(np.float64)
    return sums


def _between(start: Floats, end: Floats, part: Floats) -> Floats:
    """Return what lies between two, exactly one of them at its part 0 or 1."""
    return start * (1 - part) + end * part


def _ratio(value: Floats, of: Floats) -> Floats:
    """Return quotients; 0 where they are none, or would be negative."""
    out = np.zeros_like(value)
    return np.divide(value, of, out=out, where=(of != 0) & (value * of > 0))


def _to_ticks(price: Floats) -> Floats:
    """Return prices in cents from one dollar on, in hundredths of a cent below."""
    ticks = np.where(price >= 1, 100.0, _TICKS)
    rounded: Floats = np.rint(price * ticks) / ticks
    return rounded
