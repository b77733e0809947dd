"""Up to where a lake holds bars of any kind: so far its calendar may not change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_layer.bronze import manifest
from lake import keys

if TYPE_CHECKING:
    import datetime as dt

    from lake.store import ObjectStore


def last_committed(store: ObjectStore) -> dt.date | None:
    """Return the last session of which bronze has bars; None: it has none."""
    minutes = keys.by_session(store.fingerprints(keys.MINUTE))
    return max([*manifest.read(store), *minutes], default=None)
