"""Queries on the audit log: who changed what, when, and from where."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's field
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from database.tables import AUDIT_LOG

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something, and from where: see `Entry`."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of state.

    Attributes:
        at: When.
        actor: Who: a key's public part, or `command:USER`.
        address: From where: an IP address, or a host's name.
        action: What was done, as `key created`.
        subject: To what, as a key's public part.
        detail: More of it, in words.
    """

    at: dt.datetime
    actor: str
    address: str
    action: str
    subject: str
    detail: str = ""


def note(connection: Connection, entry: Entry) -> None:
    """Add an entry; it comes to be with what it tells of, in one transaction."""
    connection.execute(sa.insert(AUDIT_LOG).values(asdict(entry)))


def latest(connection: Connection, limit: int) -> list[Entry]:
    """Return up to `limit` entries, the latest first."""
    columns = [AUDIT_LOG.c[name] for name in Entry.__dataclass_fields__]
    asked = sa.select(*columns).order_by(AUDIT_LOG.c.number.desc()).limit(limit)
    return [Entry(*row) for row in connection.execute(asked)]
