"""A session that is published again, with other rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LATE: Final = "LATE"
"""The symbol that comes late where none is named."""


@dataclass(frozen=True, slots=True)
class Restatement:
    """What differs from the session as it was.

    Attributes:
        corrected: New values by symbol, then by column: `open`, `close`, `volume` ...
        withdrawn: Symbols whose bar is taken back.
        added: Bars that come late: `symbol`, prices, `volume`, and `vwap` and `trades` at will.
    """

    corrected: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    withdrawn: Sequence[str] = ()
    added: Sequence[Mapping[str, Any]] = ()

    def applied(self, day: pl.DataFrame) -> pl.DataFrame:
        """Return a session's bars, in order of symbol, as they are published now.

        Raises:
            ValueError: If a symbol or column is not there.
        """
        rows = {row["symbol"]: row for row in day.to_dicts()}
        unknown = ({*self.corrected, *self.withdrawn} - rows.keys()) | {
            name for values in (*self.corrected.values(), *self.added) for name in values
        } - set(day.columns)
        if unknown:
            fact = f"{', '.join(sorted(unknown))}: no symbol or column of that session."
            raise ValueError(fact)
        for symbol, values in self.corrected.items():
            rows[symbol] |= values
        for symbol in self.withdrawn:
            del rows[symbol]
        for row in self.added:
            rows[row["symbol"]] = dict.fromkeys(day.columns) | dict(row)
        return pl.DataFrame(list(rows.values()), schema=day.schema).sort("symbol")


def some(day: pl.DataFrame) -> Restatement:
    """Return a restatement of three bars: one corrected, one withdrawn, one that comes late.

    Args:
        day: The session as it is; of at least three bars.
    """
    first, second, last = (day.row(place, named=True) for place in (0, 1, -1))
    close = round((first["high"] + first["low"]) / 2, 4)
    corrected = {"close": close, "volume": first["volume"] + 100}
    return Restatement(
        corrected={first["symbol"]: corrected},
        withdrawn=[last["symbol"]],
        added=[{**second, "symbol": LATE}],
    )
