"""Late statements that a publisher landed, for those who correct what they change."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from lake import keys
from lake.exchange import trading_day
from lake.recorded import read_recorded
from lake.wire import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lake.store import ObjectStore

_DAYS_BACK: Final = 7
_DAY: Final = dt.timedelta(days=1)


class LateLanded:
    """Reads each of them once, the last week's at first.

    Args:
        store: The lake.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._seen: set[str] = set()

    def new(self, now: dt.datetime) -> pl.DataFrame:
        """Return the statements that landed since, schema `EVENTS`.

        Raises:
            StoreError: If the lake cannot be read.
        """
        found = [key for key in self._keys(now) if key not in self._seen]
        events = [read_recorded(self._store, key) for key in found]
        self._seen.update(found)
        return pl.concat([SCHEMA.to_frame(), *events])

    def _keys(self, now: dt.datetime) -> Iterator[str]:
        today = trading_day(now)
        for back in range(_DAYS_BACK):
            yield from self._store.fingerprints(keys.late_events(today - back * _DAY))
