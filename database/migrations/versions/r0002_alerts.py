"""Alerts: rules, how far each is, what is to be told, and where."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables of alerts."""
    _make_rules()
    _make_states()
    _make_outbox()


def _make_rules() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("alert", sa.String(16), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("muted_until", sa.DateTime(timezone=True)),
        sa.Column("deleted", sa.DateTime(timezone=True)),
    )
    op.create_index("alert_rules_owner", "alert_rules", ["owner", "created", "alert"])
    op.create_index("alert_rules_changed", "alert_rules", ["changed"])


def _make_states() -> None:
    op.create_table(
        "alert_states",
        sa.Column("alert", sa.String(16), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("fired", sa.Integer, nullable=False),
        sa.Column("last_fired", sa.DateTime(timezone=True)),
        sa.Column("is_done", sa.Boolean, nullable=False),
        sa.Column("adopted", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "alert_market",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_table(
        "alert_flow",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("position", sa.Text, nullable=False),
    )


def _make_outbox() -> None:
    op.create_table(
        "destinations",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "notifications",
        sa.Column("notification", sa.Text, primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("alert", sa.String(16)),
        sa.Column("symbol", sa.Text),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_muted", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("notifications_owner", "notifications", ["owner", "made", "notification"])
    op.create_index("notifications_alert", "notifications", ["alert", "made"])
    op.create_index("notifications_made", "notifications", ["made"])
    op.create_table(
        "deliveries",
        sa.Column("notification", sa.Text, primary_key=True),
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", sa.DateTime(timezone=True)),
        sa.Column("claimed_by", sa.Text),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("done", sa.DateTime(timezone=True)),
    )
    op.create_index("deliveries_due", "deliveries", ["state", "due", "destination", "owner"])
