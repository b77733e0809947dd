"""Massive's messages as events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lake.massive_symbols import massive_symbol
from speed_layer.feed.massive_events import Reader, topics_of

MS = 1_767_623_400_123
RECEIVED = MS * 1000 + 250_500
TRADE = {
    "ev": "T",
    "sym": "BACpL",
    "x": 4,
    "i": "52",
    "z": 3,
    "p": 21.5,
    "s": 0.25,
    "t": MS,
    "q": 9,
}
MINUTE: dict[str, Any] = {
    "ev": "AM", "sym": "BRK.B", "v": 1200, "av": 1, "op": 1, "vw": 10.5, "o": 10, "c": 11,
    "h": 12, "l": 9, "a": 10, "z": 100, "s": MS, "e": MS + 60_000,
}  # fmt: skip
STATUS = {"ev": "status", "status": "success", "message": "subscribed to: T.*"}


def read(*messages: object) -> list[dict[str, Any]]:
    return Reader().frames([(RECEIVED, json.dumps(messages))]).events.to_dicts()


def test_a_trade_of_the_socket() -> None:
    (event,) = read({**TRADE, "c": [12, 37]})

    assert {
        "kind": "trade", "symbol": "BAC.PRL", "time": MS * 1000, "sequence": 9, "revision": 0,
        "minute": 0, "moves": 0, "price": 21.5, "size": 0.25, "cancelled": False, "open": None,
        "high": None, "low": None, "vwap": None, "trades": None, "conditions": [12, 37],
        "received": RECEIVED, "source": "massive",
    } == event  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), [("A", "second"), ("AM", "minute")])
def test_an_aggregate_of_the_socket_is_revised_by_when_it_comes(name: str, kind: str) -> None:
    (event,) = read({**MINUTE, "ev": name})

    assert {
        "kind": kind, "symbol": "BRK.B", "time": MS * 1000, "sequence": 0, "revision": 250,
        "minute": 0, "moves": 0, "price": 11.0, "size": 1200.0, "cancelled": False, "open": 10.0,
        "high": 12.0, "low": 9.0, "vwap": 10.5, "trades": None, "conditions": [],
        "received": RECEIVED, "source": "massive",
    } == event  # fmt: skip


def test_kinds_that_come_in_turn_keep_their_order_and_statuses_are_passed_over() -> None:
    events = read(STATUS, MINUTE, TRADE, MINUTE, {**TRADE, "q": 10})

    assert [("minute", 0), ("trade", 9), ("minute", 0), ("trade", 10)] == [
        (event["kind"], event["sequence"]) for event in events
    ]


@pytest.mark.parametrize("code", [7, 8, 1, 12, None])
def test_rest_tells_a_trade_as_the_socket_does_and_what_became_of_it(code: int | None) -> None:
    row = {
        "sip_timestamp": MS * 1_000_000 + 999_999, "sequence_number": 9, "price": 21.5,
        "size": 0.25, "conditions": [37], "correction": code,
    }  # fmt: skip
    (event,) = Reader().trades("BACpL", [row], RECEIVED).to_dicts()
    (told,) = read({**TRADE, "c": [37]})

    assert {
        **told, "revision": int(code is not None), "cancelled": code in {7, 8},
    } == event  # fmt: skip


def test_rest_tells_of_how_many_trades_an_aggregate_is() -> None:
    row = {"t": MS, "o": 10, "h": 12, "l": 9, "c": 11, "v": 1200, "vw": 10.5, "n": 7}
    (event,) = Reader().bars("BRK.B", "minute", [row], RECEIVED).to_dicts()
    (told,) = read(MINUTE)

    assert {**told, "trades": 7} == event


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "{}",
        "17",
        "[17]",
        '[{"ev":"T"}]',
        '[{"ev":"Q","sym":"A"}]',
        '[{"sym":"A"}]',
        json.dumps([{**TRADE, "p": "much"}]),
        json.dumps([{**TRADE, "p": {}}]),
        json.dumps([{**TRADE, "t": None}]),
        json.dumps([{**TRADE, "q": 2**70}]),
        json.dumps([{**TRADE, "sym": None}]),
        json.dumps([{**TRADE, "sym": []}]),
        json.dumps([{**TRADE, "c": ["x"]}]),
    ],
)
def test_what_is_no_event_is_kept_apart_as_it_came(bad: str) -> None:
    good = json.dumps([TRADE])
    delivery = Reader().frames([(1, good), (2, bad), (3, good)])

    assert [1, 3] == delivery.events["received"].to_list()
    assert [2] == [each.received for each in delivery.malformed]


@pytest.mark.parametrize(
    ("bad", "symbols"),
    [
        ("[{", None),
        ("[17]", None),
        ('[{"ev":"T"}]', None),
        ('[{"ev":"T","sym":"BAcpL"}]', None),
        (json.dumps([{**TRADE, "p": "much"}]), frozenset({"BAC.PRL"})),
        ('[{"ev":"XT","pair":"BTC-USD"}]', frozenset()),
    ],
)
def test_whose_event_it_may_have_been_is_told(bad: str, symbols: frozenset[str] | None) -> None:
    (malformed,) = Reader().frames([(1, bad)]).malformed

    assert symbols == malformed.symbols


def test_what_is_no_event_is_told_as_it_came() -> None:
    frame = json.dumps([TRADE, {"ev": "T"}])
    delivery = Reader().frames([(1, frame), (2, b"{\xff")])

    assert {'{"ev": "T"}', "{\N{REPLACEMENT CHARACTER}"} == {
        each.text for each in delivery.malformed
    }


def test_topics_are_spelt_as_the_vendor_does() -> None:
    assert "T.BRK.B,T.BACpL" == topics_of(["trade"], ["BRK.B", "BAC.PRL"], massive_symbol)
    assert "A.*,AM.*" == topics_of(["second", "minute"], [], massive_symbol)
