"""What was recorded of the live flow: which objects landed, their events, and what they lack."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import polars as pl

from lake import keys
from lake.coverage import Coverage
from lake.recorded import notes_of, recorded_lines
from lake.wire import SCHEMA, decode_events

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from lake.event import Kind
    from lake.store import ObjectStore


def recorded(store: ObjectStore) -> dict[dt.date, dict[str, str]]:
    """Return the fingerprints of the objects that landed of each session, by key and in order.

    Notes of what is recorded are among them, of sessions of which events are.
    """
    found: defaultdict[dt.date, dict[str, str]] = defaultdict(dict)
    told: set[dt.date] = set()
    for key, fingerprint in sorted(store.fingerprints(keys.LANDING).items()):
        events, notes = keys.live_place(key), keys.coverage_place(key)
        if place := events or notes:
            found[place[1]][key] = fingerprint
        if events:
            told.add(events[1])
    return {session: found[session] for session in sorted(told)}


def coverage_in(store: ObjectStore, objects: Iterable[str], kind: Kind) -> list[Coverage]:
    """Return which spans of a session events of a kind are recorded of, by each source.

    Args:
        store: The lake.
        objects: Those of the session, by key.
        kind: Of which events.

    Raises:
        DamagedObjectError: If a note cannot be read.
    """
    by_source: defaultdict[str, list[str]] = defaultdict(list)
    for key in objects:
        if place := keys.coverage_place(key):
            by_source[place[0]].append(key)
    return [Coverage(notes_of(store, found), kind) for _, found in sorted(by_source.items())]


def recorded_of(store: ObjectStore, session: dt.date) -> dict[str, str]:
    """Return the fingerprints of the objects that landed of one session, of all sources."""
    return recorded(store).get(session, {})


def read_events(
    store: ObjectStore, objects: Mapping[str, str], symbols: Sequence[str] | None = None
) -> tuple[pl.DataFrame, int]:
    """Return the events of objects in order of receipt, and how many lines tell none.

    Args:
        store: The lake.
        objects: Those of one session, by key.
        symbols: Of these alone, and heartbeats; None: of all.

    Raises:
        DamagedObjectError: If an object is not whole.
    """
    by_source: defaultdict[str, list[pl.DataFrame]] = defaultdict(list)
    unreadable = 0
    places = {place: key for key in objects if (place := keys.live_place(key))}
    for (source, _, _), key in sorted(places.items()):
        events, bad = decode_events(recorded_lines(store, key))
        unreadable += len(bad)
        if symbols is not None:
            events = events.filter(pl.col("symbol").is_in([*symbols, ""]))
        by_source[source].append(events)
    parts = [events for of_source in by_source.values() for events in of_source]
    events = pl.concat([pl.DataFrame(schema=SCHEMA), *parts])
    # One source's are in order; of several, who was told first tells first.
    in_order = events.sort("received", maintain_order=True) if len(by_source) > 1 else events
    return in_order, unreadable
