"""Queries that forget what was told long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from database.tables import DELIVERIES, NOTIFICATIONS

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy import Connection

_AT_A_TIME: Final = 500


def forget_notifications(connection: Connection, before: dt.datetime) -> int:
    """Forget some notifications made before an instant, and how they went; return how many.

    One that still waits, or was delivered or given up on later, stays. It may leave some for the
    next call: fewer than were asked for at once tell that none is left.
    """
    still = sa.exists().where(
        DELIVERIES.c.notification == NOTIFICATIONS.c.notification,
        (DELIVERIES.c.state == "waiting") | (DELIVERIES.c.done >= before),
    )
    old = (
        sa.select(NOTIFICATIONS.c.notification)
        .where(NOTIFICATIONS.c.made < before, ~still)
        .limit(_AT_A_TIME)
    )
    found = list(connection.scalars(old))
    for table in (DELIVERIES, NOTIFICATIONS):
        connection.execute(sa.delete(table).where(table.c.notification.in_(found)))
    return len(found)
