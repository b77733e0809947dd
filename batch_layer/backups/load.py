"""A dump back into a database: all of it in one transaction, or nothing.

The tables are made as they were when the dump was, filled, and then brought to the newest
migration: so what migrations do to rows is done to these too.
"""

from __future__ import annotations

import gzip
import json
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from batch_layer.backups.manifest import get
from batch_layer.backups.values import row_of, table_of
from database.migrating import HEAD, migrate, refuse_newer, revision_in, take_lock
from database.tables import METADATA
from lake.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_layer.backups.manifest import DatabaseDump, Piece, TableDump
    from database import Database
    from lake.store import ObjectStore

_AT_ONCE: Final = 500
_VERSIONS: Final = "alembic_version"


def load(dump: DatabaseDump, place: ObjectStore, database: Database, *, replace: bool) -> None:
    """Bring a dump into a database, and that to what this version needs.

    Args:
        dump: What there is of it in the backup.
        place: The store of backups.
        database: Where to.
        replace: Whether what it holds gives way; else it must hold no rows.

    Raises:
        BackupError: If the dump is damaged or of a newer version, or the database holds rows.
        DatabaseError: If the database does not answer, is of a newer version, or cannot hold what
            the dump has.
    """
    if dump.revision is not None and dump.revision > HEAD:
        fact = f"The backup's database is at {dump.revision}: this version knows {HEAD}."
        raise BackupError(fact, hint="run the newer version of fiblake that made the backup.")
    with database.write() as connection:
        take_lock(database, connection)
        # It has tables that this version does not know, and would leave there.
        refuse_newer(database, revision_in(connection))
        there = [*METADATA.sorted_tables, *(table_of(each.name, {}) for each in dump.tables)]
        names = _there(connection, {table.name for table in there} | {_VERSIONS})
        if not replace:
            _refuse_rows(database, connection, names - {_VERSIONS})
        for name in sorted(names):
            sa.Table(name, sa.MetaData()).drop(connection)
        if dump.revision is not None:
            migrate(connection, dump.revision)
        for table in dump.tables:
            _fill(connection, place, table)
        migrate(connection)


def lines_of(place: ObjectStore, piece: Piece) -> Iterator[list[Any]]:
    """Yield the lines of an object of a backup.

    Raises:
        BackupError: If it is missing or damaged, or has fewer lines or more.
    """
    count = 0
    try:
        for line in gzip.decompress(get(place, piece)).splitlines():
            yield json.loads(line)
            count += 1
    except (OSError, EOFError, zlib.error, ValueError) as error:
        fact = f"{piece.key} in {place.location} is damaged: {error}."
        raise BackupError(fact) from None
    if count != piece.rows:
        fact = f"{piece.key} in {place.location} has {count:,} rows, not {piece.rows:,}."
        raise BackupError(fact)


def _there(connection: sa.Connection, names: set[str]) -> set[str]:
    return names.intersection(sa.inspect(connection).get_table_names())


def _refuse_rows(database: Database, connection: sa.Connection, names: set[str]) -> None:
    for name in sorted(names):
        found = connection.execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1))
        if found.first() is not None:
            fact = f"The database {database.place} holds rows, as in {name}."
            hint = "name an empty one, or add --force: all it holds gives way to the backup."
            raise BackupError(fact, hint=hint)


def _fill(connection: sa.Connection, place: ObjectStore, dump: TableDump) -> None:
    table = table_of(dump.name, dump.kinds)
    _refuse_other_columns(connection, dump)
    for piece in dump.pieces:
        rows = (row_of(values, dump.kinds) for values in lines_of(place, piece))
        while some := list(islice(rows, _AT_ONCE)):
            connection.execute(sa.insert(table), some)
    _continue_numbers(connection, dump.name)


def _refuse_other_columns(connection: sa.Connection, dump: TableDump) -> None:
    found = {each["name"] for each in sa.inspect(connection).get_columns(dump.name)}
    if found != set(dump.kinds):
        odd = ", ".join(sorted(found ^ set(dump.kinds)))
        fact = f"The backup's {dump.name} is not the table of its migration: it differs in {odd}."
        raise BackupError(fact)


def _continue_numbers(connection: sa.Connection, name: str) -> None:
    """Let numbers that PostgreSQL gives go on after those that came; SQLite's do by themselves."""
    if connection.dialect.name != "postgresql":
        return
    for column in sa.inspect(connection).get_pk_constraint(name)["constrained_columns"]:
        sequence = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(name, column)))
        if sequence is not None:
            table = sa.table(name, sa.column(column))
            last = connection.scalar(sa.select(sa.func.max(table.c[column])))
            if last is not None:
                connection.execute(sa.select(sa.func.setval(sequence, last)))
