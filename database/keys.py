"""Queries on API keys."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's fields
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from database.tables import API_KEYS

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it is kept.

    Attributes:
        key: Its public part, by which it is found.
        name: What it is for.
        owner: Whose it is.
        digest: SHA-256 of the whole key, in hexadecimal.
        scopes: What it may do, in order, with blanks between them.
        created: When.
        expires: From when on it is none; None: never.
        revoked: When it was; None: it is not.
        used: When it was used last, to the minute or so.
    """

    key: str
    name: str
    owner: str
    digest: str
    scopes: str
    created: dt.datetime
    expires: dt.datetime | None = None
    revoked: dt.datetime | None = None
    used: dt.datetime | None = None


def add_key(connection: Connection, row: KeyRow) -> None:
    """Keep a new key."""
    connection.execute(sa.insert(API_KEYS).values(asdict(row)))


def all_keys(connection: Connection) -> list[KeyRow]:
    """Return all keys, in order of creation: those expired and revoked too."""
    found = connection.execute(sa.select(API_KEYS).order_by(API_KEYS.c.created, API_KEYS.c.key))
    return [KeyRow(*row) for row in found]


def find_key(connection: Connection, key: str) -> KeyRow | None:
    """Return the key of that public part, if there is one."""
    found = connection.execute(sa.select(API_KEYS).where(API_KEYS.c.key == key)).first()
    return KeyRow(*found) if found else None


def has_keys(connection: Connection) -> bool:
    """Return whether a key was ever created."""
    return connection.execute(sa.select(API_KEYS.c.key).limit(1)).first() is not None


def revoke_key(connection: Connection, key: str, at: dt.datetime) -> bool:
    """Revoke a key; return whether that changed anything."""
    standing = (API_KEYS.c.key == key) & API_KEYS.c.revoked.is_(None)
    done = connection.execute(sa.update(API_KEYS).where(standing).values(revoked=at))
    return done.rowcount == 1


def mark_used(connection: Connection, key: str, at: dt.datetime) -> None:
    """Note that a key was used; another process may have noted a later use."""
    older = API_KEYS.c.used.is_(None) | (API_KEYS.c.used < at)
    connection.execute(sa.update(API_KEYS).where((API_KEYS.c.key == key) & older).values(used=at))
