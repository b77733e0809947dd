"""Bounded attempts, for what may be lost to someone else and tried again."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.5


def attempts(most: int) -> Iterator[int]:
    """Yield 0, 1, 2 ... less than `most`, with a longer pause, and jitter, before each but 0."""
    for number in range(most):
        if number:
            pause = min(_FIRST_PAUSE_S * 2**number, _LONGEST_PAUSE_S)
            time.sleep(random.uniform(0, pause))  # noqa: S311 - jitter is no secret
        yield number
