"""Queries on secrets that all processes of one database share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from database.tables import SECRETS, Instant

if TYPE_CHECKING:
    import datetime as dt

    from database.database import Database

_PROPOSE: Final = sa.text(
    "INSERT INTO secrets (name, value, created) VALUES (:name, :value, :created)"
    " ON CONFLICT DO NOTHING"
).bindparams(sa.bindparam("created", type_=Instant))


def shared_secret(database: Database, name: str, proposed: str, at: dt.datetime) -> str:
    """Return the secret of that name: `proposed` where there was none, for all processes one.

    Raises:
        DatabaseError: If the database does not answer.
    """
    with database.read() as connection:
        found = _find(connection, name)
    if found is not None:
        return found
    with database.write() as connection:
        connection.execute(_PROPOSE, {"name": name, "value": proposed, "created": at})
    with database.read() as connection:
        return _find(connection, name) or proposed


def _find(connection: sa.Connection, name: str) -> str | None:
    found: str | None = connection.scalar(sa.select(SECRETS.c.value).where(SECRETS.c.name == name))
    return found
