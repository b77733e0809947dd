"""Alerts over HTTP: kept, changed, muted, listed, and what is refused; on both databases."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import closing
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from database.tables import ALERT_RULES
from fiblake import Lake
from lake.settings import Settings
from serving_layer.app import create_app
from speed_layer.views import open_view
from tests.access import Guarded, MakeGuarded
from tests.alerts import Owner, progressed, rule
from tests.live import bar, bars_of, price, prices_of

NOW = "2026-01-05T12:00:00Z"


def as_kept(alert: str) -> dict[str, Any]:
    """Return an alert as it is told once it is made, with all that was left to the defaults."""
    return {
        "alert": alert,
        "rule": {
            "symbol": "AAPL",
            "name": "breakout",
            "when": {
                "kind": "price",
                "relation": "above",
                "level": 180.0,
                "hysteresis_percent": 0.0,
            },
            "repeat": False,
            "cooldown_seconds": 60,
            "active": {"days": ["mon", "fri"], "start": "00:00:00", "end": "23:59:59.999999"},
            "deliver": ["log"],
            "note": "",
        },
        "symbol": "AAPL",
        "owner": "desk",
        "revision": 1,
        "created": NOW,
        "changed": NOW,
        "state": "waiting",
        "muted_until": None,
        "fired": 0,
        "last_fired": None,
    }


def test_an_alert_is_kept_replaced_muted_and_deleted_and_each_change_noted(
    both_guarded: Guarded,
) -> None:
    desk = Owner(both_guarded, "desk")
    made = desk.created(symbol=" aapl ", name="breakout", active={"days": ["fri", "mon"]})
    path = f"/{made['alert']}"

    assert as_kept(made["alert"]) == made == desk.ask("GET", path).json()
    both_guarded.clock.instant += dt.timedelta(minutes=1)
    replaced = desk.ask("PUT", path, json=rule(symbol="IBM"))
    assert (200, 2, "IBM", "IBM", NOW, "2026-01-05T12:01:00Z") == (
        replaced.status_code,
        *(replaced.json()[name] for name in ("revision", "symbol")),
        replaced.json()["rule"]["symbol"],
        *(replaced.json()[name] for name in ("created", "changed")),
    )
    until = {"until": "2026-01-05T18:00:00+01:00"}
    muted = desk.ask("POST", f"{path}/mute", json=until).json()
    assert ("muted", "2026-01-05T17:00:00Z", 2) == tuple(
        muted[name] for name in ("state", "muted_until", "revision")
    )
    assert muted == desk.ask("GET", path).json()
    for_good = desk.ask("POST", f"{path}/mute", json={"until": None}).json()
    assert ("muted", "9999-01-01T00:00:00Z") == (for_good["state"], for_good["muted_until"])
    unmuted = desk.ask("POST", f"{path}/unmute").json()
    assert ("waiting", None) == (unmuted["state"], unmuted["muted_until"])
    deleted = desk.ask("DELETE", path)
    assert (204, b"") == (deleted.status_code, deleted.content)
    assert [404] * 2 == [desk.ask(method, path).status_code for method in ("GET", "DELETE")]
    assert [] == desk.listed()

    entries = both_guarded.get("/v1/audit", both_guarded.key("admin").secret).json()["entries"]
    by_desk = [each for each in entries if each["actor"] == desk.made.key.key]
    assert {("127.0.0.1", made["alert"])} == {(e["address"], e["subject"]) for e in by_desk}
    assert [
        ("alert created", "AAPL, of desk"),
        ("alert replaced", "IBM, revision 2, of desk"),
        ("alert muted", "until 2026-01-05T17:00:00Z, of desk"),
        ("alert muted", "until unmuted, of desk"),
        ("alert unmuted", "of desk"),
        ("alert deleted", "IBM, of desk"),
    ] == [(each["action"], each["detail"]) for each in reversed(by_desk)]


def test_of_many_who_change_what_they_were_shown_one_does(both_guarded: Guarded) -> None:
    desk = Owner(both_guarded, "desk")
    made = desk.created()
    path, headers = f"/v1/alerts/{made['alert']}?revision=1", {"X-API-Key": desk.made.secret}
    rules = [rule(name=f"by {number}") for number in range(6)]
    answers = both_guarded.ask(
        *[("PUT", path, {"headers": headers, "json": each}) for each in rules]
    )
    (done,) = [each.json() for each in answers if each.status_code == 200]
    refused = [each for each in answers if each.status_code != 200]

    said = f"{made['alert']} is at revision 2, not at 1."
    assert {(409, "alert_changed", said)} == {
        (each.status_code, each.json()["code"], each.json()["detail"]) for each in refused
    }
    assert (2, done) == (done["revision"], desk.ask("GET", f"/{made['alert']}").json())
    assert 200 == desk.ask("PUT", f"/{made['alert']}?revision=2", json=rule()).status_code
    assert 422 == desk.ask("PUT", f"/{made['alert']}?revision=two", json=rule()).status_code


def test_keys_of_one_owner_share_its_alerts(guarded: Guarded) -> None:
    one, other, stranger = (Owner(guarded, each) for each in ("desk", "desk", "floor"))
    made = one.created()

    assert [made["alert"]] == other.listed()
    assert 200 == other.ask("PUT", f"/{made['alert']}", json=rule()).status_code
    assert [] == stranger.listed()


def test_alerts_are_paged_in_order_of_creation_whatever_comes_meanwhile(
    both_guarded: Guarded,
) -> None:
    desk, floor = Owner(both_guarded, "desk"), Owner(both_guarded, "floor")
    made = []
    for number in range(7):
        made.append(desk.created(symbol=("AAPL", "IBM")[number % 2])["alert"])
        floor.created()
        both_guarded.clock.instant += dt.timedelta(microseconds=number % 3)
    in_order = desk.listed()
    of_ibm = desk.listed("?symbol=ibm")
    found, query = [], "?limit=3"
    while query:
        page = desk.ask("GET", query).json()
        found += [each["alert"] for each in page["alerts"]]
        desk.ask("DELETE", f"/{found[0]}")  # what is gone moves no page
        query = page["next_cursor"] and f"?limit=3&cursor={page['next_cursor']}"

    assert (sorted(made), in_order) == (sorted(in_order), found)
    assert (3, set()) == (len(of_ibm), set(of_ibm) - set(made[1::2]))
    assert [] == desk.listed("?symbol=MSFT")
    assert [] == desk.listed("?symbol=%00")
    exactly = desk.ask("GET", "?limit=6").json()
    assert (6, None) == (len(exactly["alerts"]), exactly["next_cursor"])


def test_the_state_of_an_alert_is_that_of_its_revision(both_guarded: Guarded) -> None:
    desk, database = Owner(both_guarded, "desk"), both_guarded.database
    soon = "2026-01-05T12:30:00Z"
    alert = {
        "active": desk.created(repeat=True)["alert"],
        "done": desk.created()["alert"],
        "expired": desk.created(expires=soon, repeat=True)["alert"],
        "expired by the flow": desk.created(expires="2026-01-06T00:00:00Z")["alert"],
        "waiting": desk.created(repeat=True)["alert"],
    }
    progressed(database, alert["active"], fired=3)
    progressed(database, alert["done"], fired=1, is_done=True)
    progressed(database, alert["expired"])
    progressed(database, alert["expired by the flow"], is_done=True)
    progressed(database, alert["waiting"], fired=2)
    desk.ask("PUT", f"/{alert['waiting']}", json=rule())
    both_guarded.clock.instant += dt.timedelta(hours=1)
    desk.ask("POST", f"/{alert['done']}/mute", json={"until": None})
    told = {name: desk.ask("GET", f"/{each}").json() for name, each in alert.items()}

    assert {
        "active": ("active", 3, "2026-01-05T11:30:00Z"),
        "done": ("done", 1, "2026-01-05T11:30:00Z"),
        "expired": ("expired", 0, None),
        "expired by the flow": ("expired", 0, None),
        "waiting": ("waiting", 0, None),
    } == {name: (t["state"], t["fired"], t["last_fired"]) for name, t in told.items()}
    muted = desk.ask("POST", f"/{alert['active']}/mute", json={"until": "2026-01-05T14:00:00Z"})
    assert "muted" == muted.json()["state"]
    both_guarded.clock.instant += dt.timedelta(hours=1)
    after = desk.ask("GET", f"/{alert['active']}").json()
    assert ("active", None) == (after["state"], after["muted_until"])


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"symbol": "NOPE"}, 404, "NOPE: no such symbol in the lake"),
        ({"symbol": "brk/b"}, 404, "BRK.B: no such symbol in the lake"),
        ({"symbol": "a\nb"}, 422, "symbol='a\\nb': Value error, 'a\\nb' is not a symbol"),
        ({"when": {"kind": "price", "relation": "above", "level": -1}}, 422, "when.price.level=-1"),
        ({"when": {"kind": "none"}}, 422, "when={'kind': 'none'}: Input tag 'none' found using"),
        ({"more": 1}, 422, "more=1: Extra inputs are not permitted"),
        ({"name": "\x00"}, 422, "name='\\x00': Value error, only printable characters"),
        ({"deliver": ["pager"]}, 400, "deliver: 'pager' is no destination. Allowed: log."),
        ({"deliver": ["\x00"]}, 400, "deliver: '\\x00' is no destination. Allowed: log."),
        ({"deliver": ["sns"]}, 400, "deliver: 'sns' leads nowhere: no topic is set."),
        ({"expires": NOW}, 400, f"expires: a rule that ends at {NOW} would have by now."),
        ({"expires": "9999-12-31T23:59:59-14:00"}, 400, "9999-12-31T23:59:59-14:00 is out of"),
        ({"expires": "2027-01-01T00:00:00"}, 422, "expires='2027-01-01T00:00:00': Input should"),
    ],
)
def test_what_is_no_rule_is_neither_kept_nor_put_in_place_of_one(
    desk: Owner, changed: dict[str, Any], status: int, said: str
) -> None:
    kept = desk.created()
    answers = [desk.ask("POST", json=rule(**changed))]
    answers += [desk.ask("PUT", f"/{kept['alert']}", json=rule(**changed))]

    assert [status] * 2 == [each.status_code for each in answers]
    assert ["application/problem+json"] * 2 == [each.headers["content-type"] for each in answers]
    assert [] == [e.json()["detail"] for e in answers if not e.json()["detail"].startswith(said)]
    assert [kept] == desk.ask("GET").json()["alerts"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"until": NOW}, 400, f"until: a mute until {NOW} would be over by now."),
        ({"until": "tomorrow"}, 422, "until='tomorrow': Input should be a valid datetime"),
        ({"until": "9999-12-31T23:59:59-14:00"}, 400, "9999-12-31T23:59:59-14:00 is out of range"),
        ([], 422, "Input should be a dictionary"),
        ({}, 422, "until: Field required"),
        ({"untill": "2026-01-05T14:00:00Z", "until": None}, 422, "untill: Unexpected"),
    ],
)
def test_what_is_no_end_of_a_mute_is_refused(
    desk: Owner, body: object, status: int, said: str
) -> None:
    kept = desk.created()
    answer = desk.ask("POST", f"/{kept['alert']}/mute", json=body)

    assert (status, True) == (answer.status_code, said in answer.json()["detail"]), answer.text
    assert [kept] == desk.ask("GET").json()["alerts"]


def test_a_rule_names_each_destination_once(desk: Owner) -> None:
    made = desk.created(deliver=["log", "log"])

    assert ["log"] == made["rule"]["deliver"]
    assert 202 == desk.ask("POST", f"/{made['alert']}/test").status_code


def test_where_the_lake_is_empty_any_symbol_will_do(
    guarded: Guarded, lake: Lake, desk: Owner
) -> None:
    desk.server.app = create_app(lake.reader, access=guarded.access)

    assert "BRK.B" == desk.created(symbol="brk-b")["symbol"]


def test_a_symbol_that_only_the_view_knows_is_known(
    guarded: Guarded, sample_lake: Lake, desk: Owner
) -> None:
    assert 404 == desk.ask("POST", json=rule(symbol="NEW")).status_code
    with closing(open_view(Settings(view="memory"), guarded.clock)) as view:
        view.put(bars_of(bar("NEW", interval="1d")), prices_of(price("NEW")))
        desk.server.app = create_app(sample_lake.reader, view, access=guarded.access)

        assert "NEW" == desk.created(symbol="new")["symbol"]
        assert 404 == desk.ask("POST", json=rule(symbol="NEWER")).status_code


def test_an_owner_has_no_more_alerts_than_it_may_however_many_are_made_at_once(
    make_guarded: MakeGuarded, any_settings: Settings
) -> None:
    given = any_settings.model_dump(exclude_unset=True)
    server = make_guarded(**given, alerts_per_owner=3)
    desk, floor = Owner(server, "desk"), Owner(server, "floor")
    headers = {"X-API-Key": desk.made.secret}
    answers = server.ask(*[("POST", "/v1/alerts", {"headers": headers, "json": rule()})] * 9)
    refused = [each for each in answers if each.status_code == 400]

    assert (3, 6) == (len(desk.listed()), len(refused))
    assert {("'desk' has 3 alerts, and may have no more.", "too_many_alerts")} == {
        (each.json()["detail"], each.json()["code"]) for each in refused
    }
    floor.created()
    desk.ask("DELETE", f"/{desk.listed()[0]}")
    desk.created()


def test_until_a_key_is_created_alerts_are_anyone_s_and_no_key_reaches_them_then(
    make_guarded: MakeGuarded,
) -> None:
    server = make_guarded(is_open_before_keys=True)
    made = server.request("POST", "/v1/alerts", json=rule()).json()

    assert "anyone" == made["owner"]
    assert 1 == len(server.get("/v1/alerts").json()["alerts"])
    desk = Owner(server, "desk")
    assert [] == desk.listed()
    assert 404 == desk.ask("GET", f"/{made['alert']}").status_code
    entries = server.get("/v1/audit", server.key("admin").secret).json()["entries"]
    assert ["anyone"] == [e["actor"] for e in entries if e["action"] == "alert created"]


def test_an_app_without_a_database_has_no_alerts(sample_lake: Lake) -> None:
    app = create_app(sample_lake.reader)
    transport = httpx.ASGITransport(app)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get("/v1/alerts")

    assert 404 == asyncio.run(ask()).status_code


def test_the_schema_of_rules_is_told(desk: Owner) -> None:
    schema = desk.ask("GET", "/schema").json()

    assert {"symbol", "when", "deliver"} <= set(schema["properties"])
    assert {"Price", "Move", "Close", "Volume", "AllOf", "AnyOf"} <= set(schema["$defs"])


def test_a_deleted_alert_is_kept_for_its_firings(desk: Owner) -> None:
    made = desk.created()
    desk.ask("DELETE", f"/{made['alert']}")
    with desk.server.database.read() as connection:
        (row,) = connection.execute(sa.select(ALERT_RULES)).all()

    assert (made["alert"], True) == (row.alert, row.deleted is not None)
