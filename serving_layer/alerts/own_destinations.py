"""An owner's destinations: listed, put and removed; what they are signed with is never told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from database.destinations import (
    destinations_of,
    put_destination,
    remove_destination,
)
from lake.addresses import parse_networks
from lake.alerts.destination import check_destination
from lake.errors import UnknownDestinationError
from serving_layer.alerts.answers import Destination, DestinationsAnswer

if TYPE_CHECKING:
    from database import Database
    from database.destinations import Destination as Row
    from lake.clock import Clock
    from lake.settings import Settings
    from serving_layer.alerts.whose import Whose


class OwnDestinations:
    """Where one owner's alerts can be told; many threads may use it.

    Args:
        database: Which keeps them, and is prepared.
        whose: The owner, and who asks.
        settings: How many one may have, and in which networks they may be.
        clock: Tells the present.

    Each method raises a `DatabaseError` if the database does not answer.
    """

    def __init__(self, database: Database, whose: Whose, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._owner = whose.owner
        self._actor = whose.actor
        self._settings = settings
        self._clock = clock

    def listed(self) -> DestinationsAnswer:
        """Return all: those that everybody has first, then the owner's webhooks by name."""
        with self._database.read() as connection:
            rows = destinations_of(connection, self._owner)
        everybodys = [Destination("log", "log", None, None)]
        if self._settings.sns_alerts:
            everybodys.append(Destination("sns", "sns", None, None))
        return DestinationsAnswer([*everybodys, *map(_webhook, rows)])

    def put(self, name: str, url: str, secret: str) -> Destination:
        """Add a webhook, or give the one of that name another URL and secret.

        Raises:
            InvalidDestinationError: If it cannot be one, or the owner has as many as one may have.
        """
        new = check_destination(name, url, secret, parse_networks(self._settings.webhook_allow))
        with self._database.write() as connection:
            put = put_destination(
                connection,
                self._owner,
                new,
                actor=self._actor,
                at=self._clock.now(),
                most=self._settings.destinations_per_owner,
            )
        return _webhook(put)

    def remove(self, name: str) -> None:
        """Remove a webhook.

        Raises:
            UnknownDestinationError: If the owner has none of that name.
            InvalidDestinationError: If an alert of the owner's is told there.
        """
        if not name.isprintable():  # not every text may be asked of a database
            fact = f"{self._owner!r} has no destination {name!r:.80}."
            raise UnknownDestinationError(fact, hint="GET /v1/alerts/destinations lists them.")
        with self._database.write() as connection:
            remove_destination(
                connection, self._owner, name, actor=self._actor, at=self._clock.now()
            )


def _webhook(row: Row) -> Destination:
    return Destination(row.name, "webhook", row.url, row.created)
