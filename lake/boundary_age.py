"""How many settled sessions batch has yet to commit, for whoever watches that it does."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from lake import metrics
from lake.boundary import read_boundary
from lake.errors import DamagedObjectError
from lake.exchange import load_sessions
from lake.measuring import Measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lake.clock import Clock
    from lake.session import SessionTable
    from lake.settings import Settings
    from lake.store import ObjectStore


def boundary_ages(
    store: ObjectStore, settings: Settings, clock: Clock, table: SessionTable | None = None
) -> Iterator[Measured]:
    """Yield how many settled sessions of days, and of minutes, are not committed.

    Nothing of what batch has never committed: a lake may have no minutes.

    Args:
        store: The lake.
        settings: Tell when a session is settled.
        clock: Tells the present.
        table: The sessions; None: they are read.

    Raises:
        EmptyLakeError: If the lake has no sessions yet.
        StoreError: If it cannot be read.
    """
    try:
        boundary = read_boundary(store)
    except DamagedObjectError:
        return  # the next run of the resampler makes it anew
    table, now = table or load_sessions(store), clock.now()
    for kind, committed in (("daily", boundary.daily), ("minute", boundary.minute)):
        if committed is not None:
            behind = sessions_behind(committed, table, settings, now)
            yield Measured(metrics.BOUNDARY_AGE, behind, (kind,))


def sessions_behind(
    committed: dt.date, table: SessionTable, settings: Settings, now: dt.datetime
) -> int:
    """Return how many sessions after the last one that is committed have settled."""
    settled = table.last_closed(now - dt.timedelta(minutes=settings.settling_minutes))
    return 0 if settled is None else max(len(table.ordinals(committed, settled)) - 1, 0)
