"""Bringing a database's tables to what this version needs, however many do so at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from database.database import UPGRADE_HINT
from lake.errors import DatabaseBehindError, DatabaseError

if TYPE_CHECKING:
    from alembic.config import Config

    from database.database import Database

HEAD: Final = "0002"
"""The newest migration: known without Alembic, whose import takes a while."""
MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x66_69_62_6C_61_6B_65
"""The name of PostgreSQL's lock: fiblake, in ASCII."""


@dataclass(frozen=True, slots=True)
class Revision:
    """Where a database is: `at` None before the first migration; `head` is what is needed."""

    database: str
    at: str | None
    head: str

    @property
    def is_current(self) -> bool:
        """Whether it is what this version needs."""
        return self.at == self.head


def revision_of(database: Database) -> Revision:
    """Return which migration a database is at.

    Raises:
        DatabaseError: If it does not answer.
    """
    with database.read() as connection:
        return Revision(database.place, revision_in(connection), HEAD)


def upgrade(database: Database) -> Revision:
    """Bring a database to the newest migration; return where it was.

    All of it comes to be, or nothing; of two at once one waits, and finds nothing to do.

    Raises:
        DatabaseError: If it does not answer, refuses, or is of a newer version.
    """
    with database.write() as connection:
        take_lock(database, connection)
        before = Revision(database.place, revision_in(connection), HEAD)
        refuse_newer(database, before.at)
        if not before.is_current:
            migrate(connection)
    return before


def take_lock(database: Database, connection: sa.Connection) -> None:
    """Let nobody else change the tables of a database until the transaction is over."""
    if not database.is_embedded:  # SQLite's own lock is held since the transaction began
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def migrate(connection: sa.Connection, to: str = "head") -> None:
    """Bring a database's tables from where they are to a migration, in a transaction."""
    from alembic import command  # noqa: PLC0415 - it takes a while, and is seldom needed

    command.upgrade(config(connection), to)


def prepare(database: Database) -> None:
    """Make sure that a database can be used: a file is upgraded, a server must have been.

    Raises:
        DatabaseBehindError: If a server's tables are not those that this version needs.
        DatabaseError: If it does not answer, or is of a newer version.
    """
    found = revision_of(database)
    refuse_newer(database, found.at)
    if found.is_current:
        return
    if not database.is_embedded:
        fact = f"The database {found.database} is at {found.at or 'nothing'}, and not at {HEAD}."
        raise DatabaseBehindError(fact, hint=UPGRADE_HINT)
    upgrade(database)


def config(connection: sa.Connection) -> Config:
    """Return how Alembic finds the migrations, and that it works on `connection`."""
    from alembic.config import Config  # noqa: PLC0415 - likewise

    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def revision_in(connection: sa.Connection) -> str | None:
    """Return which migration the database of a connection is at; None: before the first."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def refuse_newer(database: Database, at: str | None) -> None:
    """Refuse a database that a newer version has upgraded.

    Raises:
        DatabaseError: If it is at a migration that this version does not know.
    """
    # Revisions are numbers of four digits.
    if at is not None and at > HEAD:
        fact = f"The database {database.place} is at {at}: this version knows {HEAD}."
        raise DatabaseError(fact, hint="run the newer version of fiblake that upgraded it.")
