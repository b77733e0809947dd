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
        return Revision(database.place, _revision(connection), HEAD)


def upgrade(database: Database) -> Revision:
    """Bring a database to the newest migration; return where it was.

    All of it comes to be, or nothing; of two at once one waits, and finds nothing to do.

    Raises:
        DatabaseError: If it does not answer, refuses, or is of a newer version.
    """
    with database.write() as connection:
        if not database.is_embedded:  # SQLite's own lock is held since the transaction began
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        before = Revision(database.place, _revision(connection), HEAD)
        _refuse_newer(before)
        if not before.is_current:
            from alembic import command  # noqa: PLC0415 - it takes a while, and is seldom needed

            command.upgrade(config(connection), "head")
    return before


def prepare(database: Database) -> None:
    """Make sure that a database can be used: a file is upgraded, a server must have been.

    Raises:
        DatabaseBehindError: If a server's tables are not those that this version needs.
        DatabaseError: If it does not answer, or is of a newer version.
    """
    found = revision_of(database)
    _refuse_newer(found)
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


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def _refuse_newer(found: Revision) -> None:
    # Revisions are numbers of four digits.
    if found.at is not None and found.at > found.head:
        fact = f"The database {found.database} is at {found.at}: this version knows {found.head}."
        raise DatabaseError(fact, hint="run the newer version of fiblake that upgraded it.")
