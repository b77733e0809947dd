"""The lake's JSON documents."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lake.attempts import attempts
from lake.errors import ConflictError, DamagedObjectError, ObjectNotFoundError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lake.store import ObjectStore
    from lake.store.protocol import Stored

Document = dict[str, Any]
Revision: TypeAlias = "Callable[[Document | None], Document]"
_AT_ONCE: Final = 16
_ATTEMPTS: Final = 30


@dataclass(frozen=True, slots=True)
class Filed:
    """A document as it was found; None in place of one that is damaged."""

    document: Document | None
    fingerprint: str


def read_document(store: ObjectStore, key: str) -> tuple[Document, str]:
    """Return a document and its object's fingerprint.

    Raises:
        ObjectNotFoundError: If there is none.
        DamagedObjectError: If it is not one.
    """
    stored = store.get(key)
    document = _parsed(stored)
    if document is None:
        fact = f"{key} in {store.location} is damaged: not a JSON document."
        raise DamagedObjectError(fact, hint="fiblake resample makes it anew.")
    return document, stored.fingerprint


def encode_document(document: Mapping[str, object]) -> bytes:
    """Return a document as the bytes of its object."""
    return json.dumps(document, indent=1).encode()


def revise_document(store: ObjectStore, key: str, revise: Revision) -> None:
    """Replace a document by what is made of it, or of None where there is none or it is damaged.

    Of many writers at once, each sees what those before it have written. What does not change is
    not written.

    Raises:
        ConflictError: If others kept writing it all the while.
    """
    for _ in attempts(_ATTEMPTS):
        old, fingerprint = _found(store, key)
        new = revise(old)
        if new == old:
            return
        with suppress(ConflictError):
            store.put_if(key, encode_document(new), fingerprint)
            return
    fact = f"{key} in {store.location} kept changing under {_ATTEMPTS} attempts to write it."
    raise ConflictError(fact, hint="run the command again when others are done.")


def read_documents(store: ObjectStore, prefix: str, index: str) -> dict[str, Filed]:
    """Return all documents whose key starts with `prefix`, by key.

    However many there are, it takes one listing and one read where none has changed: the object
    `index` keeps a copy of all. It is derived; a copy counts while the document's fingerprint is
    the one it was taken from.
    """
    found = store.fingerprints(prefix)
    copies = _copies(store, index)
    filed = {
        key: copies[key] for key in found if key in copies and copies[key].fingerprint == found[key]
    }
    missing = [key for key in found if key not in filed]
    with ThreadPoolExecutor(_AT_ONCE) as readers:
        read = readers.map(lambda key: _filed(store, key), missing)
        filed |= {key: each for key, each in zip(missing, read, strict=True) if each}
    if filed.keys() != copies.keys() or missing:
        file_documents(store, index, filed)
    return filed


def file_documents(store: ObjectStore, index: str, filed: Mapping[str, Filed]) -> None:
    """Keep a copy of these documents for `read_documents`, where the lake may be written to."""
    copies = {key: [each.fingerprint, each.document] for key, each in sorted(filed.items())}
    with suppress(StoreError):
        # With no line breaks: to indent thousands of lines takes longer than all the rest.
        store.put(index, json.dumps(copies).encode())


def _copies(store: ObjectStore, index: str) -> dict[str, Filed]:
    try:
        document, _ = read_document(store, index)
        return {key: Filed(content, at) for key, (at, content) in document.items()}
    except (ObjectNotFoundError, DamagedObjectError, TypeError, ValueError):
        return {}


def _found(store: ObjectStore, key: str) -> tuple[Document | None, str | None]:
    try:
        stored = store.get(key)
    except ObjectNotFoundError:
        return None, None
    return _parsed(stored), stored.fingerprint


def _parsed(stored: Stored) -> Document | None:
    try:
        document = json.loads(stored.data)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _filed(store: ObjectStore, key: str) -> Filed | None:
    try:
        return Filed(*read_document(store, key))
    except ObjectNotFoundError:
        return None
    except DamagedObjectError:
        fingerprint = store.fingerprint(key)
        return Filed(None, fingerprint) if fingerprint else None
