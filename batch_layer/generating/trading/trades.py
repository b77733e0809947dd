"""Made-up trades that make exactly the daily bars that they are made from.

The first one that may opens the day, two touch its high and its low, and the last one, a closing
print some seconds after the close, closes it; the sizes of all add up to its volume to the last
share. Their number is U-shaped over the day.

The same symbol and session make the same trades, alone or among others, on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from batch_layer.local_vendor.words import seeds, uniform
from lake.conditions import CLOSING_PRINT, bundled
from lake.eligibility import judged
from lake.hours import Timetable
from lake.wire import SCHEMA

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from lake.hours import SessionHours

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SOURCE: Final = "generated"
_WHEN, _STEP, _SHARES, _WHERE = range(4)
_LEAST: Final = 4
"""One each at the open, the high, the low and the close."""
_STEPS: Final = 1 << 20
_PARTS_BITS: Final = 6
_FIRST_US: Final = 500_000
_PRINT_US: Final = 20_000_000
"""Within which the closing print follows the close."""
_CURVE: Final = np.linspace(-1, 1, 4_097)


@dataclass(frozen=True, slots=True)
class _Days:
    """Daily bars as arrays, and how many trades make each."""

    seed: NDArray[np.uint64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    unit: Floats
    count: Ints

    @property
    def most(self) -> int:
        """The trades of the day that has the most."""
        return int(self.count.max())


def trades_of(
    session: dt.date,
    day: pl.DataFrame,
    hours: SessionHours,
    *,
    each: int = 1_000,
    source: str = SOURCE,
) -> pl.DataFrame:
    """Return the trades of daily bars, in order of symbol, time and sequence.

    Args:
        session: Which session.
        day: Its bars: symbol, open, high, low, close, volume; one row a symbol.
        hours: Of the session.
        each: Trades of a symbol, 4 at least; fewer where there are not so many shares.
        source: Who is to have told them.

    Returns:
        Schema `EVENTS`, judged; each is received as it prints.
    """
    if day.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    day = day.sort("symbol")
    days = _days(session, day, max(each, _LEAST))
    owner = np.repeat(np.arange(day.height), days.count)
    first = np.cumsum(days.count) - days.count
    place = np.arange(len(owner)) - first[owner]
    is_last = place == days.count[owner] - 1
    time = _times(days, hours, owner, place)
    events = pl.DataFrame(
        {
            "symbol": day["symbol"].gather(owner),
            "time": time,
            "sequence": place + 1,
            "price": _prices(days, owner, place, first),
            "size": _sizes(days, owner, place, first),
            "conditions": pl.Series([[], [CLOSING_PRINT]], dtype=pl.List(pl.Int32)).gather(
                is_last.astype(np.int64)
            ),
            "received": time,
        }
    )
    return judged(as_events(events, source), bundled(), Timetable([hours]))


def as_events(trades: pl.DataFrame, source: str) -> pl.DataFrame:
    """Return trades as events: what they do not tell is as it mostly is."""
    told: dict[str, object] = {"kind": "trade", "revision": 0, "cancelled": False, "source": source}
    told |= {"minute": 0, "moves": 0}
    lacking = [
        pl.lit(told.get(name), kind).alias(name)
        for name, kind in SCHEMA.items()
        if name not in trades.columns
    ]
    return trades.with_columns(lacking).select(SCHEMA.names()).cast(SCHEMA)


def _days(session: dt.date, day: pl.DataFrame, each: int) -> _Days:
    names = ("open", "high", "low", "close", "volume")
    columns = {name: day[name].cast(pl.Float64).to_numpy() for name in names}
    volume = columns["volume"]
    # Sizes are multiples of a power of two: so their sums are exact, in whatever order.
    _, exponent = np.frexp(volume)
    unit = np.minimum(np.ldexp(1.0, exponent - 1 - _PARTS_BITS), 1.0)
    parts = np.divide(volume, unit, out=np.zeros_like(volume), where=volume > 0)
    return _Days(
        seed=seeds(f"{symbol}|{session}|trades" for symbol in day["symbol"]),
        **columns,
        unit=unit,
        count=np.clip(np.floor(parts / 2), _LEAST, each).astype(np.int64),
    )


def _times(days: _Days, hours: SessionHours, owner: Ints, place: Ints) -> Ints:
    """Return when each printed, in microseconds: many after the open and before the close."""
    opens, closes = (int(at.timestamp()) * 1_000_000 for at in (hours.open, hours.close))
    draw = uniform(days.seed, _WHEN, days.most + 2)
    part = np.interp(draw, (_CURVE + _CURVE**3 + 2) / 4, (_CURVE + 1) / 2)[:, :-2]
    is_spare = np.arange(days.most) >= days.count[:, None]
    part = np.sort(np.where(is_spare, 2.0, part), axis=1)[owner, place]
    span = closes - opens - _FIRST_US - 1
    time = opens + _FIRST_US + np.floor(part * span).astype(np.int64)
    opening = opens + np.floor(draw[:, -2] * _FIRST_US).astype(np.int64)
    closing = closes + np.floor((0.1 + 0.9 * draw[:, -1]) * _PRINT_US).astype(np.int64)
    time = np.where(place == 0, opening[owner], time)
    return np.where(place == days.count[owner] - 1, closing[owner], time)


def _prices(days: _Days, owner: Ints, place: Ints, first: Ints) -> Floats:
    """Return a walk from the open to the close by the high and the low, in cents."""
    # Whole numbers: their sums are the same whichever other days are among them.
    step = np.floor((uniform(days.seed, _STEP, days.most)[owner, place] - 0.5) * _STEPS)
    steps = np.cumsum(step.astype(np.int64))
    steps -= steps[first][owner]
    last = first + days.count - 1
    part = place / (days.count[owner] - 1)
    walk = steps - part * steps[last][owner]
    widest = np.maximum.reduceat(np.abs(walk), first)
    walk /= np.where(widest > 0, widest, 1)[owner]
    span = (days.high - days.low)[owner]
    middle = days.open[owner] + (days.close - days.open)[owner] * part + walk * span / 2
    price: Floats = np.clip(np.rint(middle * 100) / 100, days.low[owner], days.high[owner])
    high, low = _touching(days)
    for at, wanted in (
        (first + high, days.high),
        (first + low, days.low),
        (first, days.open),
        (last, days.close),
    ):
        price[at] = wanted
    return price


def _touching(days: _Days) -> tuple[Ints, Ints]:
    """Return two places between the first and the last: of the high, and of the low."""
    draw = uniform(days.seed, _WHERE, 2)
    between = days.count - 2
    high = np.floor(draw[:, 0] * between).astype(np.int64)
    apart = 1 + np.floor(draw[:, 1] * (between - 1)).astype(np.int64)
    return 1 + high, 1 + (high + apart) % between


def _sizes(days: _Days, owner: Ints, place: Ints, first: Ints) -> Floats:
    """Return parts of each day's volume, most of them small; the last is what is left."""
    draw = uniform(days.seed, _SHARES, days.most)[owner, place]
    weight = np.floor(1 / (draw + 1 / 64) * 16)
    share = weight / np.add.reduceat(weight, first)[owner]
    unit = days.unit[owner]
    spare = np.maximum(days.volume - days.count * days.unit, 0)[owner]
    size: Floats = unit * (1 + np.floor(spare / unit * share))
    size[days.volume[owner] == 0] = 0
    last = first + days.count - 1
    size[last] = 0
    size[last] = days.volume - np.add.reduceat(size, first)
    return size
