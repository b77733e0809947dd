"""What was recorded of the live flow, told again as alerts saw it live."""

from __future__ import annotations

import datetime as dt
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

from lake import keys
from lake.errors import InvalidRangeError
from lake.exchange import load_sessions
from lake.hours import hours_of
from lake.instant import microseconds
from lake.recorded import merged_recorded, read_recorded
from speed_layer.alerts.event_flow import EventFlow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from lake.alerts.seen import Seen
    from lake.settings import Settings
    from lake.store import ObjectStore
    from serving_layer.alerts.flow import Wanted

_TOO_MANY: Final = "name a later start, or an earlier end; fiblake alerts dry-run has no limit."


class RecordedEvents:
    """Tells recorded events again; implements `serving_layer.alerts.past.Recorded`.

    Args:
        store: The lake.
        settings: Tell which events bars are made of, and how long they take late ones.
    """

    def __init__(self, store: ObjectStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def objects(self) -> dict[dt.date, list[str]]:
        """Return the keys of what is recorded, by session, in order."""
        places = [place for key in self._store.fingerprints(keys.LANDING) if (place := _place(key))]
        found: dict[dt.date, list[str]] = {}
        for session, _, _, key in sorted(places):
            found.setdefault(session, []).append(key)
        return found

    def seen(
        self,
        names: Mapping[dt.date, str],
        objects: Mapping[dt.date, Sequence[str]],
        wanted: Wanted,
        most: int | None = None,
    ) -> Iterator[tuple[dt.date, list[Seen]]]:
        """Yield what was seen of one listing, in order, with the session it was told in.

        Args:
            names: By session, in order: under which symbol the flow told of it.
            objects: As `objects` tells them.
            wanted: Which bars of it.
            most: How many events, of all symbols, may be read; None: any number.

        Raises:
            InvalidRangeError: If there are more.
            DamagedObjectError: If what was recorded cannot be read.
        """
        table = load_sessions(self._store)
        first = min(names, default=None)
        if first is None:
            return
        flow = EventFlow(
            table,
            kind=self._settings.feed_kind,
            grace=dt.timedelta(seconds=self._settings.alert_grace_seconds),
            begin=microseconds(hours_of(first, table).dawn),
        )
        read = 0
        for session, name in names.items():
            flow.follow([name])
            final, forming = (
                [(name, str(interval), hours) for interval, hours in of]
                for of in (wanted.final, wanted.forming)
            )
            flow.want(final, forming)
            for events in self._told(objects.get(session, ())):
                read += events.height
                if most is not None and read > most:
                    fact = f"From {first} to {max(names)} more than {most:,} events are recorded."
                    raise InvalidRangeError(fact, hint=_TOO_MANY)
                yield session, flow.take(events)

    def _told(self, objects: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield a session's events; of several sources in the order in which all were received."""
        sources = [list(found) for _, found in groupby(objects, key=_source)]
        if len(sources) == 1:
            return map(partial(read_recorded, self._store), sources[0])
        return merged_recorded(self._store, sources)


def _place(key: str) -> tuple[dt.date, str, int, str] | None:
    """Return session, source and number of recorded events, and their key."""
    place = keys.live_place(key)
    return (place[1], place[0], place[2], key) if place else None


def _source(key: str) -> str:
    place = keys.live_place(key)
    assert place is not None  # noqa: S101 - others are not kept
    return place[0]
