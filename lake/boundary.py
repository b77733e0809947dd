"""The boundary: the last session that the batch layer has committed to silver, per source.

It moves after silver is committed, never before: what lies behind it is batch's word.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake import keys
from lake.documents import encode_document, read_document
from lake.errors import DamagedObjectError, ObjectNotFoundError

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
    """Return the boundary of the lake.

    Raises:
        DamagedObjectError: If it cannot be read; the next resampling makes it anew.
    """
    try:
        document, fingerprint = read_document(store, keys.BOUNDARY)
    except ObjectNotFoundError:
        return Boundary(daily=None, fingerprint=None)
    try:
        return Boundary(dt.date.fromisoformat(document["daily"]), fingerprint)
    except (KeyError, TypeError, ValueError):
        fact = f"{keys.BOUNDARY} in {store.location} is damaged: it names no date."
        raise DamagedObjectError(fact, hint="fiblake resample makes it anew.") from None


def move_boundary(store: ObjectStore, read: Boundary, daily: dt.date) -> None:
    """Publish the boundary `daily`, unless it was moved since it was `read`.

    Raises:
        ConflictError: If someone else moved it.
    """
    if read.daily != daily:
        document = encode_document({"daily": daily.isoformat()})
        store.put_if(keys.BOUNDARY, document, read.fingerprint)
