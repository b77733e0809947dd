"""The object store: one seam over a local folder and S3."""

from lake.store.local import LocalStore
from lake.store.location import open_backups, open_store
from lake.store.protocol import ObjectStore, Stored

__all__ = ["LocalStore", "ObjectStore", "Stored", "open_backups", "open_store"]
