"""The lake's JSON documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lake.errors import DamagedObjectError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lake.store import ObjectStore

Document = dict[str, Any]


def read_document(store: ObjectStore, key: str) -> tuple[Document, str]:
    """Return a document and its object's fingerprint.

    Raises:
        ObjectNotFoundError: If there is none.
        DamagedObjectError: If it is not one.
    """
    stored = store.get(key)
    try:
        document = json.loads(stored.data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        fact = f"{key} in {store.location} is damaged: not a JSON document."
        raise DamagedObjectError(fact, hint="fiblake resample makes it anew.")
    return document, stored.fingerprint


def encode_document(document: Mapping[str, object]) -> bytes:
    """Return a document as the bytes of its object."""
    return json.dumps(document, indent=1).encode()
