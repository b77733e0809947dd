"""Webhooks to real servers: signed as receivers verify, and what is made of each kind of answer."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Iterable
from email.utils import format_datetime
from importlib.metadata import version

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from lake.addresses import parse_networks
from lake.clock import SystemClock
from speed_layer.delivery.guard import Guard
from speed_layer.delivery.outcome import DELIVERED, Outcome
from speed_layer.delivery.webhook import WebhookSender
from tests.receiving import SECRET, Start, Told, always, answer
from tests.sending import BODY, LOOPBACK, Send, claimed


def test_a_receiver_verifies_what_it_is_told_and_by_whom(receive: Start, send: Send) -> None:
    receiver = receive()

    assert DELIVERED == send(f"{receiver.url}?a=b")
    (told,) = receiver.told
    verified = Webhook(SECRET).verify(told.body, told.headers)
    assert json.loads(BODY) == verified
    assert BODY.encode() == told.body
    assert ("/hook?a=b", "al_1.1.1") == (told.path, told.headers["webhook-id"])
    assert "application/json" == told.headers["content-type"]
    assert f"fiblake/{version('fiblake')}" == told.headers["user-agent"]
    assert f"127.0.0.1:{receiver.port}" == told.headers["host"]
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(told.body, told.headers)


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "204 No Content", "299 Mine"])
def test_any_2xx_is_delivered(receive: Start, send: Send, status: str) -> None:
    assert DELIVERED == send(receive(always(status)).url)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        ("400 Bad Request", b"no\nmore", "400 Bad Request: no"),
        ("404 Whatever", b"", "404 Not Found"),
        (
            "503 Service Unavailable",
            b"\n\n  wait \x1b[31m\tthere\n",
            "503 Service Unavailable: wait [31m there",
        ),
        ("599 Mine", b"\xff", "599: �"),
        ("300 Multiple Choices", b"x", "300 Multiple Choices: redirects are not followed"),
    ],
)
def test_any_other_failed_and_says_why(
    receive: Start, send: Send, status: str, body: bytes, said: str
) -> None:
    assert Outcome(said) == send(receive(always(status, body=body)).url)


def test_what_is_gone_is_not_told_again(receive: Start, send: Send) -> None:
    outcome = send(receive(always("410 Gone", body=b"moved away")).url)

    assert Outcome("410 Gone: moved away", is_final=True) == outcome


def test_a_destination_that_was_removed_is_not_told_again(send: Send) -> None:
    assert Outcome("there is no destination 'hook' any more", is_final=True) == send(None)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("120", 120, 120),
        ("9" * 400, 1e300, float("inf")),
    ],
)
def test_when_a_receiver_wants_to_be_asked_again_is_kept(
    receive: Start, send: Send, header: str, least: float, most: float
) -> None:
    outcome = send(receive(always("429 Too Many Requests", f"retry-after: {header}")).url)

    assert outcome.retry_after_s is not None
    assert least <= outcome.retry_after_s <= most


def test_a_receiver_may_say_at_which_time_it_wants_to_be_asked_again(
    receive: Start, send: Send
) -> None:
    in_an_hour = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    outcome = send(receive(always("429 Too Many Requests", f"retry-after: {in_an_hour}")).url)

    assert outcome.retry_after_s is not None
    assert 3500 <= outcome.retry_after_s <= 3600


@pytest.mark.parametrize("header", ["soon", "-5", "1.5", "", "Mon, 99 Foo"])
def test_a_time_that_is_none_is_passed_over(receive: Start, send: Send, header: str) -> None:
    outcome = send(receive(always("503 Slow", f"retry-after: {header}")).url)

    assert outcome.retry_after_s is None


def test_a_redirect_into_the_inside_is_not_followed(receive: Start, send: Send) -> None:
    inner = receive()
    receiver = receive(always("302 Found", f"location: {inner.url}"))

    assert Outcome("302 Found: redirects are not followed") == send(receiver.url)
    assert [] == inner.told


def test_no_cookie_and_no_connection_is_kept(receive: Start) -> None:
    receiver = receive(always("200 OK", "set-cookie: a=b", "connection: keep-alive"))

    async def run() -> None:
        sender = WebhookSender(Guard(parse_networks(LOOPBACK)), SystemClock(), 10)
        for _ in range(3):
            assert DELIVERED == await sender.send(claimed(receiver.url))
        await sender.close()

    asyncio.run(run())
    assert [None] * 3 == [each.headers.get("cookie") for each in receiver.told]
    assert ["close"] * 3 == [each.headers["connection"] for each in receiver.told]


def test_who_never_answers_has_not(receive: Start, send: Send) -> None:
    def silent(_: Told) -> Iterable[bytes]:
        receiver.pause(30)
        yield answer()

    receiver = receive(silent)

    assert Outcome("no answer within 0.5 s") == send(receiver.url, timeout_s=0.5)


def test_a_head_that_drips_costs_no_more_than_an_attempt_s_time(receive: Start, send: Send) -> None:
    def drip(_: Told) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        for number in range(10_000):
            receiver.pause(0.02)
            yield f"x-{number}: drip\r\n".encode()

    receiver = receive(drip)
    begun = time.monotonic()

    assert Outcome("no answer within 0.5 s") == send(receiver.url, timeout_s=0.5)
    assert time.monotonic() - begun < 30


def test_a_body_that_drips_costs_a_moment_and_the_status_counts(receive: Start, send: Send) -> None:
    def drip(_: Told) -> Iterable[bytes]:
        yield b"HTTP/1.1 500 Oops\r\ncontent-length: 100000\r\n\r\nfir"
        while True:
            receiver.pause(0.05)
            yield b"s"

    receiver = receive(drip)

    assert send(receiver.url).error.startswith("500 Internal Server Error: fir")


def test_a_body_without_end_is_not_read_to_its_end(receive: Start, send: Send) -> None:
    sent = 0

    def huge(_: Told) -> Iterable[bytes]:
        nonlocal sent
        yield b"HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n"
        while True:
            yield b"10000\r\n" + b"x" * 65536 + b"\r\n"
            sent += 65536

    outcome = send(receive(huge).url)

    assert f"500 Internal Server Error: {'x' * 199}…" == outcome.error
    assert sent < 50_000_000


def test_a_compressed_bomb_is_never_unpacked(receive: Start, send: Send) -> None:
    bomb = always("500 Oops", "content-encoding: gzip", body=b"\x1f\x8b" + b"\0" * 5000)
    outcome = send(receive(bomb).url)

    assert outcome.error.startswith("500 Internal Server Error: �")


@pytest.mark.parametrize(
    "wrong", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000]
)
def test_what_is_no_answer_failed(receive: Start, send: Send, wrong: bytes) -> None:
    outcome = send(receive(lambda _: [wrong]).url)

    assert outcome.error.startswith("no answer: ")
    assert not outcome.is_final


def test_nobody_there_failed(receive: Start, send: Send) -> None:
    receiver = receive()
    receiver.close()

    assert send(receiver.url).error.startswith("no answer: ")


def test_no_proxy_of_the_environment_is_asked(
    receive: Start, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, receiver = receive(), receive()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

    assert DELIVERED == send(receiver.url)
    assert ([], 1) == (proxy.told, len(receiver.told))


def test_an_answer_that_echoes_the_request_tells_no_secret(receive: Start, send: Send) -> None:
    def echo(told: Told) -> Iterable[bytes]:
        yield answer("500 Oops", body=repr(told).encode())

    outcome = send(receive(echo).url)

    assert SECRET not in outcome.error
    assert SECRET.removeprefix("whsec_") not in outcome.error
