"""Queries on what is to be told: notifications, and the outbox of their deliveries."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's field
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import insert  # SQLite has the same words for it

from database.tables import DELIVERIES, NOTIFICATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """A notification, as it is stored.

    Attributes:
        notification: Its id.
        kind: As `lake.envelope.EnvelopeKind`.
        owner: Whose; empty: the operator's, as of news.
        alert: Of which alert; None: of none.
        symbol: Of which symbol; None: of none, or more than one.
        at: When it happened, by the flow's time.
        made: When it was put here.
        is_muted: Whether it is told to nobody.
        body: Its envelope, JSON.
    """

    notification: str
    kind: str
    owner: str
    alert: str | None
    symbol: str | None
    at: dt.datetime
    made: dt.datetime
    is_muted: bool
    body: str


def add_notification(
    connection: Connection, row: NotificationRow, destinations: Sequence[str]
) -> bool:
    """Add a notification, and a delivery to each destination that is due now; whether it was new.

    One that is there already stays as it is, and so do its deliveries.
    """
    added = insert(NOTIFICATIONS).values(asdict(row)).on_conflict_do_nothing()
    # What it returns tells: not every driver counts the rows of an insert.
    if connection.execute(added.returning(NOTIFICATIONS.c.notification)).first() is None:
        return False
    rows = [_waiting(row, each) for each in destinations] if not row.is_muted else []
    if rows:
        connection.execute(insert(DELIVERIES), rows)
    return True


def add_notifications(
    connection: Connection, told: Sequence[tuple[NotificationRow, Sequence[str]]]
) -> None:
    """Add many, each with the destinations that it is told to, as `add_notification` does one."""
    rows = [asdict(row) for row, _ in told]
    waiting = [_waiting(row, each) for row, named in told if not row.is_muted for each in named]
    for table, some in ((NOTIFICATIONS, rows), (DELIVERIES, waiting)):
        if some:
            connection.execute(insert(table).on_conflict_do_nothing(), some)


def _waiting(row: NotificationRow, destination: str) -> dict[str, object]:
    return {
        "notification": row.notification,
        "destination": destination,
        "owner": row.owner,
        "state": "waiting",
        "attempts": 0,
        "due": row.made,
        "claimed_by": None,
        "error": "",
        "done": None,
    }
