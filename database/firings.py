"""Queries on what was told to owners: the firings of their alerts, and tests of them.

Each one asks for one owner's, and no other's.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's fields
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from database.notifications import NotificationRow
from database.tables import NOTIFICATIONS

if TYPE_CHECKING:
    from sqlalchemy import Connection

_KINDS: Final = ("alert", "test")
_COLUMNS: Final = [NOTIFICATIONS.c[name] for name in NotificationRow.__dataclass_fields__]


@dataclass(frozen=True, slots=True)
class FiringsAsked:
    """Which firings are asked for.

    Attributes:
        alert: Of this alert alone; None: of all.
        symbol: Of this symbol alone; None: of all.
        start: Those that happened no sooner; None: whenever.
        end: Those that happened before; None: whenever.
        after: Only those behind this (made, id), in the order of the answer.
        limit: At most so many.
    """

    alert: str | None = None
    symbol: str | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    after: tuple[dt.datetime, str] | None = None
    limit: int = 100


def list_firings(connection: Connection, owner: str, asked: FiringsAsked) -> list[NotificationRow]:
    """Return an owner's firings, those that were put down last first: of deleted alerts too."""
    made, number = NOTIFICATIONS.c.made, NOTIFICATIONS.c.notification
    query = _asked(owner).order_by(made.desc(), number.desc()).limit(asked.limit)
    if asked.alert is not None:
        query = query.where(NOTIFICATIONS.c.alert == asked.alert)
    if asked.symbol is not None:
        query = query.where(NOTIFICATIONS.c.symbol == asked.symbol)
    if asked.start is not None:
        query = query.where(NOTIFICATIONS.c.at >= asked.start)
    if asked.end is not None:
        query = query.where(NOTIFICATIONS.c.at < asked.end)
    if asked.after is not None:
        at, notification = asked.after
        query = query.where((made < at) | ((made == at) & (number < notification)))
    return [NotificationRow(*row) for row in connection.execute(query)]


def find_firing(connection: Connection, owner: str, firing: str) -> NotificationRow | None:
    """Return an owner's firing of an id, if there is one."""
    asked = _asked(owner).where(NOTIFICATIONS.c.notification == firing)
    found = connection.execute(asked).first()
    return NotificationRow(*found) if found else None


def _asked(owner: str) -> sa.Select[tuple[Any, ...]]:
    of_owner = (NOTIFICATIONS.c.owner == owner) & NOTIFICATIONS.c.kind.in_(_KINDS)
    return sa.select(*_COLUMNS).where(of_owner)
