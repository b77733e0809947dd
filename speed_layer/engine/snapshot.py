"""An engine's state as bytes, and back: arrays and a document, never code.

A line that says what it is, a line of JSON with the engine's fingerprint and the digest of what
follows, then the arrays as NumPy stores them. Whatever is not wholly right is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lake.errors import SnapshotError
from lake.schemas import EVENTS, LIVE_BARS, PRICES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]
State = tuple["Mapping[str, object]", Arrays]
"""A document and arrays."""
HINT: Final = "start without it, and replay the session's recorded events."
_TITLE: Final = b"fiblake engine snapshot\n"
_DOCUMENT: Final = "document"


def packed(document: Mapping[str, object], arrays: Arrays) -> bytes:
    """Return a document and arrays as bytes."""
    text = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
    stored = io.BytesIO()
    np.savez(stored, allow_pickle=False, **{_DOCUMENT: text}, **arrays)
    body = stored.getvalue()
    head = {"engine": fingerprint(), "digest": hashlib.sha256(body).hexdigest()}
    return b"".join([_TITLE, json.dumps(head).encode(), b"\n", body])


def unpacked(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """Return the document and the arrays.

    Raises:
        SnapshotError: If these are not all the bytes of a snapshot, or one of another engine.
    """
    if not data.startswith(_TITLE):
        fact = "These bytes are no snapshot of an engine."
        raise SnapshotError(fact, hint=HINT)
    text, _, body = data[len(_TITLE) :].partition(b"\n")
    try:
        head = json.loads(text)
        engine, digest = head["engine"], head["digest"]
    except (ValueError, TypeError, KeyError):
        engine, digest = fingerprint(), ""
    if engine != fingerprint():
        fact = f"The snapshot is of another engine: {engine}, not {fingerprint()}."
        raise SnapshotError(fact, hint=HINT)
    if digest != hashlib.sha256(body).hexdigest():
        fact = "The snapshot is damaged: its bytes are not those that were stored."
        raise SnapshotError(fact, hint=HINT)
    with np.load(io.BytesIO(body), allow_pickle=False) as stored:
        arrays = dict(stored)
    return json.loads(arrays.pop(_DOCUMENT).tobytes()), arrays


@cache
def fingerprint() -> str:
    """Return what tells engines apart: a digest of their code and of the schemas they know."""
    digest = hashlib.sha256()
    for source in sorted(files("speed_layer.engine").iterdir(), key=lambda path: path.name):
        if source.name.endswith(".py"):
            digest.update(source.read_bytes())
    for schema in (EVENTS, LIVE_BARS, PRICES):
        digest.update(str(schema).encode())
    return digest.hexdigest()[:16]
