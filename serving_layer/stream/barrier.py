"""The barrier of an interval: when every known bar of one start is final.

bars of 10:00    A forming ── final
                 B forming ─────────── final
complete                               10:00, 2 symbols        C final later: 10:00, 3 symbols
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_STARTS: Final = 40
"""Of minutes 15 are still open, and as many more take late symbols."""


@dataclass(slots=True)
class _Start:
    """The bars of one start, by symbol.

    Attributes:
        gone: Those that were, and vanished.
        told: With how many final ones it was told to be complete.
    """

    forming: set[str] = field(default_factory=set)
    final: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    told: int = 0

    def knows(self, symbol: str) -> bool:
        return symbol in self.forming or symbol in self.final or symbol in self.gone


class Barrier:
    """The bars of one interval and some hours, of all symbols; starts are of any order.

    It says nothing before it knows what there was when it began.

    Args:
        most: How many starts are kept, the latest; of older ones nothing is told any more.
    """

    def __init__(self, most: int = _MOST_STARTS) -> None:
        self._most = most
        self._starts: dict[int, _Start] = {}
        self._touched: set[int] = set()
        self._oldest: int | None = None
        self._knows_all = False
        self._has_known = False

    def hear(self, symbol: str, start: int, *, is_final: bool, is_vanished: bool = False) -> None:
        """Take in a bar as it is now."""
        if self._oldest is not None and start < self._oldest:
            return
        held = self._starts.get(start)
        if held is None:
            held = self._starts[start] = _Start()
            self._forget()
        held.forming.discard(symbol)
        held.final.discard(symbol)
        held.gone.discard(symbol)
        (held.gone if is_vanished else held.final if is_final else held.forming).add(symbol)
        self._touched.add(start)

    def learn(self, bars: Iterable[tuple[str, int, bool]]) -> None:
        """Take in what there was before: symbol, start, and whether it is final, of all bars.

        What was heard of a bar since is later. Starts that were complete before it began are not
        told; those that are so after a loss are.
        """
        heard = set(self._touched)
        for symbol, start, is_final in bars:
            held = self._starts.get(start)
            if held is None or not held.knows(symbol):
                self.hear(symbol, start, is_final=is_final)
        before = set() if self._has_known else self._touched - heard
        for held in (self._starts[start] for start in before & self._starts.keys()):
            held.told = 0 if held.forming else len(held.final)
        self._knows_all = self._has_known = True

    def unlearn(self) -> None:
        """Forget which bars are forming, as some changes were lost, and say nothing for now."""
        self._knows_all = False
        for held in self._starts.values():
            held.forming.clear()
            held.gone.clear()

    def completed(self) -> list[tuple[int, int]]:
        """Return the starts that are complete since the last call, and of how many symbols."""
        if not self._knows_all:
            return []
        found = []
        for start in sorted(self._touched & self._starts.keys()):
            held = self._starts[start]
            if not held.forming and len(held.final) > held.told:
                held.told = len(held.final)
                found.append((start, held.told))
        self._touched.clear()
        return found

    def _forget(self) -> None:
        while len(self._starts) > self._most:
            oldest = min(self._starts)
            del self._starts[oldest]
            self._oldest = oldest + 1
