"""What the stream answers to frames that make no sense, and to too many or too large ones."""

from __future__ import annotations

import pytest

from fiblake import Lake
from serving_layer.auth.buckets import Rate
from speed_layer.views import MemoryView
from tests.live import NO_BARS, price, prices_of
from tests.streaming import Client, streaming

DEEP = "[" * 1_000 + "]" * 1_000
"""It can be read as JSON, and not be written by Python."""


@pytest.mark.parametrize(
    ("frame", "code", "why"),
    [
        ("[]", "bad_frame", "not an object"),
        ("{", "bad_frame", "not JSON"),
        ('{"action":"ping","id":1.5}', "bad_frame", "neither an integer nor a string"),
        ('{"action":"jump"}', "bad_action", "'jump' is not an action. Allowed: auth, subscribe"),
        ('{"action":"subscribe"}', "bad_frame", "The channels are no list of names"),
        ('{"action":"subscribe","channels":[]}', "bad_frame", "The channels are no list of names"),
        ('{"action":"subscribe","channels":[5]}', "bad_channel", "'5' is not a channel"),
        ('{"action":"subscribe","channels":["AAPL"]}', "bad_channel", "'AAPL' is not a channel"),
        ('{"action":"subscribe","channels":["bars:7m:A"]}', "unknown_interval", "'7m' is not"),
        ('{"action":"subscribe","channels":["*"],"resume_from":5}', "bad_frame", "names no stream"),
        (
            '{"action":"subscribe","channels":["*"],"resume_from":{"stream":"a","*":"b"}}',
            *("bad_frame", "The seq of '*' in resume_from is not an integer"),
        ),
        ('{"action":"auth"}', "bad_frame", "has no key"),
        (f'{{"action":{DEEP}}}', "bad_action", "A list is not an action"),
        (f'{{"action":"subscribe","channels":[{DEEP}]}}', "bad_channel", "A list is not a channel"),
        (f'{{"action":"ping","id":{DEEP}}}', "bad_frame", "neither an integer nor a string"),
        ("[" * 20_000 + "]" * 20_000, "bad_frame", "not JSON"),
    ],
)
def test_what_makes_no_sense_is_answered_and_the_connection_lives(
    stream_client: Client, frame: str, code: str, why: str
) -> None:
    stream_client.send_raw(frame)
    told = stream_client.until("error")

    assert code == told["code"]
    assert why in told["message"]
    stream_client.send("ping", id=1)
    assert 1 == stream_client.until("pong")["id"]


def test_one_bad_channel_among_several_subscribes_to_none(
    held_view: MemoryView, stream_client: Client
) -> None:
    stream_client.send("subscribe", "price:AAPL", "price:?", id=3)
    told = stream_client.until("error")
    assert ("bad_channel", 3) == (told["code"], told["id"])

    held_view.put(NO_BARS, prices_of(price()))
    stream_client.subscribe("price:MSFT")
    held_view.put(NO_BARS, prices_of(price("MSFT", 2)))
    stream_client.until_known(lambda it: it.price("MSFT") == 2.0)
    assert {"price:MSFT"} == stream_client.items.keys()


def test_too_many_channels_are_refused(lake: Lake, held_view: MemoryView) -> None:
    with streaming(lake, held_view, channels=2) as host, Client(host) as client:
        client.subscribe("price:A", "price:B")
        client.send("subscribe", "price:B", "price:C", id=1)
        told = client.until("error")
        assert ("too_many_channels", 1) == (told["code"], told["id"])
        assert "at most 2 channels" in told["message"]
        client.send("unsubscribe", "price:A")
        client.subscribe("price:C")


def test_an_action_names_a_thousand_channels_at_most(stream_client: Client) -> None:
    stream_client.send("subscribe", *[f"price:S{n}" for n in range(1001)])
    assert "too_many_channels" == stream_client.until("error")["code"]
    stream_client.subscribe(*[f"price:S{n}" for n in range(1000)])


def test_who_asks_too_often_is_refused_and_then_closed(lake: Lake, held_view: MemoryView) -> None:
    with (
        streaming(lake, held_view, actions=Rate(0.001, 5), bad=Rate(0.001, 3)) as host,
        Client(host) as client,
    ):
        for number in range(9):
            client.send("ping", id=number)
        assert (4010, "Too many bad frames.") == client.ended()

    kinds = [each["type"] for each in client.frames[1:]]
    assert ["pong"] * 5 + ["error"] * 4 == kinds
    assert {"rate_limited"} == {each["code"] for each in client.frames if "code" in each}


def test_a_binary_frame_and_one_that_is_too_large_end_the_connection(stream_host: str) -> None:
    with Client(stream_host) as client:
        client.send_raw(b"\x00")
        assert 1003 == client.ended()[0]
    with Client(stream_host) as client:
        client.send_raw("x" * 65_537)
        assert 1009 == client.ended()[0]
