"""Newest bars first: what changes where an answer goes back in time, listing by listing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ORDER: Final = re.compile(r"ORDER BY (\S+, \S*start)\b")
_BEHIND: Final = re.compile(r"\((\S*place), (\S*start)\) > \(\$after_place, \$after_start\)")


def directed(statement: str, *, descending: bool) -> str:
    """Return a statement that answers in order of place and start, or of each place backwards."""
    if not descending:
        return statement
    behind = r"(\1 > $after_place OR (\1 = $after_place AND \2 < $after_start))"
    return _BEHIND.sub(behind, _ORDER.sub(r"ORDER BY \1 DESC", statement))


def runs_of(bars: pa.Table) -> dict[str, tuple[int, int]]:
    """Return of each listing its first row and the one behind its last; rows are by listing."""
    if not bars.num_rows:
        return {}
    runs = pc.run_end_encode(bars["listing"].combine_chunks())
    ends = runs.run_ends.to_pylist()
    spans = zip([0, *ends[:-1]], ends, strict=True)
    return dict(zip(runs.values.to_pylist(), spans, strict=True))


def turned(bars: pa.Table) -> pa.Table:
    """Return bars with those of each listing in the other order; the listings stay in theirs."""
    spans = runs_of(bars).values()
    rows: list[NDArray[np.int64]] = [np.arange(end - 1, begin - 1, -1) for begin, end in spans]
    return bars.take(np.concatenate(rows)) if rows else bars
