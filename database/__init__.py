"""The relational store: what changes by transaction (keys, alerts, outbox, audit)."""

from database.database import Database, open_database
from database.migrating import prepare

__all__ = ["Database", "open_database", "prepare"]
