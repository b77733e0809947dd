"""Names by number, in the order in which they first came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl
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
        self._texts = np.empty(0, dtype=object)

    def numbers(self, names: pl.Series) -> NDArray[np.int64]:
        """Return the number of each name."""
        told = map(self._numbers.__getitem__, names.to_list())
        return np.fromiter(told, dtype=np.int64, count=len(names))

    @property
    def texts(self) -> NDArray[np.object_]:
        """All names, each at its number."""
        if len(self._texts) < len(self._numbers):
            self._texts = np.array(list(self._numbers), dtype=object)
        return self._texts
