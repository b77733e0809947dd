"""Parquet as the lake writes it: deterministic bytes, zstd, in a given schema."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lake.errors import DamagedObjectError, ObjectNotFoundError

if TYPE_CHECKING:
    from lake.store import ObjectStore

ROW_GROUP_ROWS: Final = 65_536


def encode(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP_ROWS)
    return sink.getvalue()


def encode_frame(frame: pl.DataFrame, schema: pa.Schema) -> bytes:
    """Return the columns of `schema` of a frame as the bytes of a Parquet file."""
    return encode(frame.select(schema.names).to_arrow().cast(schema))


def read_frame(store: ObjectStore, key: str, schema: pa.Schema) -> tuple[pl.DataFrame, str | None]:
    """Return an object's rows and its fingerprint; no rows and None where there is no object.

    Raises:
        DamagedObjectError: If it is no Parquet file of this schema.
    """
    try:
        stored = store.get(key)
    except ObjectNotFoundError:
        return _frame(schema.empty_table()), None
    return _frame(decode(stored.data, f"{key} in {store.location}", schema)), stored.fingerprint


def decode(data: bytes, what: str, schema: pa.Schema | None = None) -> pa.Table:
    """Return the table in the bytes of a Parquet file.

    Raises:
        DamagedObjectError: If they are none, or not of the schema; it says of `what`.
    """
    try:
        return pq.read_table(io.BytesIO(data), schema=schema)
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        fact = f"{what} is damaged: {first_line}"
        raise DamagedObjectError(fact, hint="restore it from a copy.") from error


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table makes a frame; tells mypy so
    return frame
