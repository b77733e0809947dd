"""The database as lines of JSON: all of its tables, as they were at one moment.

The rows are read in one transaction that sees one state (REPEATABLE READ; SQLite's are so), and
written in parts, so that memory holds one part of one table, however large the database is.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from batch_layer.backups.manifest import DatabaseDump, Piece, TableDump, put
from batch_layer.backups.values import kind_of, line_of, table_of
from database.migrating import refuse_newer, revision_in
from database.tables import METADATA
from lake import keys
from lake.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from database import Database
    from lake.store import ObjectStore

PART_BYTES: Final = 4 << 20
"""How much of a table's lines is packed into one object."""
_FETCHED: Final = 500
_LEVEL: Final = 6


def dump(database: Database, place: ObjectStore, id_: str) -> DatabaseDump:
    """Write all tables of a database into a backup; return what there is.

    Raises:
        DatabaseError: If the database does not answer, or is of a newer version.
        BackupError: If a column is one that a backup cannot hold.
        StoreError: If the place of backups cannot be written.
    """
    with database.snapshot() as connection:
        revision = revision_in(connection)
        refuse_newer(database, revision)
        tables = [
            _table(connection, place, id_, name, kinds)
            for name, kinds in columns_of(connection).items()
        ]
    return DatabaseDump(database.place, revision, tables)


def columns_of(connection: sa.Connection) -> dict[str, dict[str, str]]:
    """Return the columns' kinds of each of our tables that the database has.

    What it has is asked of it, so that one that is to be upgraded can be kept as it is.

    Raises:
        BackupError: If a column is of a type that no kind holds.
    """
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    return {
        name: {
            column["name"]: kind_of(f"{name}.{column['name']}", column["type"])
            for column in inspector.get_columns(name)
        }
        for name in METADATA.tables
        if name in there
    }


def _table(
    connection: sa.Connection,
    place: ObjectStore,
    id_: str,
    name: str,
    kinds: Mapping[str, str],
) -> TableDump:
    pieces: list[Piece] = []
    for number, (lines, count) in enumerate(_parts(connection, name, kinds)):
        key = keys.backup_table(id_, name, number)
        pieces.append(put(place, key, gzip.compress(lines, _LEVEL, mtime=0), rows=count))
    return TableDump(name, kinds, sum(piece.rows for piece in pieces), pieces)


def _parts(
    connection: sa.Connection, name: str, kinds: Mapping[str, str]
) -> Iterator[tuple[bytes, int]]:
    """Yield the lines of a table, some megabytes at a time, and how many they are."""
    table = table_of(name, kinds)
    order = [table.c[column.name] for column in METADATA.tables[name].primary_key]
    lines, count = bytearray(), 0
    options = {"stream_results": True, "yield_per": _FETCHED}
    rows = connection.execute(sa.select(table).order_by(*order), execution_options=options)
    for row in rows:
        lines += _line(name, row, kinds)
        count += 1
        if len(lines) >= PART_BYTES:
            yield bytes(lines), count
            lines, count = bytearray(), 0
    if count:
        yield bytes(lines), count


def _line(name: str, row: sa.Row[Any], kinds: Mapping[str, str]) -> bytes:
    try:
        return line_of(row, kinds)
    except (TypeError, ValueError, AttributeError):
        # Never the row: it may hold what nobody should read.
        fact = f"A row of {name} holds a value that is not of its column's kind."
        raise BackupError(fact) from None
