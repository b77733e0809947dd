"""Made-up daily bars of one session, where no lake tells any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from batch_layer.local_vendor.words import seeds, uniform

if TYPE_CHECKING:
    import datetime as dt

_LEAST_CENTS: Final = 200
_CENTS: Final = 40_000
_LEAST_SHARES: Final = 20_000
_SHARES: Final = 5_000_000
_SPAN: Final = 0.06


def made_up_bars(session: dt.date, symbols: int, *, seed: int = 7) -> pl.DataFrame:
    """Return a daily bar of each of some symbols: symbol, open, high, low, close, volume.

    Args:
        session: Which session; another has other bars.
        symbols: How many, `S0000` on.
        seed: Another makes another market.
    """
    names = [f"S{number:04}" for number in range(symbols)]
    draw = uniform(seeds(f"{seed}|{name}|{session}" for name in names), 0, 6)
    middle = _LEAST_CENTS + np.floor(draw[:, 0] * _CENTS)
    reach = np.ceil(middle * draw[:, 1] * _SPAN) + 1
    low, high = middle - reach, middle + reach
    opening, close = (low + np.floor(draw[:, at] * (2 * reach + 1)) for at in (2, 3))
    # Few are traded much, and most are traded little.
    volume = _LEAST_SHARES + np.floor(_SHARES * draw[:, 4] * draw[:, 5] * draw[:, 5])
    prices = {"open": opening, "high": high, "low": low, "close": close}
    return pl.DataFrame(
        {
            "symbol": names,
            **{name: cents / 100 for name, cents in prices.items()},
            "volume": volume,
        }
    )
