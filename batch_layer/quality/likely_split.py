"""Which split a jump in price may be."""

from __future__ import annotations

from typing import Final

_FORWARD: Final = (
    *((number, 1) for number in (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 100)),
    *((3, 2), (5, 2), (4, 3), (5, 3)),
)
_SPLITS: Final = (*_FORWARD, *((before, after) for after, before in _FORWARD))
_NEAR: Final = 0.05


def likely_split(ratio: float) -> str | None:
    """Return the usual split, as `2:1`, whose effect on a price is within 5 % of a ratio.

    Args:
        ratio: The close after by the close before, as both were paid.
    """
    after, before = min(_SPLITS, key=lambda split: abs(ratio * split[0] / split[1] - 1))
    is_near = abs(ratio * after / before - 1) <= _NEAR
    return f"{after}:{before}" if is_near else None
