"""Firings over HTTP: those of tests too, listed, paged, and what is refused."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from database.notifications import NotificationRow, add_notification
from database.tables import NOTIFICATIONS
from lake.envelope import decode_envelope
from tests.access import Guarded
from tests.alerts import FIRED, Owner, fire

NOW = "2026-01-05T12:00:00Z"


@pytest.mark.parametrize("path", ["", "/firings"])
@pytest.mark.parametrize("cursor", ["nope", "é", "AAAA", "MjAyNi0wMS0wNVQxMjowMDowMFogeA=="])
def test_what_is_no_cursor_is_refused(desk: Owner, path: str, cursor: str) -> None:
    answer = desk.ask("GET", path, params={"cursor": cursor})

    assert (400, "invalid_range") == (answer.status_code, answer.json()["code"])


def test_a_cursor_of_alerts_is_none_of_firings(desk: Owner) -> None:
    made = [desk.created()["alert"] for _ in range(2)]
    for number, alert in enumerate(made):
        fire(desk.server.database, "desk", alert, number + 1)
    of_alerts = desk.ask("GET", "?limit=1").json()["next_cursor"]
    of_firings = desk.ask("GET", "/firings?limit=1").json()["next_cursor"]
    answers = [desk.ask("GET", f"/firings?cursor={of_alerts}")]
    answers += [desk.ask("GET", f"?cursor={of_firings}")]

    assert [400, 400] == [each.status_code for each in answers]
    assert "is the cursor of another question." in answers[0].json()["detail"]


def test_a_test_is_told_where_its_alert_is_muted_or_not(both_guarded: Guarded) -> None:
    desk = Owner(both_guarded, "desk")
    made = desk.created(name="breakout", note="Look.")
    desk.ask("POST", f"/{made['alert']}/mute", json={"until": None})
    sent = desk.ask("POST", f"/{made['alert']}/test")
    told = sent.json()["notification"]
    shown = desk.ask("GET", f"/firings/{told}").json()

    assert (202, True) == (sent.status_code, told.startswith(f"{made['alert']}.test."))
    assert {
        "firing": told,
        "alert": made["alert"],
        "kind": "test",
        "symbol": "AAPL",
        "time": NOW,
        "made": NOW,
        "price": None,
        "text": "A test of an alert on AAPL: nothing happened. Look.",
        "muted": False,
        "deliveries": [
            {
                "destination": "log",
                "state": "waiting",
                "attempts": 0,
                "error": "",
                "due": NOW,
                "done": None,
            }
        ],
    } == shown
    with both_guarded.database.read() as connection:
        body = connection.execute(sa.select(NOTIFICATIONS.c.body)).scalar_one()
    envelope = decode_envelope(body)
    assert (told, "test", ("AAPL",), "breakout") == (
        envelope.id,
        envelope.kind,
        envelope.symbols,
        envelope.title,
    )
    assert told != desk.ask("POST", f"/{made['alert']}/test").json()["notification"]


def test_firings_are_listed_the_latest_first_those_of_deleted_alerts_too(
    both_guarded: Guarded,
) -> None:
    desk, database = Owner(both_guarded, "desk"), both_guarded.database
    gone, kept = desk.created()["alert"], desk.created(symbol="IBM")["alert"]
    minute = dt.timedelta(minutes=1)
    ids = [fire(database, "desk", gone, n, at=FIRED + n // 2 * minute) for n in range(1, 6)]
    ids += [fire(database, "desk", kept, 1, symbol="IBM", at=FIRED + 9 * minute, is_muted=True)]
    desk.ask("DELETE", f"/{gone}")
    latest_first = ids[::-1]

    assert latest_first == desk.fired()
    found, query = [], "?limit=2"
    while query:
        page = desk.ask("GET", f"/firings{query}").json()
        found += [each["firing"] for each in page["firings"]]
        query = page["next_cursor"] and f"?limit=2&cursor={page['next_cursor']}"
    assert latest_first == found
    assert latest_first[1:] == desk.fired(f"?alert={gone}")
    assert [ids[-1]] == desk.fired("?symbol=ibm")
    assert ids[3:5][::-1] + ids[1:3][::-1] == desk.fired(
        f"?alert={gone}&start=2026-01-05T11:31:00Z&end=2026-01-05T11:33:00Z"
    )
    shown = desk.ask("GET", f"/firings/{ids[-1]}").json()
    assert (True, [], 181.0, "IBM 181.00 above 180.00") == tuple(
        shown[name] for name in ("muted", "deliveries", "price", "text")
    )


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("?start=2026-01-05", 400, "'2026-01-05' is not an instant."),
        ("?start=2026-01-06T00:00:00Z&end=2026-01-05T00:00:00Z", 400, "The end 2026-01-05T00"),
        ("?limit=0", 422, "limit='0': Input should be greater than or equal to 1"),
        ("?limit=1001", 422, "limit='1001': Input should be less than or equal to 1000"),
        ("?alert=nope", 404, "'desk' has no alert 'nope'."),
        ("?alert=%00", 404, "'desk' has no alert '\\x00'."),
        ("/%00", 404, "'desk' has no firing '\\x00'."),
        ("/al_5f0c9b2e7d31.1.1", 404, "'desk' has no firing 'al_5f0c9b2e7d31.1.1'."),
    ],
)
def test_firings_that_cannot_be_are_refused(
    desk: Owner, query: str, status: int, said: str
) -> None:
    answer = desk.ask("GET", f"/firings{query}")

    assert status == answer.status_code
    assert answer.json()["detail"].startswith(said), answer.text


def test_news_are_nobody_s_firings(desk: Owner) -> None:
    row = NotificationRow("news.1", "news", "", None, None, FIRED, FIRED, is_muted=False, body="{}")
    with desk.server.database.write() as connection:
        add_notification(connection, row, ("log",))

    assert [] == desk.fired()
    assert 404 == desk.ask("GET", "/firings/news.1").status_code
