"""To which addresses webhooks go: never to the inside, and no name holds up another's."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence

import pytest

from lake.addresses import parse_networks
from lake.clock import SystemClock
from speed_layer.delivery.guard import Guard
from speed_layer.delivery.outcome import DELIVERED, Outcome
from speed_layer.delivery.webhook import WebhookSender
from tests.receiving import Authority, Start
from tests.sending import LOOPBACK, Send, claimed


def leads_to(*addresses: str) -> Callable[[str], Sequence[str]]:
    return lambda _: addresses


def test_another_address_is_tried_where_nobody_answers_at_the_first(
    receive: Start, send: Send
) -> None:
    receiver = receive()
    url = f"http://hooks.example.com:{receiver.port}/"

    assert DELIVERED == send(url, look_up=leads_to("127.0.0.2", "127.0.0.3", "127.0.0.1"))
    assert f"hooks.example.com:{receiver.port}" == receiver.told[0].headers["host"]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.7"],
        ["169.254.169.254"],
        ["8.8.8.8", "127.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["::1"],
        ["fe80::1%1"],
    ],
)
def test_a_name_that_leads_inside_is_not_told(
    receive: Start, send: Send, addresses: list[str]
) -> None:
    receiver = receive()
    url = f"https://hooks.example.com:{receiver.port}/"
    outcome = send(url, allow="", look_up=leads_to(*addresses))

    fact = "hooks.example.com leads to an address that is not of the public internet."
    assert Outcome(fact) == outcome
    assert [] == receiver.told


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0"]
)
def test_however_an_inner_address_is_written_it_is_not_told(
    receive: Start, send: Send, host: str
) -> None:
    receiver = receive()
    outcome = send(f"https://{host}:{receiver.port}/", allow="")

    assert outcome.error.endswith("leads to an address that is not of the public internet.")
    assert [] == receiver.told


def test_what_is_public_is_not_told_without_encryption(send: Send) -> None:
    outcome = send("http://hooks.example.com/", look_up=leads_to("8.8.8.8"))

    assert Outcome("http to hooks.example.com is not encrypted.") == outcome


def test_the_address_that_was_checked_is_the_one_that_is_told(receive: Start, send: Send) -> None:
    """A name that leads elsewhere at its second look, as in DNS rebinding."""
    inner, outer = receive(), receive()
    looked: list[str] = []

    def rebinding(host: str) -> Sequence[str]:
        looked.append(host)
        return ["127.0.0.1"] if len(looked) == 1 else ["127.0.0.99"]

    url = f"http://hooks.example.com:{outer.port}/"
    assert DELIVERED == send(url, allow="127.0.0.1", look_up=rebinding)
    assert ["hooks.example.com"] == looked
    assert ([], 1) == (inner.told, len(outer.told))


@pytest.mark.parametrize("known", [[], ["nonsense"]])
def test_a_name_that_leads_nowhere_failed(send: Send, known: list[str]) -> None:
    outcome = send("https://hooks.example.com/", look_up=leads_to(*known))

    assert Outcome("no answer: its name leads nowhere") == outcome


def test_a_name_that_cannot_be_failed(send: Send) -> None:
    assert Outcome("no answer: its name is none") == send(f"https://{'a' * 64}.example.com/")


def test_a_resolver_that_hangs_holds_up_no_other(receive: Start) -> None:
    receiver = receive()
    looked: list[str] = []

    def slow(host: str) -> Sequence[str]:
        looked.append(host)
        if host == "slow.example.com":
            receiver.pause(30)
        return ["127.0.0.1"]

    async def run() -> list[Outcome]:
        sender = WebhookSender(Guard(parse_networks(LOOPBACK), slow), SystemClock(), 1)
        hosts = ["slow.example.com"] * 100 + ["quick.example.com"]
        urls = [f"http://{host}:{receiver.port}/" for host in hosts]
        outcomes = await asyncio.gather(*(sender.send(claimed(url)) for url in urls))
        await sender.close()
        return list(outcomes)

    outcomes = asyncio.run(run())
    receiver.close()
    assert [Outcome("no answer within 1 s")] * 100 + [DELIVERED] == outcomes
    assert ["quick.example.com", "slow.example.com"] == sorted(looked)


def test_names_that_hang_hold_up_no_other_owner(receive: Start) -> None:
    receiver = receive()
    hung: list[str] = []

    def slow(host: str) -> Sequence[str]:
        if host.startswith("slow"):
            hung.append(host)
            receiver.pause(60)
        return ["127.0.0.1"]

    async def run() -> list[Outcome]:
        guard = Guard(parse_networks(LOOPBACK), slow)
        hasty, patient = (WebhookSender(guard, SystemClock(), seconds) for seconds in (0.3, 30))
        outcomes: list[Outcome] = []
        for begin in (0, 100):  # the second time, those of the first are looked up still
            urls = [f"http://slow{begin + number}.test:{receiver.port}/" for number in range(100)]
            quick = patient.send(claimed(f"http://quick.test:{receiver.port}/", owner="you"))
            told = [hasty.send(claimed(url)) for url in urls]
            outcomes += await asyncio.gather(*told, quick)
        await patient.close()
        await hasty.close()
        return outcomes

    outcomes = asyncio.run(run())
    receiver.close()
    assert 2 * [*[Outcome("no answer within 0.3 s")] * 100, DELIVERED] == outcomes
    assert 8 == len(hung)


def test_all_names_of_an_owner_get_their_turn(receive: Start) -> None:
    receiver = receive()
    doing: list[str] = []
    most = 0

    def look(host: str) -> Sequence[str]:
        nonlocal most
        doing.append(host)
        most = max(most, len(doing))
        time.sleep(0.01)
        doing.remove(host)
        return ["127.0.0.1"]

    async def run() -> list[Outcome]:
        sender = WebhookSender(Guard(parse_networks(LOOPBACK), look), SystemClock(), 30)
        urls = [f"http://name{number % 40}.test:{receiver.port}/" for number in range(50)]
        outcomes = await asyncio.gather(*(sender.send(claimed(url)) for url in urls))
        await sender.close()
        return list(outcomes)

    assert [DELIVERED] * 50 == asyncio.run(run())
    assert most <= 8


def test_a_certificate_must_be_the_host_s_and_its_address_is_none(
    receive: Start, send: Send, authority: Authority
) -> None:
    receiver = receive(tls=authority.serving)
    here = leads_to("127.0.0.1")
    trusting = authority.trusting

    def told(host: str, tls: ssl.SSLContext | None) -> str:
        return send(f"https://{host}:{receiver.port}/", look_up=here, tls=tls).error

    assert "" == told("hooks.example.com", trusting)
    assert "" == told("hooks.example.com.", trusting)
    assert "" == told("192.0.2.1", trusting)
    assert "Hostname mismatch" in told("other.example.com", trusting)
    assert "IP address mismatch" in told("127.0.0.1", trusting)
    assert "CERTIFICATE_VERIFY_FAILED" in told("hooks.example.com", None)
    assert 3 == len(receiver.told)
