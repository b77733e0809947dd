"""Which symbols are followed, since when, and since when bars are made of their events.

Both instants are the flow's, and kept as rows: told again from an earlier place, the same is seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from speed_layer.alerts.rows import FLOW
from speed_layer.engine.names import Names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import polars as pl
    from numpy.typing import NDArray

NEVER: Final = np.iinfo(np.int64).max
_NONE: Final = np.empty((2, 0), dtype=np.int64)


@dataclass(slots=True)
class _Since:
    """What is told later than `told`, and bars that begin later than `bars`."""

    told: int
    bars: int = NEVER

    @property
    def text(self) -> str:
        bars = {} if self.bars == NEVER else {"bars": self.bars}
        return json.dumps({"since": self.told, **bars})


class Following:
    """The symbols that are followed.

    Args:
        rows: Of earlier changes; others among them are passed over.
    """

    def __init__(self, rows: Mapping[str, str]) -> None:
        told = {key: json.loads(text) for key, text in rows.items() if key.startswith(FLOW)}
        self._known = {
            key.removeprefix(FLOW): _Since(row["since"], row.get("bars", NEVER))
            for key, row in told.items()
        }
        self._since: dict[str, _Since] = {}
        self._changed: dict[str, str | None] = {}
        self._names = Names()
        self._from = _NONE

    @property
    def symbols(self) -> frozenset[str]:
        """Those followed."""
        return frozenset(self._since)

    def bars_since(self, symbol: str) -> int:
        """Return after which instant bars of a symbol begin that are made; none: NEVER."""
        since = self._since.get(symbol)
        return NEVER if since is None else since.bars

    def follow(self, symbols: Collection[str], clock: int) -> None:
        """Follow these symbols, and no others; new ones from an instant on."""
        for symbol in self._since.keys() - set(symbols):
            del self._since[symbol]
            self._changed[FLOW + symbol] = None
        for symbol in symbols:
            if symbol in self._since:
                continue
            known = self._known.pop(symbol, None)
            since = self._since[symbol] = known or _Since(clock)
            if known is None:
                self._changed[FLOW + symbol] = since.text
        self._from = _NONE

    def make_bars(self, symbols: Collection[str] | None, clock: int) -> None:
        """Make bars of some of the symbols followed; None: of all. New ones from an instant on.

        Of whom bars were made they are made for as long as it is followed.
        """
        for symbol in self._since if symbols is None else symbols:
            since = self._since.get(symbol)
            if since is not None and since.bars == NEVER:
                since.bars = clock
                self._changed[FLOW + symbol] = since.text
                self._from = _NONE

    def forget_others(self) -> None:
        """Drop the rows of symbols that nobody follows any more."""
        self._changed |= dict.fromkeys(FLOW + symbol for symbol in self._known)
        self._known = {}

    def changed(self) -> dict[str, str | None]:
        """Return the rows that changed since the last call; None: there is none any more."""
        changed, self._changed = self._changed, {}
        return changed

    def of(self, symbols: pl.Series) -> NDArray[np.int64]:
        """Return of each symbol after which instant it is told, and its bars: two rows."""
        number = self._names.numbers(symbols)
        names = self._names.texts
        if self._from.shape[1] < len(names):
            nobody = _Since(NEVER)
            known = [self._since.get(name, nobody) for name in names]
            self._from = np.array([[each.told, each.bars] for each in known], dtype=np.int64).T
        return self._from.take(number, axis=1)
