"""How Alembic runs the migrations: on the connection it is handed, in that one's transaction."""

from __future__ import annotations

from alembic import context

from database.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
