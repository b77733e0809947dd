"""The lake's table of trade conditions, as `lake.conditions` reads it: replaced whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lake import keys
from lake.documents import read_document, revise_document
from lake.errors import DamagedObjectError, ObjectNotFoundError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from lake.store import ObjectStore

Condition: TypeAlias = dict[str, Any]
_SOURCE: Final = "Massive's /v3/reference/conditions, update_rules.consolidated."
_AS_OF: Final = "as_of"
_TOLD: Final = "conditions"


def read(store: ObjectStore) -> list[Condition]:
    """Return the conditions of the lake's own table; none where it has none, or it is damaged."""
    try:
        document, _ = read_document(store, keys.CONDITIONS)
    except (ObjectNotFoundError, DamagedObjectError):
        return []
    told = document.get(_TOLD)
    if not isinstance(told, list) or not isinstance(document.get(_AS_OF), str):
        return []
    return [each for each in told if isinstance(each, dict)]


def commit(store: ObjectStore, conditions: Sequence[Condition], as_of: dt.date) -> int:
    """Replace the table where it differs.

    Args:
        store: The lake.
        conditions: All, in order of `id`.
        as_of: The date on which they were told.

    Returns:
        How many of them are new, different or gone.

    Raises:
        ConflictError: If others kept writing it all the while.
    """
    old, new = read(store), list(conditions)
    document = {"source": _SOURCE, _AS_OF: as_of.isoformat(), _TOLD: new}
    revise_document(store, keys.CONDITIONS, lambda _: document)
    differ = [each for each in new if each not in old] + [each for each in old if each not in new]
    # What is different is in both.
    return len({repr(each.get("id")) for each in differ})
