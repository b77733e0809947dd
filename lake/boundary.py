"""The boundary: the last session that the batch layer has committed to silver, per source.

It moves after silver is committed, never before: what lies behind it is batch's word.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake import keys
from lake.errors import ObjectNotFoundError

if TYPE_CHECKING:
    from lake.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Boundary:
    """The boundary as it was read.

    Attributes:
        daily: The last session committed from daily bars; None before the first.
        fingerprint: Of its object; None where there is none.
    """

    daily: dt.date | None
    fingerprint: str | None


def read_boundary(store: ObjectStore) -> Boundary:
    """Return the boundary of the lake."""
    try:
        stored = store.get(keys.BOUNDARY)
    except ObjectNotFoundError:
        return Boundary(daily=None, fingerprint=None)
    daily = dt.date.fromisoformat(json.loads(stored.data)["daily"])
    return Boundary(daily, stored.fingerprint)


def move_boundary(store: ObjectStore, read: Boundary, daily: dt.date) -> None:
    """Publish the boundary `daily`, unless it was moved since it was `read`.

    Raises:
        ConflictError: If someone else moved it.
    """
    if read.daily != daily:
        document = json.dumps({"daily": daily.isoformat()}).encode()
        store.put_if(keys.BOUNDARY, document, read.fingerprint)
