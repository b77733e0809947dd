"""The tables, as the newest migration leaves them.

Units: instants are UTC; PostgreSQL keeps their zone, SQLite has none and is given UTC.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Dialect

METADATA: Final = MetaData()


class Instant(TypeDecorator[dt.datetime]):
    """An instant: UTC when it is put in, and when it is read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002 - its superclass's
        """Return an instant as it is stored."""
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(
        self,
        value: dt.datetime | None,
        dialect: Dialect,  # noqa: ARG002 - its superclass's
    ) -> dt.datetime | None:
        """Return a stored instant as it was put in."""
        if value is None:
            return None
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)


API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("key", String(16), primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created", Instant, nullable=False),
    Column("expires", Instant),
    Column("revoked", Instant),
    Column("used", Instant),
)
"""Who may ask: a key's public part, the SHA-256 of the whole of it, and what it is for."""

AUDIT_LOG: Final = Table(
    "audit_log",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("audit_log_at", "at"),
)
"""Who changed what, when, and from where; rows are added, and never changed."""

SECRETS: Final = Table(
    "secrets",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("created", Instant, nullable=False),
)
"""What this database's processes must share and nobody else may know."""
