"""Events into landing, as a recorder writes them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Final

from lake import keys
from lake.errors import ConflictError
from lake.wire import encode_lines

if TYPE_CHECKING:
    import datetime as dt

    import polars as pl

    from lake.store import ObjectStore

_EACH: Final = 50_000
_LEVEL: Final = 3


def record(
    store: ObjectStore,
    source: str,
    session: dt.date,
    events: pl.DataFrame,
    *,
    each: int = _EACH,
) -> list[str]:
    """Keep events of a session in objects of at most `each`, in order; the same again is nothing.

    Returns:
        The objects' keys.

    Raises:
        ConflictError: If the source recorded others of that session.
    """
    parts = [events.slice(first, each) for first in range(0, events.height, each)]
    recorded = [keys.live(source, session, number) for number in range(len(parts))]
    for key, part in zip(recorded, parts, strict=True):
        _put(store, key, encode_lines(part))
    return recorded


def _put(store: ObjectStore, key: str, lines: bytes) -> None:
    try:
        store.put_if(key, gzip.compress(lines, _LEVEL, mtime=0), None)
    except ConflictError:
        if gzip.decompress(store.get(key).data) != lines:
            fact = f"{key} in {store.location} holds other events."
            raise ConflictError(fact, hint="record under another source.") from None
