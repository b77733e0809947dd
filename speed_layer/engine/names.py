"""Names by number, in the order in which they first came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


class _Numbers(dict[str, int]):
    def __missing__(self, name: str) -> int:
        self[name] = number = len(self)
        return number


class Names:
    """Names that are numbered as they come.

    Args:
        known: The first ones.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._numbers = _Numbers((name, number) for number, name in enumerate(known))
        self._series = pl.Series(dtype=pl.String)

    def numbers(self, names: pl.Series) -> NDArray[np.int64]:
        """Return the number of each name."""
        told = map(self._numbers.__getitem__, names.to_list())
        return np.fromiter(told, dtype=np.int64, count=len(names))

    @property
    def series(self) -> pl.Series:
        """All names, each at its number."""
        if len(self._series) < len(self._numbers):
            self._series = pl.Series(list(self._numbers), dtype=pl.String)
        return self._series
