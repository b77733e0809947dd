"""Names by number, in the order in which they first came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


_MANY: Final = 256
"""From so many on names are told apart first, and only then looked up."""
_PLAIN: Final = pl.CompatLevel.oldest()


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
        self._texts: list[str] = []
        self._arrow = pa.array([], pa.string())

    def numbers(self, names: pl.Series) -> NDArray[np.int64]:
        """Return the number of each name."""
        if len(names) < _MANY:
            return self._numbered(names.to_list())
        told = names.to_arrow(compat_level=_PLAIN).dictionary_encode()
        numbers: NDArray[np.int64] = self._numbered(told.dictionary.to_pylist()).take(told.indices)
        return numbers

    def _numbered(self, names: list[str]) -> NDArray[np.int64]:
        numbers = map(self._numbers.__getitem__, names)
        return np.fromiter(numbers, dtype=np.int64, count=len(names))

    @property
    def texts(self) -> list[str]:
        """All names, each at its number."""
        if len(self._texts) < len(self._numbers):
            self._texts = list(self._numbers)
        return self._texts

    @property
    def arrow(self) -> pa.StringArray:
        """The same, for columns of many rows."""
        if len(self._arrow) < len(self._numbers):
            self._arrow = pa.array(self.texts, pa.string())
        return self._arrow
