"""Who may listen to the stream, however the key is shown, and for how long."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from serving_layer.stream.connection import Manners
from serving_layer.stream.routes import Streams
from speed_layer.views import MemoryView
from tests.access import FOREIGN, Guarded, MakeGuarded, serving
from tests.feeding import eventually
from tests.live import NO_BARS, price, prices_of
from tests.streaming import Client


def stream_of(guarded: Guarded, **manners: Any) -> MemoryView:
    """Let a guarded app tell of a view, and return that."""
    view, state = MemoryView(), guarded.app.state
    state.streams = Streams(view, state.reader, manners=Manners(**manners))
    view.put(NO_BARS, prices_of(price()))
    return view


def token_of(guarded: Guarded, key: str) -> str:
    """Return a token of a key, however busy the machine is."""
    tokens: list[str] = []

    def got() -> bool:
        answer = guarded.request("POST", "/v1/token", key)
        tokens.extend([answer.json()["token"]] if answer.is_success else [])
        return bool(tokens)

    assert eventually(got)
    return tokens[0]


@pytest.fixture
def host(guarded: Guarded) -> Iterator[str]:
    stream_of(guarded, auth_s=20, recheck_s=0.1)
    with serving(guarded.app) as host:
        yield host


def hears(client: Client) -> bool:
    client.subscribe("price:AAPL")
    return client.price("AAPL") == 1.0


@pytest.mark.parametrize("how", ["bearer", "header", "query", "token", "frame", "token in a frame"])
def test_a_key_is_shown_in_any_way(guarded: Guarded, host: str, how: str) -> None:
    key = guarded.key("live").secret
    token = token_of(guarded, key)
    path = f"/v1/stream?apiKey={key}" if how == "query" else "/v1/stream"
    headers = {
        "bearer": {"Authorization": f"Bearer {key}"},
        "header": {"X-API-Key": key},
        "token": {"Authorization": f"Bearer {token}"},
    }
    with Client(host, path, additional_headers=headers.get(how, {})) as client:
        welcome = client.read()
        assert (not how.endswith("frame")) == welcome["authenticated"]
        if how.endswith("frame"):
            client.send("auth", key=token if how.startswith("token") else key, id=1)
            told = client.read()
            expires = told.pop("expires")
            assert (expires is not None) == how.startswith("token")
            assert {"type": "authenticated", "owner": "test", "scopes": ["live"], "id": 1} == told
        assert hears(client)


def test_nothing_is_told_before_it_is_known_who_asks(guarded: Guarded, host: str) -> None:
    key = guarded.key("live").secret
    with Client(host) as client:
        client.send("subscribe", "price:AAPL", id=1)
        told = client.until("error")
        assert ("not_authenticated", 1) == (told["code"], told["id"])
        client.send("unsubscribe", "price:AAPL", id=2)
        assert "not_authenticated" == client.until("error")["code"]
        client.send("ping", id=3)
        assert 3 == client.until("pong")["id"]
        client.send("auth", key=key)
        client.until("authenticated")
        assert hears(client)


def test_who_shows_no_key_in_time_is_closed(guarded: Guarded) -> None:
    stream_of(guarded, auth_s=0.1)
    guarded.key("live")
    with serving(guarded.app) as host, Client(host) as client:
        assert (4001, "No key was shown within 0 s.") == client.ended()


def test_a_wrong_key_ends_the_connection(guarded: Guarded, host: str) -> None:
    guarded.key("live")
    with Client(host) as client:
        client.send("auth", key=FOREIGN)
        assert (4001, "The key is not one of this server's.") == client.ended()
    with Client(host, additional_headers={"X-API-Key": FOREIGN}) as client:
        assert 4001 == client.ended()[0]
        assert [] == client.frames


def test_a_key_without_the_scope_ends_it(guarded: Guarded, host: str) -> None:
    made = guarded.key("read")
    with Client(host) as client:
        client.send("auth", key=made.secret)
        code, why = client.ended()
    assert 4003 == code
    assert f"The key {made.key.key} may not: it lacks the scope 'live'." == why


def test_a_key_that_is_revoked_ends_its_connections_and_no_others(
    guarded: Guarded, host: str
) -> None:
    revoked, kept = guarded.key("live"), guarded.key("live")
    token = token_of(guarded, revoked.secret)
    with Client(host) as by_key, Client(host) as by_token, Client(host) as other:
        for client, shown in ((by_key, revoked.secret), (by_token, token), (other, kept.secret)):
            client.send("auth", key=shown)
            assert hears(client)
        guarded.revoke(revoked.key.key)
        assert (4001, f"The key {revoked.key.key} was revoked.") == by_key.ended()
        assert 4001 == by_token.ended()[0]
        other.send("ping")
        other.until("pong")


def test_a_key_or_a_token_that_expires_ends_its_connections(guarded: Guarded, host: str) -> None:
    made = guarded.key("live", expires=guarded.clock.now() + dt.timedelta(minutes=5))
    other = guarded.key("live")
    token = token_of(guarded, other.secret)
    again = other.secret
    with Client(host) as by_key, Client(host) as by_token, Client(host) as renewed:
        for client, shown in ((by_key, made.secret), (by_token, token), (renewed, token)):
            client.send("auth", key=shown)
            client.until("authenticated")
        # Who shows another token, or the key, in time goes on.
        renewed.send("auth", key=again)
        renewed.until("authenticated")
        guarded.clock.instant += dt.timedelta(minutes=16)
        assert (4001, f"The key {made.key.key} has expired.") == by_key.ended()
        assert 4001 == by_token.ended()[0]
        assert hears(renewed)


def test_a_connection_stays_its_key_s(guarded: Guarded, host: str) -> None:
    with Client(host) as client:
        client.send("auth", key=guarded.key("live").secret)
        client.until("authenticated")
        client.send("auth", key=guarded.key("live").secret)
        assert (4003, "The connection is another key's.") == client.ended()


def test_attempts_are_counted(make_guarded: MakeGuarded) -> None:
    guarded = make_guarded(rate_address_burst=2, rate_address_per_second=0.001)
    stream_of(guarded)
    guarded.key("live")
    codes = []
    with serving(guarded.app) as host:
        for _ in range(3):
            with Client(host) as client:
                client.send("auth", key=FOREIGN)
                codes.append(client.ended()[0])

    # One that came before the keys were read is told to come again; it counts all the same.
    assert {4001, 1001} >= set(codes[:2])
    assert 4009 == codes[2]


def test_until_the_first_key_anyone_of_this_machine_may_listen(make_guarded: MakeGuarded) -> None:
    guarded = make_guarded(is_open_before_keys=True)
    stream_of(guarded, recheck_s=0.1)
    with serving(guarded.app) as host:
        with Client(host) as client, Client(host) as shows_some:
            assert client.read()["authenticated"]
            assert hears(client)
            shows_some.send("auth", key="anything")
            assert "anyone" == shows_some.until("authenticated")["owner"]
            with Client(host, additional_headers={"Origin": "https://evil.com"}) as foreign:
                code, why = foreign.ended()
                assert (4003, True) == (code, "https://evil.com" in why)
            guarded.key("live")
            assert (4001, "A key is asked for now.") == client.ended()
            assert 4001 == shows_some.ended()[0]
        with Client(host) as late:
            assert not late.read()["authenticated"]


def test_a_key_in_the_query_is_in_no_log(
    guarded: Guarded, host: str, capfd: pytest.CaptureFixture[str]
) -> None:
    key = guarded.key("live").secret
    with Client(host, f"/v1/stream?apiKey={key}") as client:
        assert hears(client)

    out, err = capfd.readouterr()
    assert key not in out + err + json.dumps(client.frames)
