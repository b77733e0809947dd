"""What an owner keeps of alerts is reached by its keys alone, on every route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.access import Guarded, routes
from tests.alerts import Owner, fire, rule


def of_alerts(app: Any) -> Iterator[tuple[str, str]]:
    """Yield the method and path of each route that asks for one thing that an owner keeps."""
    for method, path in routes(app):
        if path.startswith("/v1/alerts") and "{" in path:
            yield method, path


HOOK = {"url": "https://example.com/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
BODIES: dict[str, dict[str, Any]] = {
    "PUT /v1/alerts/{alert}": rule(),
    "POST /v1/alerts/{alert}/mute": {"until": None},
}
"""What routes are to be given that are of alerts."""
FIRST = {"GET": 0, "POST": 1, "PUT": 2, "DELETE": 3}


def test_nobody_reaches_what_another_owner_keeps_not_even_an_admin(key_server: Guarded) -> None:
    owner, other = Owner(key_server, "desk"), Owner(key_server, "floor")
    admin = key_server.key("alerts", "admin", owner="admin").secret
    owner.ask("PUT", "/destinations/pager", json=HOOK)
    alert = owner.created(deliver=["log"])["alert"]
    firing = fire(key_server.database, "desk", alert)
    there = {"alert": alert, "firing": firing, "destination": "pager"}
    none = {"alert": f"al_{'0' * 12}", "firing": f"al_{'0' * 12}.1.1", "destination": "none"}

    def answer(key: str, method: str, path: str, names: dict[str, str]) -> tuple[int, str]:
        body = BODIES.get(f"{method} {path}")
        told = key_server.request(method, path.format(**names), key, json=body)
        text = told.text
        # A trace is of a request, whatever it asks for.
        for name in (*names.values(), told.headers["x-request-id"]):
            text = text.replace(name, "NAME")
        return told.status_code, text

    # The owner's own come last, what deletes behind all: else nothing would be left to find.
    asked = sorted(of_alerts(key_server.app), key=lambda route: FIRST[route[0]])
    asked = [each for each in asked if each != ("PUT", "/v1/alerts/destinations/{destination}")]
    assert len(asked) >= 8
    strangers = {
        (key, method, path): (
            answer(key, method, path, there),
            answer(key, method, path, none),
        )
        for key in (other.made.secret, admin)
        for method, path in asked
    }
    assert {404} == {status for both in strangers.values() for status, _ in both}
    assert [] == [each for each, (found, missing) in strangers.items() if found != missing]
    mine = [answer(owner.made.secret, *route, there)[0] for route in asked]
    assert [] == [(r, s) for r, s in zip(asked, mine, strict=True) if not 200 <= s < 300]


def test_lists_of_alerts_hold_nothing_of_another_owner(key_server: Guarded) -> None:
    owner, other = Owner(key_server, "desk"), Owner(key_server, "floor")
    owner.ask("PUT", "/destinations/pager", json=HOOK)
    alert = owner.created(deliver=["pager"])["alert"]
    fire(key_server.database, "desk", alert)
    admin = key_server.key("alerts", "admin", owner="admin").secret
    lists = [
        path
        for method, path in routes(key_server.app)
        if method == "GET" and path.startswith("/v1/alerts") and "{" not in path
    ]

    assert {"/v1/alerts", "/v1/alerts/firings", "/v1/alerts/destinations"} <= set(lists)
    for key in (other.made.secret, admin):
        texts = [key_server.get(path, key).text for path in lists]
        assert [] == [text for text in texts if alert in text or "pager" in text]


def test_a_destination_that_two_owners_call_the_same_is_two(key_server: Guarded) -> None:
    owner, other = Owner(key_server, "desk"), Owner(key_server, "floor")
    owner.ask("PUT", "/destinations/pager", json=HOOK)
    other.ask("PUT", "/destinations/pager", json={**HOOK, "url": "https://floor.example.com/"})
    other.ask("DELETE", "/destinations/pager")
    (_, kept) = owner.ask("GET", "/destinations").json()["destinations"]

    assert "https://example.com/" == kept["url"]
