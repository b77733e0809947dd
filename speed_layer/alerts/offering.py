"""When what changed is offered to be kept: what fired at once, all else by and by.

Symbols know nothing of each other, so the rows of one may be kept alone, with its firings, though
they are newer than the position: told again from there, they drop what counted. All that changed by
a position is offered in slices, for to make rows holds up the evaluation; behind the last of them
the position is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

_SOON_S: Final = 0.1
_ROUND_S: Final = 5.0
_SLICE: Final = 250


@dataclass(slots=True)
class Round:
    """How far the flow came, and whose rows are to be offered before that is.

    Attributes:
        position: How far.
        market: Rows of the flow as it was there.
        symbols: Whose rows are not offered yet.
    """

    position: str
    market: dict[str, str | None]
    symbols: list[str]

    def slice(self) -> list[str]:
        """Remove and return some of the symbols."""
        some, self.symbols = self.symbols[:_SLICE], self.symbols[_SLICE:]
        return some


@dataclass(slots=True)
class Due:
    """What is to be offered, and when.

    Attributes:
        fired: The symbols of what fired.
        is_whole: Whether all is, with the position: alerts were adopted, or went.
        offered: When something was offered last.
        placed: When the position was.
    """

    fired: set[str] = field(default_factory=set)
    is_whole: bool = False
    offered: float = 0.0
    placed: float = 0.0

    @property
    def is_now(self) -> bool:
        """Whether anything may be offered again."""
        return time.monotonic() - self.offered >= _SOON_S

    def is_round(self, place_s: float) -> bool:
        """Whether a round is to begin; the position is kept each `place_s` at most."""
        return time.monotonic() - self.placed >= max(_ROUND_S, place_s)
