"""The prices that a bar is taken to have had, where nothing finer is known.

From its open to its low or its high, whichever is nearer to the open, then to the other, and then
to its close; of both as near, to the high first. A bar does not tell when its high and its low
were: they are put where a third and two thirds of it are over.

Source: the broker emulator of TradingView's strategies,
        https://www.tradingview.com/pine-script-docs/concepts/strategies/#broker-emulator
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 4
"""Prices that are told of each bar."""


def path_of(
    open_: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    close: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the prices of bars, in order of time: one row a bar, of four prices."""
    is_low_first = (open_ - low) < (high - open_)
    nearer, farther = np.where(is_low_first, low, high), np.where(is_low_first, high, low)
    return np.stack([open_, nearer, farther, close], axis=1)


def times_of(start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return when those prices are paid, likewise; the last one at the end of its bar."""
    third = (end - start) // 3
    return np.stack([start, start + third, start + 2 * third, end], axis=1)
