"""Queries on the outbox for its owners: how deliveries went, and that they are to be made again.

Whoever delivers asks `database.outbox`.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's field
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import sqlalchemy as sa

from database.audit import Entry, note
from database.tables import DELIVERIES, NOTIFICATIONS
from lake.errors import MisuseError, UnknownAlertError, UnknownDestinationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from database.audit import Actor

State = Literal["waiting", "delivered", "dead"]
STATES: Final[tuple[State, ...]] = get_args(State)
_ASKED_AT_ONCE: Final = 5_000
"""Ids in one question: SQLite takes 32,766 values, PostgreSQL 65,535."""
_SHOWN: Final = (
    DELIVERIES.c.notification,
    DELIVERIES.c.destination,
    DELIVERIES.c.state,
    DELIVERIES.c.attempts,
    DELIVERIES.c.error,
    DELIVERIES.c.due,
    DELIVERIES.c.done,
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far one notification is on its way to one destination.

    Attributes:
        notification: Which.
        destination: Where to.
        state: `waiting` for its next attempt, `delivered`, or `dead`: given up on.
        attempts: How many were made.
        error: What became of the last, if it failed; else empty.
        due: When the next may begin; None: there is none.
        done: When it was delivered or given up on; None: it was not.
    """

    notification: str
    destination: str
    state: State
    attempts: int
    error: str
    due: dt.datetime | None
    done: dt.datetime | None


def deliveries_of(
    connection: Connection, notifications: Sequence[str]
) -> dict[str, list[Delivery]]:
    """Return the deliveries of each of some notifications, by destination's name."""
    found: dict[str, list[Delivery]] = {each: [] for each in notifications}
    ids = list(found)
    for first in range(0, len(ids), _ASKED_AT_ONCE):
        asked = (
            sa.select(*_SHOWN)
            .where(DELIVERIES.c.notification.in_(ids[first : first + _ASKED_AT_ONCE]))
            .order_by(DELIVERIES.c.notification, DELIVERIES.c.destination)
        )
        for row in connection.execute(asked):
            found[row.notification].append(Delivery(*row))
    return found


def latest_deliveries(
    connection: Connection, owner: str | None, state: State | None, limit: int
) -> list[Delivery]:
    """Return up to `limit` deliveries, the latest notification first.

    Args:
        connection: Of the database.
        owner: Whose; None: everybody's.
        state: In which state; None: in any.
        limit: How many.
    """
    asked = sa.select(*_SHOWN).join(
        NOTIFICATIONS, NOTIFICATIONS.c.notification == DELIVERIES.c.notification
    )
    if owner is not None:
        asked = asked.where(DELIVERIES.c.owner == owner)
    if state is not None:
        asked = asked.where(DELIVERIES.c.state == state)
    ordered = asked.order_by(
        NOTIFICATIONS.c.made.desc(), DELIVERIES.c.notification, DELIVERIES.c.destination
    )
    return [Delivery(*row) for row in connection.execute(ordered.limit(limit))]


def undelivered(connection: Connection) -> tuple[int, int]:
    """Return how many deliveries wait, and how many were given up on."""
    # Those that were made are many, and are not looked at.
    asked = sa.select(sa.func.count()).select_from(DELIVERIES)
    waiting, dead = (
        connection.execute(asked.where(DELIVERIES.c.state == state)).scalar_one()
        for state in ("waiting", "dead")
    )
    return waiting, dead


def redeliver(  # noqa: PLR0913 - what, whose, and who says so when
    connection: Connection,
    owner: str,
    notification: str,
    destination: str | None,
    *,
    actor: Actor,
    at: dt.datetime,
) -> int:
    """Let a notification be delivered once more, by the same id; return to how many destinations.

    One that is being delivered at this moment goes on as it does, and is not among them.

    Args:
        connection: That writes.
        owner: Whose notification.
        notification: Which.
        destination: Where to; None: wherever it was.
        actor: Who says so.
        at: When; they are due then.

    Raises:
        UnknownAlertError: If the owner has no such notification.
        UnknownDestinationError: If it is not one that is told there.
        MisuseError: If it was muted, and so is told nowhere.
    """
    _check_told(connection, owner, notification, destination)
    of_these = DELIVERIES.c.notification == notification
    if destination is not None:
        of_these &= DELIVERIES.c.destination == destination
    is_left = DELIVERIES.c.claimed_by.is_(None) | (DELIVERIES.c.due <= at)
    again = {"state": "waiting", "attempts": 0, "due": at, "claimed_by": None, "done": None}
    done = connection.execute(sa.update(DELIVERIES).where(of_these & is_left).values(again))
    detail = f"of {owner}, to {destination or 'all its destinations'}"
    entry = Entry(at, actor.name, actor.address, "redelivery", notification, detail)
    note(connection, entry)
    return done.rowcount


def _check_told(
    connection: Connection, owner: str, notification: str, destination: str | None
) -> None:
    theirs = (NOTIFICATIONS.c.notification == notification) & (NOTIFICATIONS.c.owner == owner)
    # Not every text may be asked of a database.
    is_one = notification.isprintable()
    asked = sa.select(NOTIFICATIONS.c.is_muted).where(theirs)
    is_muted = connection.scalar(asked) if is_one else None
    if is_muted is None:
        fact = f"{owner!r} has no firing {notification!r:.80}."
        raise UnknownAlertError(fact, hint="fiblake alerts firings, or deliveries.")
    told = [each.destination for each in deliveries_of(connection, [notification])[notification]]
    if not told:
        fact = (
            f"{notification} is told nowhere: {'its alert was muted' if is_muted else 'so it is'}."
        )
        raise MisuseError(fact)
    if destination is not None and destination not in told:
        fact = f"{notification} is not told to {destination!r}. Allowed: {', '.join(told)}."
        raise UnknownDestinationError(fact)
