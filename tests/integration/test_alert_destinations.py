"""Where alerts can be told, over HTTP; and what is told again."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from database.tables import DELIVERIES, DESTINATIONS
from tests.access import Guarded, MakeGuarded
from tests.alerts import Owner, fire, rule

NOW = "2026-01-05T12:00:00Z"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the test's own
HOOK = {"url": "https://example.com/alerts?token=t", "secret": SECRET}
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
LOG = {"name": "log", "kind": "log", "url": None, "created": None}


def test_a_webhook_is_put_listed_told_to_and_removed(both_guarded: Guarded) -> None:
    desk, floor = Owner(both_guarded, "desk"), Owner(both_guarded, "floor")
    hook = {"name": "pager", "kind": "webhook", "url": HOOK["url"], "created": NOW}
    put = desk.ask("PUT", "/destinations/pager", json=HOOK)
    floors = floor.ask("PUT", "/destinations/pager", json={**HOOK, "url": "https://floor.test/"})

    assert (200, hook, 200) == (put.status_code, put.json(), floors.status_code)
    assert {"destinations": [LOG, hook]} == desk.ask("GET", "/destinations").json()
    made = desk.created(deliver=["log", "pager"])["alert"]
    told = desk.ask("POST", f"/{made}/test").json()["notification"]
    deliveries = desk.ask("GET", f"/firings/{told}").json()["deliveries"]
    assert ["log", "pager"] == [each["destination"] for each in deliveries]
    refused = desk.ask("DELETE", "/destinations/pager")
    said = f"'pager' cannot be removed: 1 alerts are told to it, as {made}."
    assert (400, said) == (refused.status_code, refused.json()["detail"])
    desk.ask("PUT", f"/{made}", json=rule())
    assert 204 == desk.ask("DELETE", "/destinations/pager").status_code
    gone = desk.ask("DELETE", "/destinations/pager")
    assert (404, "unknown_destination") == (gone.status_code, gone.json()["code"])
    assert {"destinations": [LOG]} == desk.ask("GET", "/destinations").json()
    assert 2 == len(floor.ask("GET", "/destinations").json()["destinations"])


def test_a_rule_is_told_to_no_one_else_s_webhook(guarded: Guarded) -> None:
    desk, floor = Owner(guarded, "desk"), Owner(guarded, "floor")
    floor.ask("PUT", "/destinations/pager", json=HOOK)
    refused = desk.ask("POST", json=rule(deliver=["pager"]))

    said = "deliver: 'pager' is no destination. Allowed: log."
    assert (400, said) == (refused.status_code, refused.json()["detail"])


@pytest.mark.parametrize("name", ["%00", "nope", "%C3%A9", "log"])
def test_what_is_no_destination_cannot_be_removed(both_guarded: Guarded, name: str) -> None:
    answer = Owner(both_guarded, "desk").ask("DELETE", f"/destinations/{name}")

    assert (404, "unknown_destination") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    ("name", "changed", "status"),
    [
        ("log", {}, 400),
        ("%00", {}, 400),
        ("pager", {"url": "http://example.com/"}, 400),
        ("pager", {"url": "https://user:whsec_word@example.com/"}, 400),
        ("pager", {"url": "https://169.254.169.254/"}, 400),
        ("pager", {"secret": "whsec_short"}, 400),
        ("pager", {"secret": SECRET.removeprefix("whsec_")}, 400),
        ("pager", {"secret": [SECRET]}, 422),
        ("pager", {"secret": None}, 422),
        ("pager", {"url": None}, 422),
        ("pager", {"url": SECRET}, 400),
        ("pager", {"url": f"https://example.com/{SECRET}"}, 400),
        ("pager", {"url": [SECRET]}, 422),
        ("pager", {"url": {SECRET: "x" * 50 + SECRET}}, 422),
        (SECRET, {}, 400),
        ("pager", {"sercet": "whsec_short"}, 422),
    ],
)
def test_what_is_no_webhook_is_refused_and_no_secret_told(
    guarded: Guarded, name: str, changed: dict[str, Any], status: int
) -> None:
    desk = Owner(guarded, "desk")
    answer = desk.ask("PUT", f"/destinations/{name}", json={**HOOK, **changed})

    assert status == answer.status_code, answer.text
    assert [] == [part for part in ("MfKQ", "short", "word@", "_word") if part in answer.text]
    assert {"destinations": [LOG]} == desk.ask("GET", "/destinations").json()


def test_a_secret_in_whatever_place_is_not_told_back(guarded: Guarded) -> None:
    desk = Owner(guarded, "desk")
    answers = [
        desk.ask("DELETE", f"/destinations/{SECRET}"),
        desk.ask("POST", json=rule(deliver=[SECRET])),
        desk.ask("POST", json={**rule(), SECRET: SECRET}),
        desk.ask("GET", f"/firings/{SECRET}"),
        desk.ask("GET", f"?limit={SECRET}"),
        desk.ask("PUT", "/destinations/pager", json=SECRET),
    ]

    assert [404, 400, 422, 404, 422, 422] == [each.status_code for each in answers]
    assert [] == [each.text for each in answers if "MfKQ" in each.text or "LaSw" in each.text]


def test_a_secret_is_kept_and_in_no_answer_and_no_entry(guarded: Guarded) -> None:
    desk = Owner(guarded, "desk")
    answers = [desk.ask("PUT", "/destinations/pager", json=HOOK)]
    answers += [desk.ask("GET", path) for path in ("/destinations", "", "/firings")]
    answers += [guarded.get("/v1/audit", guarded.key("admin").secret)]
    answers += [desk.ask("DELETE", "/destinations/pager")]

    assert [] == [each.url for each in answers if "whsec" in each.text]
    assert "destination added" in answers[4].text
    assert "token=t" not in answers[4].text


def test_a_topic_is_a_destination_where_one_is_set(make_guarded: MakeGuarded) -> None:
    desk = Owner(make_guarded(sns_alerts=TOPIC), "desk")
    told = desk.ask("GET", "/destinations").json()["destinations"]

    assert ["log", "sns"] == [each["name"] for each in told]
    assert ["sns"] == desk.created(deliver=["sns"])["rule"]["deliver"]


def test_an_owner_has_no_more_webhooks_than_it_may(make_guarded: MakeGuarded) -> None:
    desk = Owner(make_guarded(destinations_per_owner=2), "desk")
    answers = [desk.ask("PUT", f"/destinations/{name}", json=HOOK) for name in "abca"]

    assert [200, 200, 400, 200] == [each.status_code for each in answers]
    with desk.server.database.read() as connection:
        assert 2 == connection.scalar(sa.select(sa.func.count()).select_from(DESTINATIONS))


def test_a_firing_that_was_given_up_on_is_told_again(both_guarded: Guarded) -> None:
    desk, database = Owner(both_guarded, "desk"), both_guarded.database
    alert = desk.created()["alert"]
    told = fire(database, "desk", alert, deliver=("log", "pager"))
    dead = {"state": "dead", "attempts": 15, "due": None, "error": "404"}
    with database.write() as connection:
        connection.execute(sa.update(DELIVERIES).values(dead))
    again = desk.ask("POST", f"/firings/{told}/redeliver?destination=pager")

    assert (200, told) == (again.status_code, again.json()["firing"])
    assert [("log", "dead", 15, None), ("pager", "waiting", 0, NOW)] == [
        tuple(each[name] for name in ("destination", "state", "attempts", "due"))
        for each in again.json()["deliveries"]
    ]
    all_of_it = desk.ask("POST", f"/firings/{told}/redeliver").json()["deliveries"]
    assert ["waiting", "waiting"] == [each["state"] for each in all_of_it]
    entries = both_guarded.get("/v1/audit", both_guarded.key("admin").secret).json()["entries"]
    assert 2 == sum(each["action"] == "redelivery" for each in entries)


def test_what_was_told_to_nobody_is_not_told_again(both_guarded: Guarded) -> None:
    desk, database = Owner(both_guarded, "desk"), both_guarded.database
    alert = desk.created()["alert"]
    muted = fire(database, "desk", alert, 1, is_muted=True)
    told = fire(database, "desk", alert, 2)
    asked = [f"{muted}/redeliver", f"{told}/redeliver?destination=%00", f"{told}x/redeliver"]
    answers = [desk.ask("POST", f"/firings/{each}") for each in asked]

    assert [(400, "misuse"), (404, "unknown_destination"), (404, "unknown_alert")] == [
        (each.status_code, each.json()["code"]) for each in answers
    ]


def test_no_alert_is_left_that_tells_a_webhook_removed_at_once(both_guarded: Guarded) -> None:
    desk = Owner(both_guarded, "desk")
    headers = {"headers": {"X-API-Key": desk.made.secret}}
    create = ("POST", "/v1/alerts", {**headers, "json": rule(deliver=["pager"])})
    remove = ("DELETE", "/v1/alerts/destinations/pager", headers)
    for _ in range(8):
        desk.ask("PUT", "/destinations/pager", json=HOOK)
        created, removed, also = both_guarded.ask(create, remove, create)
        alerts = [each for each in (created, also) if each.status_code == 201]

        assert {204: 0, 400: 1}[removed.status_code] <= len(alerts)
        assert not (alerts and removed.status_code == 204)
        for each in alerts:
            desk.ask("DELETE", f"/{each.json()['alert']}")
