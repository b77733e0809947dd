"""Rows in memory, made ready for the rules: values where the rules take them, else their texts."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from batch_layer.fetching.columns import FIELDS, KEY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_layer.fetching.columns import Columns

# Above the numbers that rows of files have.
_FIRST_ID: Final = 1 << 40


def given_rows(source: str, rows: pa.Table, columns: Columns) -> pa.Table:
    """Return `source` and each field of rows, in a type that the rules take."""
    fields = {
        name: _given(name, rows[columns.of_field[name]])
        if name in columns.of_field
        else _nothing(name, len(rows))
        for name in FIELDS
    }
    return pa.table({"source": pa.repeat(source, len(rows)), **fields})


def numbered(parts: Sequence[pa.Table]) -> list[pa.Table]:
    """Return the parts in order, those of one schema together, with `id`: each row's number."""
    numbered_parts = []
    first = _FIRST_ID
    for _, same in groupby(parts, key=lambda part: part.schema):
        part = pa.concat_tables(list(same))
        ids = np.arange(first, first + len(part))
        numbered_parts.append(part.append_column("id", pa.array(ids)))
        first += len(part)
    return numbered_parts


def _given(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_date(kind) and name == "session":
        return column.cast(pa.date32())
    if name not in KEY_FIELDS and (pa.types.is_float64(kind) or pa.types.is_integer(kind)):
        return column
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        # Its date is UTC's, as that of an instant in a file is.
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    # What a file of the same values would be read as: a float32 of 0.1, say, is 0.1.
    return column.cast(pa.string())


def _nothing(name: str, count: int) -> pa.Array:
    return pa.nulls(count, pa.string() if name in KEY_FIELDS else pa.float64())
