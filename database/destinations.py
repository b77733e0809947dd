"""Queries on destinations: the webhooks that an owner's alerts can be told to.

The owner is a part of each: nobody finds, changes or removes what is someone else's; but of
`all_destinations`, which is for whoever runs the server. Secrets go in, and out to whoever delivers
(`database.outbox`), but never to whoever asks here.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's field
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import sqlalchemy as sa

from database.alert_rules import hold_owner
from database.audit import Entry, note
from database.tables import ALERT_RULES, DESTINATIONS
from lake.errors import InvalidDestinationError, UnknownDestinationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from database.audit import Actor
    from lake.alerts.destination import NewDestination

_SHOWN = (DESTINATIONS.c.owner, DESTINATIONS.c.name, DESTINATIONS.c.url, DESTINATIONS.c.created)


@dataclass(frozen=True, slots=True)
class Destination:
    """A webhook, as it may be shown.

    Attributes:
        owner: Whose.
        name: By which rules name it.
        url: Where it is told.
        created: When it was added, or replaced.
    """

    owner: str
    name: str
    url: str
    created: dt.datetime


def put_destination(  # noqa: PLR0913 - what it is, whose, and who says so when
    connection: Connection,
    owner: str,
    new: NewDestination,
    *,
    actor: Actor,
    at: dt.datetime,
    most: int,
) -> Destination:
    """Add a destination, or replace the owner's of that name, its secret included.

    Raises:
        InvalidDestinationError: If the owner has `most` of them already.
    """
    hold_owner(connection, owner)
    made = Destination(owner, new.name, new.url, at)
    values = {"url": new.url, "secret": new.secret, "created": at}
    replaced = sa.update(DESTINATIONS).where(_named(owner, new.name)).values(values)
    action = "destination replaced"
    if connection.execute(replaced).rowcount != 1:
        _refuse_more(connection, owner, most)
        row = {"owner": owner, "name": new.name, **values}
        connection.execute(sa.insert(DESTINATIONS).values(row))
        action = "destination added"
    # Of the URL, the host: what follows it may be what lets others in.
    detail = f"of {owner}, at {urlsplit(new.url).hostname}"
    note(connection, Entry(at, actor.name, actor.address, action, new.name, detail))
    return made


def find_destination(connection: Connection, owner: str, name: str) -> Destination:
    """Return the owner's destination of that name.

    Raises:
        UnknownDestinationError: If there is none.
    """
    found = connection.execute(sa.select(*_SHOWN).where(_named(owner, name))).first()
    if found is None:
        raise _unknown(owner, name)
    return Destination(*found)


def destinations_of(connection: Connection, owner: str) -> list[Destination]:
    """Return an owner's destinations, by name."""
    of_owner = DESTINATIONS.c.owner == owner
    asked = sa.select(*_SHOWN).where(of_owner).order_by(DESTINATIONS.c.name)
    return [Destination(*row) for row in connection.execute(asked)]


def all_destinations(connection: Connection) -> list[Destination]:
    """Return the destinations of all owners, by owner and name."""
    asked = sa.select(*_SHOWN).order_by(DESTINATIONS.c.owner, DESTINATIONS.c.name)
    return [Destination(*row) for row in connection.execute(asked)]


def names_of(connection: Connection, owner: str) -> frozenset[str]:
    """Return the names of an owner's destinations."""
    return frozenset(each.name for each in destinations_of(connection, owner))


def remove_destination(
    connection: Connection, owner: str, name: str, *, actor: Actor, at: dt.datetime
) -> None:
    """Remove an owner's destination; what still waits for it will be dead.

    Raises:
        UnknownDestinationError: If there is none of that name.
        InvalidDestinationError: If an alert of the owner's is told to it.
    """
    hold_owner(connection, owner)  # no rule that names it may come to be meanwhile
    found = find_destination(connection, owner, name)
    told = _told_to(connection, owner, name)
    if told:
        fact = f"{name!r} cannot be removed: {len(told)} alerts are told to it, as {told[0]}."
        raise InvalidDestinationError(fact, hint="delete them, or change what they deliver to.")
    connection.execute(sa.delete(DESTINATIONS).where(_named(owner, name)))
    detail = f"of {owner}, at {urlsplit(found.url).hostname}"
    entry = Entry(at, actor.name, actor.address, "destination removed", name, detail)
    note(connection, entry)


def _named(owner: str, name: str) -> sa.ColumnElement[bool]:
    return (DESTINATIONS.c.owner == owner) & (DESTINATIONS.c.name == name)


def _refuse_more(connection: Connection, owner: str, most: int) -> None:
    count = sa.select(sa.func.count()).where(DESTINATIONS.c.owner == owner)
    if (connection.scalar(count) or 0) >= most:
        fact = f"{owner!r} has {most} destinations, and may have no more."
        raise InvalidDestinationError(
            fact, hint="remove one, or set FIBLAKE_DESTINATIONS_PER_OWNER."
        )


def _told_to(connection: Connection, owner: str, name: str) -> list[str]:
    """Return which alerts of an owner's are told to a destination."""
    standing = (ALERT_RULES.c.owner == owner) & ALERT_RULES.c.deleted.is_(None)
    asked = sa.select(ALERT_RULES.c.alert, ALERT_RULES.c.definition).where(standing)
    rows = connection.execute(asked.order_by(ALERT_RULES.c.alert))
    return [alert for alert, rule in rows if name in json.loads(rule).get("deliver", ())]


def _unknown(owner: str, name: str) -> UnknownDestinationError:
    fact = f"{owner!r} has no destination {name!r}."
    return UnknownDestinationError(fact, hint="fiblake alerts destinations list.")
