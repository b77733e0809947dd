"""Bounded attempts, for what may be lost to someone else, or fail for a while, and tried again."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.5


def attempts(most: int) -> Iterator[int]:
    """Yield 0, 1, 2 ... less than `most`, with a longer pause, and jitter, before each but 0."""
    for number in range(most):
        if number:
            pause(number, first_s=_FIRST_PAUSE_S, longest_s=_LONGEST_PAUSE_S)
        yield number


def pause(number: int, *, first_s: float, longest_s: float) -> None:
    """Sleep before repetition `number`: up to `first_s` before 1, up to twice that before 2 ..."""
    limit_s = min(first_s * 2 ** (number - 1), longest_s)
    time.sleep(random.uniform(0, limit_s))  # noqa: S311 - jitter is no secret
