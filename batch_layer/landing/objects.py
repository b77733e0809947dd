"""The objects of landing: one for each unit, and each time that it was fetched."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from batch_layer.landing.members import is_packed, pack, unpack
from lake import keys
from lake.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_layer.landing.answer import Answer
    from lake.store import ObjectStore

_ATTEMPTS: Final = 60
_SECOND: Final = dt.timedelta(seconds=1)


def land(store: ObjectStore, source: str, kind: str, unit: str, answers: Sequence[Answer]) -> str:
    """Keep the answers about one unit in one object, all or none.

    Args:
        store: The lake.
        source: Who answered, as `massive`.
        kind: What about, as `daily`.
        unit: What was asked for at once, as a session; one part of a path, or several.
        answers: At least one, in order: the pages, where there are several.

    Returns:
        The object's key. What is there already stays.

    Raises:
        StoreError: If it cannot be written.
    """
    data = pack(answers, {"source": source, "kind": kind})
    form = "csv" if is_packed(answers[0].body) else "json"
    at = answers[-1].fetched_at
    for _ in range(_ATTEMPTS):
        key = keys.landed(source, kind, unit, at, form)
        try:
            store.put_if(key, data, None)
        except ConflictError:
            # Keys tell seconds: two in one second follow each other.
            at += _SECOND
            continue
        return key
    fact = f"{key} and the {_ATTEMPTS} seconds before it are taken in {store.location}."
    raise ConflictError(fact, hint="run the command again later.")


def read(store: ObjectStore, key: str) -> list[Answer]:
    """Return the answers in an object, in order.

    Raises:
        ObjectNotFoundError: If there is none.
        DamagedObjectError: If it is not whole.
    """
    return unpack(store.get(key).data, f"{key} in {store.location}")


def landed(store: ObjectStore, source: str, kind: str) -> dict[str, list[str]]:
    """Return the keys of all that landed of a source and kind, by unit, the oldest first."""
    prefix = keys.landing(source, kind)
    found: dict[str, list[str]] = {}
    for key in sorted(store.fingerprints(prefix)):
        told = keys.landed_unit(key, prefix)
        if told is not None:
            found.setdefault(told[0], []).append(key)
    return found
