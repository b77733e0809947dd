"""What is in an outbox: notifications to deliver, and destinations to deliver them to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from database import Database
from database.audit import Actor
from database.deliveries import Delivery, deliveries_of
from database.destinations import put_destination
from database.notifications import NotificationRow, add_notification
from lake.alerts.destination import NewDestination
from lake.envelope import Envelope, EnvelopeKind, encode_envelope
from tests.receiving import SECRET

NOW = dt.datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=dt.UTC)
ACTOR = Actor("command:test", "host")
ME = "me"


def notify(
    database: Database,
    *ids: str,
    to: Sequence[str] = ("hook",),
    owner: str = ME,
    kind: EnvelopeKind = "alert",
    made: dt.datetime = NOW,
    symbols: Sequence[str] = ("AAPL",),
    is_muted: bool = False,
) -> None:
    """Put notifications into the outbox, due when they are made."""
    with database.write() as connection:
        for each in ids:
            text = f"{each} ünïcode\nof two lines"
            envelope = Envelope(each, kind, made, tuple(symbols), "title", text, {"price": 182.1})
            body = encode_envelope(envelope).decode()
            alert = each.split(".")[0] if kind == "alert" else None
            row = NotificationRow(each, kind, owner, alert, None, made, made, is_muted, body)
            assert add_notification(connection, row, to)


def add_destination(
    database: Database, url: str, *, name: str = "hook", owner: str = ME, secret: str = SECRET
) -> None:
    """Let an owner have a destination."""
    new = NewDestination(name, url, secret)
    with database.write() as connection:
        put_destination(connection, owner, new, actor=ACTOR, at=NOW, most=1000)


def deliveries(database: Database, notification: str) -> dict[str, Delivery]:
    """Return how a notification went, by destination."""
    with database.read() as connection:
        found = deliveries_of(connection, [notification])[notification]
    return {each.destination: each for each in found}


def states(database: Database, *notifications: str) -> list[str]:
    """Return the states of all their deliveries, in order."""
    with database.read() as connection:
        found = deliveries_of(connection, notifications)
    return [each.state for told in found.values() for each in told]
