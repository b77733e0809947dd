"""Recorded events, read back from landing, in the order in which they were received."""

from __future__ import annotations

import gzip
import zlib
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl
import structlog

from lake import keys
from lake.coverage import Coverage, parse_span
from lake.errors import DamagedObjectError, NotFoundError
from lake.wire import SCHEMA, decode_events

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from lake.coverage import Span
    from lake.event import Kind
    from lake.store import ObjectStore

_DAYS_SHOWN: Final = 5
_KEY: Final = "came"
"""The order of receipt."""
_NEVER: Final = 2**63 - 1
_log = structlog.get_logger(__name__)


def recorded_keys(store: ObjectStore, source: str, session: dt.date) -> list[str]:
    """Return the keys of what a source told of a session, in order of receipt."""
    found = store.fingerprints(keys.live_events(source, session))
    places = {key: place for key in found if (place := keys.live_place(key))}
    return sorted(places, key=lambda key: places[key][2])


def recorded_sessions(store: ObjectStore, source: str) -> list[dt.date]:
    """Return the sessions of which a source's events are recorded, in order."""
    found = store.fingerprints(keys.landing(source, "live"))
    return sorted({place[1] for key in found if (place := keys.live_place(key))})


def recorded_sources(store: ObjectStore, session: dt.date) -> list[str]:
    """Return the sources whose events of a session are recorded, in order."""
    found = store.fingerprints(keys.LANDING)
    places = [place for key in found if (place := keys.live_place(key))]
    return sorted({source for source, day, _ in places if day == session})


def only_source(store: ObjectStore, session: dt.date) -> str:
    """Return the one source whose events of a session are recorded.

    Raises:
        NotFoundError: If there is none, or more than one.
    """
    found = recorded_sources(store, session)
    if len(found) == 1:
        return found[0]
    if not found:
        fact = f"No events of {session} are recorded in {store.location}."
        raise NotFoundError(fact, hint=_recorded_hint(store))
    fact = f"Events of {session} are recorded of {len(found)} sources: {', '.join(found)}."
    raise NotFoundError(fact, hint=f"name one, as replay:{found[0]}/{session}.")


def _recorded_hint(store: ObjectStore) -> str:
    places = map(keys.live_place, store.fingerprints(keys.LANDING))
    days = sorted({str(place[1]) for place in places if place})
    if not days:
        return "fiblake up --feed massive records a day; replay:sample needs none."
    more = f"{len(days) - _DAYS_SHOWN} before, " if len(days) > _DAYS_SHOWN else ""
    return f"these are recorded: {more}{', '.join(days[-_DAYS_SHOWN:])}."


def recorded(store: ObjectStore, source: str, session: dt.date) -> Iterator[pl.DataFrame]:
    """Yield what a source told of a session, `lake.wire.SCHEMA`, an object at a time, in order.

    Raises:
        DamagedObjectError: If an object is not gzip.
    """
    for key in recorded_keys(store, source, session):
        yield read_recorded(store, key)


def merged_recorded(store: ObjectStore, sources: Iterable[Sequence[str]]) -> Iterator[pl.DataFrame]:
    """Yield what several sources told, in order of receipt, a part at a time.

    Of each source an object at a time is held; within a source the order is that of its record.

    Args:
        store: The lake.
        sources: The keys of each one's objects, in order.

    Raises:
        DamagedObjectError: If an object is not gzip.
    """
    waiting = [_Waiting(map(partial(read_recorded, store), found)) for found in sources]
    while waiting := [each for each in waiting if each.fill()]:
        # Before the earliest of these nothing comes any more.
        until = min(each.last for each in waiting)
        told = pl.concat([each.before(until) for each in waiting])
        if told.height:
            yield told.sort(_KEY, maintain_order=True).drop(_KEY)
        for each in waiting:
            each.is_behind = each.last <= until


