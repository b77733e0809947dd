"""Parquet as the lake writes it: deterministic bytes, zstd, in a given schema."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lake.errors import DamagedObjectError, ObjectNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.store import ObjectStore

ROW_GROUP_ROWS: Final = 65_536


def encode(table: pa.Table, *, row_group_rows: int = ROW_GROUP_ROWS) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        row_group_size=row_group_rows,
        write_batch_size=ROW_GROUP_ROWS,
        # Numbers hardly repeat: plain they are smaller, and twice as fast to write.
        use_dictionary=[field.name for field in table.schema if _is_text(field.type)],
        # Else readers would be told of dictionaries, which are but a way to hand texts over.
        store_schema=table.schema.metadata is not None,
    )
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
        # Arrow's own threads may abort a process that ends while they start.
        return pq.read_table(io.BytesIO(data), schema=schema, use_threads=False, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(what, error) from error


def decode_columns(
    data: bytes, what: str, columns: Sequence[str], *, dictionaries: Sequence[str] = ()
) -> pa.Table:
    """Return some columns of a Parquet file, those of `dictionaries` encoded as such.

    It takes the caller's thread alone.

    Raises:
        DamagedObjectError: If it is no Parquet file with these columns; it says of `what`.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(data), read_dictionary=list(dictionaries))
        table = file.read(columns=list(columns), use_threads=False)
        return table.select(list(columns))
    except (pa.ArrowException, KeyError, OSError) as error:
        raise _damaged(what, error) from error


def _damaged(what: str, error: Exception) -> DamagedObjectError:
    first_line = str(error).partition("\n")[0]
    return DamagedObjectError(f"{what} is damaged: {first_line}", hint="restore it from a copy.")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table makes a frame; tells mypy so
    return frame
