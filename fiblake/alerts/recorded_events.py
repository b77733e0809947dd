"""What was recorded of the live flow, told again as alerts saw it live."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from lake import keys
from lake.exchange import load_sessions
from lake.hours import hours_of
from lake.instant import microseconds
from lake.recorded import recorded, recorded_by_all, recorded_sources
from speed_layer.alerts.event_flow import EventFlow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from lake.alerts.seen import Seen
    from lake.settings import Settings
    from lake.store import ObjectStore
    from serving_layer.alerts.flow import Wanted


class RecordedEvents:
    """Tells recorded events again; implements `serving_layer.alerts.past.Recorded`.

    Args:
        store: The lake.
        settings: Tell which events bars are made of, and how long they take late ones.
    """

    def __init__(self, store: ObjectStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def sessions(self) -> list[dt.date]:
        """Return the sessions of which something is recorded, in order."""
        places = map(keys.live_place, self._store.fingerprints(keys.LANDING))
        return sorted({place[1] for place in places if place})

    def seen(
        self, names: Mapping[dt.date, str], wanted: Wanted
    ) -> Iterator[tuple[dt.date, list[Seen]]]:
        """Yield what was seen of one listing, in order, with the session it was told in.

        Args:
            names: By session, in order: under which symbol the flow told of it.
            wanted: Which bars of it.

        Raises:
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
        for session, name in names.items():
            flow.follow([name])
            final, forming = (
                [(name, str(interval), hours) for interval, hours in of]
                for of in (wanted.final, wanted.forming)
            )
            flow.want(final, forming)
            for events in self._told(session):
                yield session, flow.take(events)

    def _told(self, session: dt.date) -> Iterator[pl.DataFrame]:
        """Yield a session's events; of several sources in the order in which all were received."""
        sources = recorded_sources(self._store, session)
        if len(sources) == 1:
            yield from recorded(self._store, sources[0], session)
        elif sources:
            yield recorded_by_all(self._store, session)
