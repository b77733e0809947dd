"""The horizon: the instant from which on the lake can still tell what it knew.

It is published before anything is dropped, and only ever moves forward: whoever finds an instant
within it after reading has read all that was known then.
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
class Horizon:
    """The horizon as it was read.

    Attributes:
        instant: The first instant at which all that was known is kept; None: every instant is.
        fingerprint: Of its object; None where there is none.
    """

    instant: dt.datetime | None
    fingerprint: str | None


def read_horizon(store: ObjectStore) -> Horizon:
    """Return the horizon of the lake.

    Raises:
        DamagedObjectError: If it cannot be read.
    """
    try:
        document, fingerprint = read_document(store, keys.HISTORY_HORIZON)
        return Horizon(dt.datetime.fromisoformat(document["instant"]), fingerprint)
    except ObjectNotFoundError:
        return Horizon(instant=None, fingerprint=None)
    except (DamagedObjectError, KeyError, TypeError, ValueError):
        fact = f"{keys.HISTORY_HORIZON} in {store.location} is damaged: it names no instant."
        raise DamagedObjectError(fact, hint="restore it from a copy.") from None


def move_horizon(store: ObjectStore, instant: dt.datetime) -> dt.datetime:
    """Move the horizon to an instant, unless it lies behind it already; return where it is.

    Raises:
        ConflictError: If someone else moved it meanwhile.
    """
    read = read_horizon(store)
    if read.instant is not None and read.instant >= instant:
        return read.instant
    document = encode_document({"instant": instant.isoformat()})
    store.put_if(keys.HISTORY_HORIZON, document, read.fingerprint)
    return instant