class _Waiting:
    """What a source told that others may have told something before."""

    def __init__(self, objects: Iterator[pl.DataFrame]) -> None:
        self._objects = objects
        self._events = pl.DataFrame(schema={**SCHEMA, _KEY: pl.Int64})
        self.last = 0
        self.is_behind = True

    def fill(self) -> bool:
        """Have more, where all that came may be told; return whether there is anything yet."""
        while self.is_behind:
            more = next(self._objects, None)
            if more is None:
                self.last, self.is_behind = _NEVER, False
            elif more.height:
                # Where its clock was set back, what came later still is later.
                received = pl.col("received").cum_max().clip(self.last)
                more = more.with_columns(received.alias(_KEY))
                self._events = pl.concat([self._events, more])
                self.last, self.is_behind = more[_KEY][-1], False
        return self._events.height > 0

    def before(self, until: int) -> pl.DataFrame:
        """Take what was received before an instant."""
        place = self._events[_KEY].search_sorted(until)
        told, self._events = self._events[:place], self._events[place:]
        return told


def read_recorded(store: ObjectStore, key: str) -> pl.DataFrame:
    """Return the events of one object, in order; lines that are none are told in the log.

    Raises:
        DamagedObjectError: If it is not gzip.
    """
    events, poison = decode_events(recorded_lines(store, key))
    if poison:
        _log.error("recorded lines are no events", key=key, lines=len(poison))
    return events


def recorded_lines(store: ObjectStore, key: str) -> list[bytes]:
    """Return the lines of one object, whether they tell events or not.

    Raises:
        DamagedObjectError: If it is not gzip.
    """
    try:
        return gzip.decompress(store.get(key).data).splitlines()
    except (OSError, EOFError, zlib.error):
        fact = f"{key} in {store.location} is damaged: it is not gzip."
        raise DamagedObjectError(fact, hint="restore it from a copy.") from None


def coverage_of(store: ObjectStore, source: str, session: dt.date, kind: Kind) -> Coverage:
    """Return which spans of a session a source's events of a kind are recorded of.

    Raises:
        DamagedObjectError: If a note cannot be read.
    """
    found = store.fingerprints(keys.coverage_notes(source, session))
    return Coverage(notes_of(store, found), kind)


def notes_of(store: ObjectStore, found: Iterable[str]) -> Iterator[Span]:
    """Yield the notes of one source's coverage of a session, in order; other keys are passed over.

    Raises:
        DamagedObjectError: If one cannot be read.
    """
    places = {key: place for key in found if (place := keys.coverage_place(key))}
    for key in sorted(places, key=lambda key: places[key][2]):
        for line in recorded_lines(store, key):
            try:
                yield parse_span(line)
            except ValueError:
                fact = f"{key} in {store.location} is damaged: a line is no note."
                raise DamagedObjectError(fact, hint="restore it from a copy.") from None


def all_recorded(
    store: ObjectStore, source: str, session: dt.date, symbols: Collection[str] | None = None
) -> pl.DataFrame:
    """Return all that a source told of a session, in order of receipt.

    Args:
        store: The lake.
        source: As `massive`.
        session: Which session.
        symbols: Of whom; None: of all.

    Raises:
        DamagedObjectError: If an object is not gzip.
    """
    told = recorded(store, source, session)
    if symbols is not None:
        is_asked = pl.col("symbol").is_in(list(symbols))
        told = (events.filter(is_asked) for events in told)
    return pl.concat([pl.DataFrame(schema=SCHEMA), *told])


def recorded_by_all(
    store: ObjectStore, session: dt.date, symbols: Collection[str] | None = None
) -> pl.DataFrame:
    """Return all that all sources told of a session, and of some symbols, in order of receipt.

    Raises:
        DamagedObjectError: If an object is not gzip.
    """
    sources = recorded_sources(store, session)
    told = [all_recorded(store, source, session, symbols) for source in sources]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *told]).sort("received", maintain_order=True)
