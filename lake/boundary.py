"""The boundary: the last session that the batch layer has committed to silver, of days and minutes.

It moves after silver is committed, never before: what lies behind it is batch's word.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lake import keys
from lake.documents import encode_document, read_document
from lake.errors import DamagedObjectError, ObjectNotFoundError

if TYPE_CHECKING:
    from lake.store import ObjectStore

_KINDS: Final = ("daily", "minute")


@dataclass(frozen=True, slots=True)
class Boundary:
    """The boundary as it was read.

    Attributes:
        daily: The last session committed from daily bars; None before the first.
        minute: The last session committed from minute bars; None before the first.
        fingerprint: Of its object; None where there is none.
    """

    daily: dt.date | None
    minute: dt.date | None
    fingerprint: str | None


def read_boundary(store: ObjectStore) -> Boundary:
    """Return the boundary of the lake.

    Raises:
        DamagedObjectError: If it cannot be read; the next resampling makes it anew.
    """
    try:
        document, fingerprint = read_document(store, keys.BOUNDARY)
    except ObjectNotFoundError:
        return Boundary(daily=None, minute=None, fingerprint=None)
    try:
        told = {name: dt.date.fromisoformat(document[name]) for name in _KINDS if name in document}
        return Boundary(told.get("daily"), told.get("minute"), fingerprint)
    except (TypeError, ValueError):
        fact = f"{keys.BOUNDARY} in {store.location} is damaged: it names no date."
        raise DamagedObjectError(fact, hint="fiblake resample makes it anew.") from None


def boundary_to_move(store: ObjectStore) -> Boundary:
    """Return the boundary of the lake; none, but to be replaced, where it is damaged."""
    try:
        return read_boundary(store)
    except DamagedObjectError:
        return Boundary(daily=None, minute=None, fingerprint=store.fingerprint(keys.BOUNDARY))


def move_boundary(
    store: ObjectStore,
    read: Boundary,
    *,
    daily: dt.date | None = None,
    minute: dt.date | None = None,
) -> None:
    """Publish the boundary of days or of minutes (None: as it was `read`), unless it was moved.

    Raises:
        ConflictError: If someone else moved it since it was read.
    """
    moved = (daily or read.daily, minute or read.minute)
    if moved != (read.daily, read.minute):
        told = zip(_KINDS, moved, strict=True)
        document = {kind: session.isoformat() for kind, session in told if session}
        store.put_if(keys.BOUNDARY, encode_document(document), read.fingerprint)
