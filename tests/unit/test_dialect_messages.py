"""What vendors' dialects read and write, without a socket."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.event import Event
from lake.wire import events_of
from serving_layer.dialects.alpaca_messages import Alpaca, Json, Msgpack
from serving_layer.dialects.dialect import Asked, BadFrameError, Dialect, Said, Topic
from serving_layer.dialects.massive_messages import Massive
from serving_layer.dialects.minutes import Minute
from serving_layer.stream.flow import BarRow, bar_rows
from tests.events import OPEN_US
from tests.events import trades as some_trades
from tests.live import OPEN, bar, bars_of

MASSIVE = Massive()
JSON = Alpaca(Json())
MSGPACK = Alpaca(Msgpack())
DIALECTS: list[Dialect] = [MASSIVE, JSON, MSGPACK]
OPEN_MS = OPEN // 1000

JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FRAMES = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["auth", "subscribe", "unsubscribe", "x"]) | JSON_LIKE,
        "params": st.sampled_from(["AM.*", "T.AAPL,A.x", "", ".", "AM.,,"]) | JSON_LIKE,
        "secret": JSON_LIKE,
        "bars": st.lists(st.text() | st.just("*")) | JSON_LIKE,
        "quotes": JSON_LIKE,
    },
)


def row(**others: Any) -> BarRow:
    return bar_rows(bars_of(bar(**others)))[0]


@pytest.mark.parametrize(
    ("params", "topics"),
    [
        ("AM.AAPL", [Topic("minutes", "AAPL")]),
        ("AM.*, T.BRK.B", [Topic("minutes", "*"), Topic("trades", "BRK.B")]),
        ("A.BACpL", [Topic("seconds", "BAC.PRL")]),
    ],
)
def test_massives_topics_are_read_as_the_lake_spells_symbols(
    params: str, topics: list[Topic]
) -> None:
    asked = MASSIVE.read(json.dumps({"action": "subscribe", "params": params}))

    assert Asked("subscribe", topics=tuple(topics)) == asked
    said = [json.loads(each)["message"] for each in MASSIVE.subscribed(asked, topics)]
    assert [f"subscribed to: {name.strip()}" for name in params.split(",")] == said


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ("Q.AAPL", "'Q.AAPL': 'Q' is not told. Allowed: AM, A, T."),
        ("AAPL", "'AAPL' is not a topic. Allowed: as AM.AAPL or AM.*."),
        ("AM.", "'AM.': '' is not a ticker."),
        ("", "'' is not a topic. Allowed: as AM.AAPL or AM.*."),
    ],
)
def test_of_massives_topics_the_bad_ones_are_refused(params: str, reason: str) -> None:
    asked = MASSIVE.read(json.dumps({"action": "subscribe", "params": f"{params},AM.AAPL"}))

    assert ((Topic("minutes", "AAPL"),), (reason,)) == (asked.topics, asked.refused)


def test_massives_minute_has_what_its_documentation_says() -> None:
    minute = row(symbol="BAC.PRL", volume=300.0, trades=2)
    day = row(symbol="BAC.PRL", interval="1d", volume=1000.5, open=8.0, vwap=9.25)
    stream, item = MASSIVE.minute(Minute(minute, day, again=True))

    assert "minutes" == stream
    assert {
        "ev": "AM",
        "sym": "BACpL",
        "v": 300,
        "av": 1000.5,
        "op": 8.0,
        "vw": 10.5,
        "o": 10.0,
        "c": 11.0,
        "h": 12.0,
        "l": 9.0,
        "a": 9.25,
        "z": 150,
        "s": OPEN_MS,
        "e": OPEN_MS + 60_000,
    } == json.loads(item.message)


def test_before_the_open_massives_minute_says_nothing_of_the_day() -> None:
    _, item = MASSIVE.minute(Minute(row(trades=None, vwap=None), None, again=False))

    told = json.loads(item.message)
    assert told["vw"] is None
    assert not {"av", "op", "a", "z"} & told.keys()


def test_trades_are_relayed_as_they_were_first_told() -> None:
    first = Event("trade", "BRK.B", OPEN_US, 7, price=1.5, size=0.25, conditions=(14, 41))
    void = Event("trade", "BRK.B", OPEN_US, 7, revision=1, cancelled=True)
    events = events_of(asdict(event) for event in (first, void))

    told = [json.loads(item.message) for item in MASSIVE.events(events, {})]
    assert [
        {
            "ev": "T",
            "sym": "BRK.B",
            "i": "7",
            "p": 1.5,
            "s": 0.25,
            "c": [14, 41],
            "t": OPEN_MS,
            "q": 7,
        }
    ] == told
    told = [json.loads(item.message) for item in JSON.events(events, {})]
    stamp = "2026-01-05T14:30:00Z"
    assert [
        {"T": "t", "S": "BRK.B", "i": 7, "p": 1.5, "s": 0.25, "c": ["14", "41"], "t": stamp}
    ] == told


def test_seconds_are_relayed_by_massive_alone() -> None:
    second = Event(
        "second", "AAPL", OPEN_US, price=11.0, size=20.0, open=10.0, high=12.0, low=9.0, trades=4
    )
    events = events_of([asdict(second)])
    (item,) = MASSIVE.events(events, {"AAPL": row(interval="1d", volume=70.0)})

    told = json.loads(item.message)
    assert ("A", 20, 70, 5, OPEN_MS, OPEN_MS + 1000) == tuple(
        told[name] for name in ("ev", "v", "av", "z", "s", "e")
    )
    assert [] == JSON.events(events, {})


def test_alpacas_bars_are_the_same_as_json_and_as_msgpack() -> None:
    minute = Minute(row(volume=6.0), None, again=True)
    stream, text = JSON.minute(minute)
    _, binary = MSGPACK.minute(minute)

    assert "changed minutes" == stream
    expected = {"S": "AAPL", "o": 10.0, "h": 12.0, "l": 9.0, "c": 11.0, "v": 6, "n": 3, "vw": 10.5}
    assert {"T": "u", **expected, "t": "2026-01-05T14:30:00Z"} == json.loads(text.message)
    (unpacked,) = msgpack.unpackb(MSGPACK.frame([binary.message]), timestamp=3)
    opened = dt.datetime(2026, 1, 5, 14, 30, tzinfo=dt.UTC)
    assert {"T": "u", **expected, "t": opened} == unpacked


def test_alpacas_day_begins_at_midnight_in_new_york() -> None:
    item = JSON.day(row(interval="1d"))

    assert item is not None
    told = json.loads(item.message)
    assert ("d", "2026-01-05T05:00:00Z") == (told["T"], told["t"])


def test_alpacas_subscriptions_are_told_in_full() -> None:
    frame = {"action": "subscribe", "bars": ["brk/b", "*"], "quotes": ["AAPL"], "lulds": []}
    asked = JSON.read(json.dumps(frame))

    assert (("quotes are not told here.",), "subscribe") == (asked.refused, asked.action)
    (answer,) = JSON.subscribed(asked, asked.topics)
    told = json.loads(answer)
    assert ["*", "BRK.B"] == told.pop("bars")
    assert "subscription" == told.pop("T")
    others = "trades quotes updatedBars dailyBars statuses lulds corrections cancelErrors"
    assert {name: [] for name in others.split()} == told


@pytest.mark.parametrize(
    "frame",
    [
        {"action": "subscribe", "barz": ["AAPL"]},
        {"action": "subscribe", "bars": "AAPL"},
        {"action": "subscribe", "bars": ["not a symbol"]},
        {"action": "subscribe", "bars": ["A" * 33]},
        {"action": "auth", "key": "no secret"},
        {"action": "listen"},
        [],
    ],
)
def test_frames_that_make_no_sense_to_alpaca_are_refused(frame: Any) -> None:
    with pytest.raises(BadFrameError):
        JSON.read(json.dumps(frame))
    with pytest.raises(BadFrameError):
        MSGPACK.read(msgpack.packb(frame))


@pytest.mark.parametrize("depth", [1_000, 20_000])
@pytest.mark.parametrize("frame", ['{"action":%s}', '{"action":"subscribe","trades":%s}'])
@pytest.mark.parametrize("dialect", [JSON, MASSIVE])
def test_a_frame_that_is_too_deep_is_refused(dialect: Dialect, frame: str, depth: int) -> None:
    with pytest.raises(BadFrameError):
        dialect.read(frame % ("[" * depth + "]" * depth))


def test_alpaca_says_by_number_what_is_wrong() -> None:
    errors = {}
    for said in set(Said) - {Said.CONNECTED, Said.AUTHENTICATED}:
        told = json.loads(JSON.say(said, "why"))
        assert ("error", "why") == (told["T"], told["detail"])
        errors[told["code"]] = told["msg"]

    assert {
        400: "invalid syntax",
        401: "not authenticated",
        402: "auth failed",
        403: "already authenticated",
        404: "auth timeout",
        405: "symbol limit exceeded",
        406: "connection limit exceeded",
        407: "slow client",
        409: "insufficient subscription",
        410: "invalid subscribe action for this feed",
        500: "internal error",
    } == errors


def test_massive_can_say_everything() -> None:
    for said in Said:
        assert "status" == json.loads(MASSIVE.say(said))["ev"]


@pytest.mark.parametrize("dialect", DIALECTS)
@given(frame=st.binary() | st.text() | FRAMES.map(json.dumps) | FRAMES.map(json.dumps).map(str))
def test_whatever_comes_is_read_or_refused(dialect: Dialect, frame: str | bytes) -> None:
    try:
        asked = dialect.read(frame)
    except BadFrameError:
        return
    assert asked.action in {"auth", "subscribe", "unsubscribe"}
    assert all(json.loads(JSON.say(Said.NOT_OFFERED, why)) for why in asked.refused)
    dialect.subscribed(asked, asked.topics)


@given(frame=FRAMES)
def test_whatever_comes_packed_is_read_or_refused(frame: dict[str, Any]) -> None:
    with suppress(BadFrameError):
        assert MSGPACK.read(msgpack.packb(frame)).action in {"auth", "subscribe", "unsubscribe"}


def test_a_frame_of_many_thousand_messages_is_one_array() -> None:
    event = some_trades(["AAPL"])
    for dialect, decoded in ((MASSIVE, json.loads), (JSON, json.loads), (MSGPACK, msgpack.unpackb)):
        (item,) = dialect.events(event, {})
        for count in (1, 16, 70_000):
            assert count == len(decoded(dialect.frame([item.message] * count)))
