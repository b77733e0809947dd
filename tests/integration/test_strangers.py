"""Who may ask while no key is asked for, and whose word about addresses is believed."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from database import open_database, prepare
from fiblake.address import listen
from lake.errors import MisuseError
from lake.settings import Settings, read_settings
from serving_layer.auth.managing import NewKey, create
from tests.access import ACTOR, FOREIGN, Guarded, MakeGuarded
from tests.conftest import NOW
from tests.served import served

ORIGIN = "https://mine.com"
SLOW = "0.0001"
"""Requests a second: a test ends before the next one."""


@pytest.fixture
def opened(make_guarded: MakeGuarded) -> Guarded:
    """An app that lets anyone in until the first key is created."""
    return make_guarded(is_open_before_keys=True, cors_origins=ORIGIN)


def test_until_the_first_key_any_or_none_will_do_but_not_to_make_it(opened: Guarded) -> None:
    for key in ("", "anything", FOREIGN, "a.b.c"):
        assert 200 == opened.get("/v1/symbols", key).status_code
    told = opened.request("POST", "/v1/keys", json={"name": "a", "scopes": ["read"]}).json()
    assert (403, "The first key is created on the command line.") == (
        told["status"],
        told["detail"],
    )
    assert "fiblake keys create NAME --scope admin." == told["hint"]
    assert 403 == opened.request("POST", "/v1/token").status_code
    assert "ratelimit-limit" not in opened.get("/v1/symbols").headers

    made = opened.key("read")

    assert [401, 401] == [opened.get("/v1/symbols", each).status_code for each in ("", FOREIGN)]
    assert 200 == opened.get("/v1/symbols", made.secret).status_code


def test_revoking_the_last_key_opens_nothing(opened: Guarded) -> None:
    made = opened.key("admin")
    opened.request("DELETE", f"/v1/keys/{made.key.key}", made.secret)

    assert 401 == opened.get("/v1/symbols").status_code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "localhost:8000", "Origin": ORIGIN}, 200),
        ({"Host": "evil.com"}, 403),
        ({"Host": "127.0.0.1.evil.com"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "127.0.0.1:8000", "Origin": "https://evil.com"}, 403),
        ({"Host": "127.0.0.1:8000", "Origin": "null"}, 403),
    ],
)
def test_while_it_is_open_another_site_s_page_may_not_ask(
    opened: Guarded, headers: dict[str, str], status: int
) -> None:
    assert status == opened.get("/v1/symbols", headers=headers).status_code


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via"],
)
def test_while_it_is_open_what_a_proxy_passes_on_is_refused(opened: Guarded, header: str) -> None:
    refused = opened.get("/v1/symbols", headers={header: "127.0.0.1"})

    assert 403 == refused.status_code
    said = f"what a proxy passes on, as {header.lower()} says, may not ask this machine."
    assert f"No key was created yet: {said}" == refused.json()["detail"]
    key = opened.key("read").secret
    assert 200 == opened.get("/v1/symbols", key, headers={header: "127.0.0.1"}).status_code


@pytest.mark.parametrize(
    ("site", "origin", "status"),
    [
        ("cross-site", None, 403),
        ("cross-site", "http://127.0.0.1:8000", 403),
        ("cross-site", ORIGIN, 200),
        ("same-site", None, 200),
        ("same-origin", "http://127.0.0.1:8000", 200),
        ("none", None, 200),
    ],
)
def test_while_it_is_open_what_a_browser_says_of_another_site_s_page_is_heeded(
    opened: Guarded, site: str, origin: str | None, status: int
) -> None:
    headers = {"Sec-Fetch-Site": site, **({"Origin": origin} if origin else {})}

    assert status == opened.get("/v1/symbols", headers=headers).status_code


def key_of(settings: Settings) -> str:
    database = open_database(settings)
    prepare(database)
    made = create(database, NewKey("test", ("read",)), ACTOR, NOW).secret
    database.close()
    return made


@pytest.mark.parametrize(("proxies", "last"), [("", 429), ("127.0.0.1", 200), ("10.0.0.0/8", 429)])
def test_what_is_said_of_an_address_is_believed_of_the_proxies_that_are_set(
    sample_lake_folder: Path, tmp_path: Path, proxies: str, last: int
) -> None:
    settings = {"FIBLAKE_RATE_ADDRESS_PER_SECOND": SLOW, "FIBLAKE_RATE_ADDRESS_BURST": "1"}
    settings |= {"FIBLAKE_FORWARDED_ALLOW_IPS": proxies, "FORWARDED_ALLOW_IPS": "*"}
    shown = {"X-API-Key": key_of(Settings(lake=str(sample_lake_folder)))}

    with served(sample_lake_folder, tmp_path / "log", **settings) as url:
        asked = [
            httpx.get(f"{url}/v1/intervals", headers={**shown, "X-Forwarded-For": address})
            for address in ("192.0.2.1", "192.0.2.2")
        ]
    assert [200, last] == [each.status_code for each in asked]


@pytest.mark.parametrize("proxies", ["proxy.local", "10.0.0.1/8", "10.0.0.5,*x"])
def test_what_is_no_proxy_s_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, proxies: str
) -> None:
    monkeypatch.setenv("FIBLAKE_FORWARDED_ALLOW_IPS", proxies)

    with pytest.raises(MisuseError, match="is neither an address nor a network, as 10"):
        read_settings()


def test_answers_are_sent_at_once_over_what_is_accepted() -> None:
    with (
        listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
