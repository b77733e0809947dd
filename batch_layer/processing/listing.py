"""Which objects silver holds of some intervals; the others, which may be many, are not listed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lake import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lake.interval import Interval
    from lake.store import ObjectStore


def silver_objects(store: ObjectStore, intervals: Sequence[Interval]) -> dict[str, str]:
    """Return the fingerprints of all partitions of some intervals, by key."""
    prefixes = list(map(keys.silver_prefix, intervals))
    found: dict[str, str] = {}
    with ThreadPoolExecutor(max(len(prefixes), 1)) as listers:
        for each in listers.map(store.fingerprints, prefixes):
            found |= each
    return found
