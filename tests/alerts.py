"""Alerts for tests: rules, and what a service would have written of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from database import Database
from database.notifications import NotificationRow, add_notification
from database.tables import ALERT_STATES
from lake.envelope import Envelope, encode_envelope
from tests.access import Guarded

FIRED = dt.datetime(2026, 1, 5, 11, 30, tzinfo=dt.UTC)


class Owner:
    """Who asks, with a key of an owner."""

    def __init__(self, server: Guarded, owner: str) -> None:
        self.server, self.owner = server, owner
        self.made = server.key("alerts", owner=owner)

    def ask(self, method: str, path: str = "", **others: Any) -> httpx.Response:
        return self.server.request(method, f"/v1/alerts{path}", self.made.secret, **others)

    def created(self, **changed: Any) -> dict[str, Any]:
        answer = self.ask("POST", json=rule(**changed))
        assert 201 == answer.status_code, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def listed(self, query: str = "") -> list[str]:
        return [each["alert"] for each in self.ask("GET", query).json()["alerts"]]

    def fired(self, query: str = "") -> list[str]:
        firings = self.ask("GET", f"/firings{query}").json()["firings"]
        return [each["firing"] for each in firings]


@pytest.fixture
def desk(guarded: Guarded) -> Owner:
    """An owner of an app that asks for keys, with a database in a file."""
    return Owner(guarded, "desk")


def rule(**changed: Any) -> dict[str, Any]:
    """Return a rule on AAPL, with what is changed of it."""
    price = {"kind": "price", "relation": "above", "level": 180}
    return {"symbol": "AAPL", "when": price, **changed}


def progressed(
    database: Database,
    alert: str,
    revision: int = 1,
    *,
    fired: int = 0,
    is_done: bool = False,
) -> None:
    """Let an alert be so far, at a revision."""
    values = {
        "alert": alert,
        "revision": revision,
        "state": "{}",
        "fired": fired,
        "last_fired": FIRED if fired else None,
        "is_done": is_done,
    }
    with database.write() as connection:
        connection.execute(sa.delete(ALERT_STATES).where(ALERT_STATES.c.alert == alert))
        connection.execute(sa.insert(ALERT_STATES).values(values))


def fire(
    database: Database,
    owner: str,
    alert: str,
    number: int = 1,
    *,
    symbol: str = "AAPL",
    at: dt.datetime = FIRED,
    is_muted: bool = False,
    deliver: tuple[str, ...] = ("log",),
) -> str:
    """Let an alert have fired; return the firing's id."""
    firing = f"{alert}.1.{number}"
    text = f"{symbol} {180 + number}.00 above 180.00"
    data = {"alert": alert, "revision": 1, "number": number, "price": 180.0 + number}
    body = encode_envelope(Envelope(firing, "alert", at, (symbol,), symbol, text, data)).decode()
    row = NotificationRow(
        firing, "alert", owner, alert, symbol, at, at, is_muted=is_muted, body=body
    )
    with database.write() as connection:
        assert add_notification(connection, row, deliver)
    return firing
