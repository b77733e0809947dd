"""Whole days of events into landing, as a recorder writes them."""

from __future__ import annotations

import datetime as dt
import gzip
from typing import TYPE_CHECKING, Final

from lake import keys
from lake.coverage import Span
from lake.errors import ConflictError
from lake.event import KINDS
from lake.instant import microseconds
from lake.wire import encode_lines

if TYPE_CHECKING:
    import polars as pl

    from lake.store import ObjectStore

_EACH: Final = 50_000
_LEVEL: Final = 3
_LONGEST: Final = dt.timedelta(days=2)


def record(
    store: ObjectStore,
    source: str,
    session: dt.date,
    events: pl.DataFrame,
    *,
    each: int = _EACH,
) -> list[str]:
    """Keep events of a session in objects of at most `each`, in order; the same again is nothing.

    It is noted that they are all there were.

    Returns:
        The objects' keys.

    Raises:
        ConflictError: If the source recorded others of that session.
    """
    parts = [events.slice(first, each) for first in range(0, events.height, each)]
    recorded = [keys.live(source, session, number) for number in range(len(parts))]
    for key, part in zip(recorded, parts, strict=True):
        _put(store, key, encode_lines(part))
    note_whole(store, source, session)
    return recorded


def note_whole(store: ObjectStore, source: str, session: dt.date) -> None:
    """Note that what is recorded of a session is all there was.

    Raises:
        ConflictError: If otherwise was noted.
    """
    day = dt.datetime.combine(session, dt.time(), dt.UTC)
    since, until = microseconds(day), microseconds(day + _LONGEST)
    notes = b"".join(Span(since, until, "told", kind=kind).line for kind in KINDS)
    _put(store, keys.coverage(source, session, 0), notes)


def _put(store: ObjectStore, key: str, lines: bytes) -> None:
    try:
        store.put_if(key, gzip.compress(lines, _LEVEL, mtime=0), None)
    except ConflictError:
        if gzip.decompress(store.get(key).data) != lines:
            fact = f"{key} in {store.location} holds other events."
            raise ConflictError(fact, hint="record under another source.") from None
