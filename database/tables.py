"""The tables, as the newest migration leaves them.

Units: instants are UTC; PostgreSQL keeps their zone, SQLite has none and is given UTC.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, MetaData, String, Table, Text
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

ALERT_RULES: Final = Table(
    "alert_rules",
    METADATA,
    Column("alert", String(16), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created", Instant, nullable=False),
    Column("changed", Instant, nullable=False),
    Column("muted_until", Instant),
    Column("deleted", Instant),
    Index("alert_rules_owner", "owner", "created", "alert"),
    Index("alert_rules_changed", "changed"),
)
"""Whose alert fires when: `definition` is a rule as JSON, `revision` counts its changes from 1.

`changed` moves with every change of a row: of its rule, its mute, or that it was deleted.
"""

ALERT_STATES: Final = Table(
    "alert_states",
    METADATA,
    Column("alert", String(16), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("fired", Integer, nullable=False),
    Column("last_fired", Instant),
    Column("is_done", Boolean, nullable=False),
    Column("adopted", Instant),
)
"""How far each alert is that is evaluated, at its `revision`: JSON of `lake.alerts`.

`fired` counts the firings of that revision, `last_fired` is of the flow's time; `is_done`: it fires
no more. `adopted` is from when on it is evaluated, by the flow's time; null: from its begin.
"""

ALERT_MARKET: Final = Table(
    "alert_market",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("state", Text, nullable=False),
)
"""What alerts of one symbol share, as its last price and the bars before: JSON of `lake.alerts`."""

ALERT_FLOW: Final = Table(
    "alert_flow",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("position", Text, nullable=False),
)
"""How far the flow was evaluated: changes with states and notifications, in one transaction.

`epoch` is that of the process that evaluates: a later one has taken over from it.
"""

DESTINATIONS: Final = Table(
    "destinations",
    METADATA,
    Column("owner", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("created", Instant, nullable=False),
)
"""Where an owner's alerts can be told: webhooks, and the secret that each is signed with."""

NOTIFICATIONS: Final = Table(
    "notifications",
    METADATA,
    Column("notification", Text, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("owner", Text, nullable=False),
    Column("alert", String(16)),
    Column("symbol", Text),
    Column("at", Instant, nullable=False),
    Column("made", Instant, nullable=False),
    Column("is_muted", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Index("notifications_owner", "owner", "made", "notification"),
    Index("notifications_alert", "alert", "made"),
    Index("notifications_made", "made"),
)
"""What is to be told, or was: envelopes as JSON, one a firing, by an id that is the firing's.

`at` is when it happened by the flow's time, `made` when it was put here.
"""

DELIVERIES: Final = Table(
    "deliveries",
    METADATA,
    Column("notification", Text, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("state", String(9), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Instant),
    Column("claimed_by", Text),
    Column("error", Text, nullable=False),
    Column("done", Instant),
    Index("deliveries_due", "state", "due", "destination", "owner"),
)
"""The outbox: each notification to each destination; `owner` is the notification's.

`state` is `waiting`, `delivered` or `dead`; `due` is when the next attempt may begin, which whoever
makes one moves ahead first; null unless it waits.
"""
