"""Recorded events: objects of landing, numbered in the order in which they were received."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import polars as pl

from lake import keys
from lake.errors import DamagedObjectError
from lake.wire import SCHEMA, decode_events

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from lake.store import ObjectStore


def recorded_keys(store: ObjectStore, source: str, session: dt.date) -> list[str]:
    """Return the keys of what was recorded of a session, in order."""
    return sorted(store.fingerprints(keys.live_events(source, session)))


def recorded(store: ObjectStore, source: str, session: dt.date) -> Iterator[pl.DataFrame]:
    """Yield the events that were recorded of a session, in order of receipt, schema `EVENTS`.

    Raises:
        DamagedObjectError: If an object cannot be read.
    """
    for key in recorded_keys(store, source, session):
        yield read_recorded(store, key)


def read_recorded(store: ObjectStore, key: str) -> pl.DataFrame:
    """Return the events of one object, in order of receipt, schema `EVENTS`.

    Raises:
        DamagedObjectError: If it cannot be read, or holds a line that is no event.
    """
    try:
        lines = gzip.decompress(store.get(key).data).splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(store, key, str(error)) from error
    events, poison = decode_events(lines)
    if poison:
        raise _damaged(store, key, f"{poison[0][:80]!r} is no event")
    return events


def all_recorded(store: ObjectStore, source: str, session: dt.date) -> pl.DataFrame:
    """Return all events that were recorded of a session, in order of receipt, schema `EVENTS`."""
    return pl.concat([pl.DataFrame(schema=SCHEMA), *recorded(store, source, session)])


def _damaged(store: ObjectStore, key: str, why: str) -> DamagedObjectError:
    fact = f"{key} in {store.location} is damaged: {why}."
    return DamagedObjectError(fact, hint="restore it from a copy.")
