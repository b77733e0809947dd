"""The stream of live prices and bars, over a real server, on a view in memory."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import polars as pl
import pytest

from fiblake import Lake
from serving_layer.auth.buckets import Rate
from speed_layer.views import MemoryView
from tests.feeding import eventually
from tests.live import (
    MINUTE,
    NO_BARS,
    NO_PRICES,
    OPEN,
    SESSION,
    bar,
    bars_of,
    day_bar,
    price,
    prices_of,
    vanished,
)
from tests.streaming import Client, streaming

MON, TUE = dt.date(2013, 3, 4), dt.date(2013, 3, 5)
FOUR = ("open", "high", "low", "close")
DEEP = "[" * 1_000 + "]" * 1_000
"""It can be read as JSON, and not be written by Python."""


def day(symbol: str, session: dt.date, close: float, trades: int) -> dict[str, Any]:
    return day_bar(symbol, session, trades, **dict.fromkeys(FOUR, close), volume=100.0)


@pytest.fixture
def held() -> MemoryView:
    return MemoryView()


@pytest.fixture
def host(lake: Lake, held: MemoryView) -> Iterator[str]:
    with streaming(lake, held) as host:
        yield host


@pytest.fixture
def client(host: str) -> Iterator[Client]:
    with Client(host) as client:
        yield client


def test_it_welcomes_and_answers_with_the_id_of_the_action(client: Client) -> None:
    welcome = client.read()
    client.send("ping", id="a")
    client.send("subscribe", "price:aapl", "*", id=7)
    client.send("unsubscribe", "price:AAPL", "price:MSFT", id=8)

    assert ("welcome", True, 15, {"channels": 1000, "frame_bytes": 65536}) == (
        *(welcome["type"], welcome["authenticated"], welcome["heartbeat_seconds"]),
        welcome["limits"],
    )
    pong = client.read()
    assert ("pong", "a") == (pong["type"], pong["id"])
    assert "2026-01-05T12:00:00Z" == pong["time"]
    subscribed = client.until("subscribed")
    assert {"type": "subscribed", "channels": ["price:AAPL", "price:*"], "id": 7} == subscribed
    gone = client.until("unsubscribed")
    assert {"type": "unsubscribed", "channels": ["price:AAPL", "price:MSFT"], "id": 8} == gone


def test_a_snapshot_comes_first_and_what_changes_then(held: MemoryView, client: Client) -> None:
    held.put(bars_of(bar(interval="5m")), prices_of(price(version=1), price("MSFT", 3)))
    client.subscribe("price:AAPL", "bars:5m:AAPL", "price:*")

    assert 1.0 == client.price("AAPL")
    assert {"AAPL": 1.0, "MSFT": 3.0} == {
        symbol: each["price"] for (symbol, _), each in client.items["price:*"].items()
    }
    held.put(bars_of(bar(interval="5m", version=4)), prices_of(price(version=2)))
    held.put(NO_BARS, prices_of(price("MSFT", 4)))
    client.until_known(
        lambda it: it.price("MSFT", "price:*") == 4.0 and it.price("AAPL", "price:*") == 2.0
    )
    client.until_known(lambda it: it.price("AAPL") == 2.0)

    assert {
        "symbol": "AAPL",
        "price": 2.0,
        "time": "2026-01-05T14:30:00.000002Z",
        "received": "2026-01-05T14:30:00.000007Z",
        "session": "2026-01-05",
        "source": "massive",
        "version": 2,
    } == client.items["price:AAPL"]["AAPL", None]
    client.until_known(
        lambda it: it.items["bars:5m:AAPL"]["AAPL", "2026-01-05T14:30:00Z"]["version"] == 4
    )
    assert {
        "symbol": "AAPL",
        "interval": "5m",
        "start": "2026-01-05T14:30:00Z",
        "open": 10.0,
        "high": 12.0,
        "low": 9.0,
        "close": 11.0,
        "volume": 4.0,
        "vwap": 10.5,
        "trades": 3,
        "minutes": 1,
        "sessions": 1,
        "sessions_expected": 1,
        "through": "2026-01-05",
        "state": "forming",
        "version": 4,
    } == client.items["bars:5m:AAPL"]["AAPL", "2026-01-05T14:30:00Z"]


def test_hours_and_intervals_are_kept_apart(held: MemoryView, client: Client) -> None:
    client.subscribe("bars:5m:AAPL", "bars:5m:AAPL:extended", "bars:5m:*")
    late = OPEN + 400 * MINUTE
    held.put(
        bars_of(
            bar(interval="5m"),
            bar(interval="5m", hours="extended", start=late),
            bar(interval="1m"),
            bar("MSFT", interval="5m"),
        ),
        NO_PRICES,
    )
    client.until_known(lambda it: len(it.items["bars:5m:*"]) == 2)

    assert [("AAPL", "2026-01-05T14:30:00Z")] == list(client.items["bars:5m:AAPL"])
    assert [("AAPL", "2026-01-05T21:10:00Z")] == list(client.items["bars:5m:AAPL:extended"])


def test_a_bar_and_a_price_that_vanish_are_told(held: MemoryView, client: Client) -> None:
    held.put(bars_of(bar()), prices_of(price()))
    client.subscribe("bars:1m:AAPL", "price:AAPL")
    held.put(bars_of(vanished()), prices_of(price(version=9, price=None, time=0, received=0)))
    client.until_known(lambda it: not it.items["bars:1m:AAPL"] and not it.items["price:AAPL"])

    with Client(client.host) as late:
        late.subscribe("bars:1m:AAPL", "price:AAPL")
        assert {"bars:1m:AAPL": {}, "price:AAPL": {}} == late.items


def test_a_snapshot_of_minutes_is_of_the_latest_session(held: MemoryView, client: Client) -> None:
    day_s = 24 * 60 * MINUTE
    eve = SESSION - dt.timedelta(days=1)
    held.put(bars_of(bar(session=eve, start=OPEN - day_s), bar()), NO_PRICES)
    client.subscribe("bars:1m:AAPL")
    assert [("AAPL", "2026-01-05T14:30:00Z")] == list(client.items["bars:1m:AAPL"])

    after = SESSION + dt.timedelta(days=1)
    held.put(bars_of(bar(session=after, start=OPEN + day_s)), NO_PRICES)
    client.until_known(lambda it: len(it.items["bars:1m:AAPL"]) == 2)
    client.subscribe("bars:1m:AAPL")
    assert [("AAPL", "2026-01-06T14:30:00Z")] == list(client.items["bars:1m:AAPL"])


def test_a_large_snapshot_comes_in_parts(held: MemoryView, client: Client) -> None:
    held.put(NO_BARS, prices_of(*[price(f"S{n}") for n in range(5000)]))
    client.subscribe("price:*")
    client.until_known(lambda it: len(it.items["price:*"]) == 5000)

    assert all(len(json.dumps(each)) < 2**20 for each in client.frames)
    assert len(client.items["price:*"]) == 5000
    assert len([each for each in client.frames if each["type"] == "snapshot"]) == 1


def test_who_comes_back_is_told_what_changed_since(held: MemoryView, host: str) -> None:
    names = ("price:AAPL", "price:*", "bars:1m:AAPL")
    held.put(bars_of(bar()), prices_of(price(version=1), price("MSFT")))
    with Client(host) as before:
        before.subscribe(*names)
        stream = before.frames[0]["stream"]
    held.put(bars_of(bar(version=4)), prices_of(price(version=2), price("IBM")))
    with Client(host) as probe:
        probe.subscribe("price:IBM", "bars:1m:AAPL")
        probe.until_known(lambda it: bool(it.items["bars:1m:AAPL"]) and it.price("IBM") is not None)
    with Client(host) as back:
        back.items, back.seqs = before.items, before.seqs
        back.subscribe(*names, resume_from={"stream": stream, **before.seqs})
        back.until_known(lambda it: it.price("IBM", "price:*") == 1.0)
        back.until_known(
            lambda it: it.items["bars:1m:AAPL"]["AAPL", "2026-01-05T14:30:00Z"]["version"] == 4
        )

    assert [] == [each for each in back.frames if each["type"] in {"snapshot", "gap"}]
    assert 2.0 == back.price("AAPL")
    assert {"AAPL", "MSFT", "IBM"} == {symbol for symbol, _ in back.items["price:*"]}
    told = [event for each in back.frames for event in each.get("events", ())]
    assert 1 == len([event for event in told if event["channel"] == "price:AAPL"])
    assert 2 == len([event for event in told if event["channel"] == "price:*"])


def test_who_was_told_by_another_stream_has_a_gap(held: MemoryView, client: Client) -> None:
    held.put(NO_BARS, prices_of(price()))
    client.subscribe("price:AAPL", resume_from={"stream": "other", "price:AAPL": 17})

    gap, snapshot = client.frames[-2:]
    assert ("gap", "price:AAPL", 17, "restarted") == (
        *(gap["type"], gap["channel"], gap["from"]),
        gap["why"],
    )
    assert "snapshot" == snapshot["type"]
    assert 1.0 == client.price("AAPL")


def test_what_was_let_go_is_told_as_a_gap(lake: Lake, held: MemoryView) -> None:
    with streaming(lake, held, idle_s=0.1) as host, Client(host) as client:
        client.subscribe("price:AAPL", "price:MSFT")
        resume = {"stream": client.frames[0]["stream"], **client.seqs}

        def is_let_go() -> bool:
            client.send("unsubscribe", "price:AAPL")
            time.sleep(0.2)
            client.subscribe("price:AAPL", resume_from=resume)
            return any(each["type"] == "gap" for each in client.frames)

        assert eventually(is_let_go)
        gap = client.frames[-2]
        assert ("slow", resume["price:AAPL"]) == (gap["why"], gap["from"])
        assert gap["until"] > gap["from"]


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
    client: Client, frame: str, code: str, why: str
) -> None:
    client.send_raw(frame)
    told = client.until("error")

    assert code == told["code"]
    assert why in told["message"]
    client.send("ping", id=1)
    assert 1 == client.until("pong")["id"]


def test_one_bad_channel_among_several_subscribes_to_none(held: MemoryView, client: Client) -> None:
    client.send("subscribe", "price:AAPL", "price:?", id=3)
    told = client.until("error")
    assert ("bad_channel", 3) == (told["code"], told["id"])

    held.put(NO_BARS, prices_of(price()))
    client.subscribe("price:MSFT")
    held.put(NO_BARS, prices_of(price("MSFT", 2)))
    client.until_known(lambda it: it.price("MSFT") == 2.0)
    assert {"price:MSFT"} == client.items.keys()


def test_what_was_unsubscribed_is_told_no_more(held: MemoryView, client: Client) -> None:
    client.subscribe("price:AAPL", "price:MSFT")
    client.send("unsubscribe", "price:AAPL")
    client.until("unsubscribed")
    held.put(NO_BARS, prices_of(price(), price("MSFT")))
    client.until_known(lambda it: it.price("MSFT") == 1.0)

    assert None is client.price("AAPL")


def test_too_many_channels_are_refused(lake: Lake, held: MemoryView) -> None:
    with streaming(lake, held, channels=2) as host, Client(host) as client:
        client.subscribe("price:A", "price:B")
        client.send("subscribe", "price:B", "price:C", id=1)
        told = client.until("error")
        assert ("too_many_channels", 1) == (told["code"], told["id"])
        assert "at most 2 channels" in told["message"]
        client.send("unsubscribe", "price:A")
        client.subscribe("price:C")


def test_an_action_names_a_thousand_channels_at_most(client: Client) -> None:
    client.send("subscribe", *[f"price:S{n}" for n in range(1001)])
    assert "too_many_channels" == client.until("error")["code"]
    client.subscribe(*[f"price:S{n}" for n in range(1000)])


def test_while_nobody_listens_the_view_is_left_alone(lake: Lake, held: MemoryView) -> None:
    with streaming(lake, held, idle_s=0.1) as host:
        for version in (1, 2):
            held.put(NO_BARS, prices_of(price(version=version)))
            with Client(host) as client:
                client.subscribe("price:AAPL")
                assert float(version) == client.price("AAPL")
                assert [] != held._mailboxes  # noqa: SLF001 - nobody else tells
            assert eventually(lambda: held._mailboxes == [])  # noqa: SLF001


class BadView(MemoryView):
    """A view that cannot be asked for one symbol."""

    def bars(self, symbol: str, *others: Any, **more: Any) -> pl.DataFrame:
        if symbol == "BAD" and self.is_bad:
            msg = "a defect"
            raise ZeroDivisionError(msg)
        return super().bars(symbol, *others, **more)

    is_bad = True


def test_what_cannot_be_read_of_one_channel_hinders_no_other(lake: Lake) -> None:
    view = BadView()
    view.put(bars_of(bar("BAD"), bar("AAPL")), NO_PRICES)
    with streaming(lake, view) as host, Client(host) as client:
        client.send("subscribe", "bars:1m:BAD", "bars:1m:AAPL", "bars:1d:BAD", "bars:1d:AAPL")
        client.until_known(lambda it: it.items.keys() == {"bars:1m:AAPL", "bars:1d:AAPL"})
        view.is_bad = False
        client.until_known(lambda it: len(it.items) == 4)
        assert 1 == len(client.items["bars:1m:BAD"])


def test_where_nothing_feeds_a_view_there_is_nothing_to_subscribe_to(lake: Lake) -> None:
    with streaming(lake, None) as host, Client(host) as client:
        client.send("subscribe", "*", id=1)
        told = client.until("error")

    assert ("no_feed", 1) == (told["code"], told["id"])


def test_who_asks_too_often_is_refused_and_then_closed(lake: Lake, held: MemoryView) -> None:
    with (
        streaming(lake, held, actions=Rate(0.001, 5), bad=Rate(0.001, 3)) as host,
        Client(host) as client,
    ):
        for number in range(9):
            client.send("ping", id=number)
        assert (4010, "Too many bad frames.") == client.ended()

    kinds = [each["type"] for each in client.frames[1:]]
    assert ["pong"] * 5 + ["error"] * 4 == kinds
    assert {"rate_limited"} == {each["code"] for each in client.frames if "code" in each}


def test_a_binary_frame_and_one_that_is_too_large_end_the_connection(host: str) -> None:
    with Client(host) as client:
        client.send_raw(b"\x00")
        assert 1003 == client.ended()[0]
    with Client(host) as client:
        client.send_raw("x" * 65_537)
        assert 1009 == client.ended()[0]


def test_a_quiet_connection_has_heartbeats(lake: Lake, held: MemoryView) -> None:
    with streaming(lake, held, heartbeat_s=0.2) as host, Client(host) as client:
        assert "2026-01-05T12:00:00Z" == client.until("heartbeat")["time"]


def test_when_the_server_goes_away_it_says_so(lake: Lake, held: MemoryView) -> None:
    with streaming(lake, held) as host:
        client = Client(host)
        client.subscribe("price:*")
    with client:
        assert 1001 == client.ended()[0]


def five(symbol: str, at: int, version: int, state: str = "forming") -> dict[str, Any]:
    start = OPEN + 5 * at * MINUTE
    return bar(symbol, version, interval="5m", start=start, state=state)


def test_a_start_is_complete_after_its_last_bar_is_final(held: MemoryView, host: str) -> None:
    # 09:30    A forming ── final
    #          B forming ──────────── final       C late ── final
    held.put(bars_of(five("A", 0, 2), five("B", 0, 2)), prices_of(price("A"), price("B")))
    with Client(host) as one, Client(host) as all_of_them:
        one.subscribe("bars:5m:A")
        all_of_them.subscribe("bars:5m:*")
        held.put(bars_of(five("A", 0, 3, "final"), five("A", 1, 2)), NO_PRICES)
        one.until_known(lambda it: len(it.items["bars:5m:A"]) == 2)
        held.put(bars_of(five("B", 0, 3, "final")), NO_PRICES)
        told = one.until("complete")
        assert {
            "type": "complete",
            "channel": "bars:5m:A",
            "interval": "5m",
            "start": "2026-01-05T14:30:00Z",
            "end": "2026-01-05T14:35:00Z",
            "symbols": 2,
        } == told
        assert "bars:5m:*" == all_of_them.until("complete")["channel"]
        states = {each["state"] for each in all_of_them.items["bars:5m:*"].values()}
        assert {"final", "forming"} == states

        held.put(bars_of(five("C", 0, 2)), NO_PRICES)
        held.put(bars_of(five("C", 0, 3, "final")), NO_PRICES)
        assert 3 == all_of_them.until("complete")["symbols"]
        assert ("C", "2026-01-05T14:30:00Z") in all_of_them.items["bars:5m:*"]


def test_what_was_complete_before_anybody_asked_is_not_told(
    held: MemoryView, client: Client
) -> None:
    held.put(bars_of(five("A", 0, 3, "final")), prices_of(price("A")))
    client.subscribe("bars:5m:A", "bars:5m:*")
    held.put(bars_of(five("A", 1, 3, "final")), NO_PRICES)

    assert "2026-01-05T14:35:00Z" == client.until("complete")["start"]


def test_a_start_of_the_last_bar_ends_with_its_hours(held: MemoryView, client: Client) -> None:
    client.subscribe("bars:4h:A", "bars:1d:*")
    client.until_known(lambda it: "bars:1d:*" in it.items)
    afternoon = OPEN + 240 * MINUTE
    held.put(bars_of(bar("A", 3, interval="4h", start=afternoon, state="final")), NO_PRICES)
    assert "2026-01-05T21:00:00Z" == client.until("complete")["end"]

    held.put(bars_of({**day("A", SESSION, 5.0, 3), "state": "final"}), NO_PRICES)
    told = client.until("complete", lambda each: each["interval"] == "1d")
    assert ("2026-01-05", "2026-01-06T01:00:00Z") == (told["start"], told["end"])


def bars_through(client: Client, channel: str) -> list[tuple[str, str, float]]:
    held = client.items[channel].values()
    return [(each["start"], each["through"], each["close"]) for each in held]


def test_bars_of_sessions_move_with_ticks_and_when_batch_commits(
    own_sample_lake: Lake, held: MemoryView, csv_file: Any
) -> None:
    # lake     ... |02-19 ...     Fri 03-01|
    # live                                  Mon         13 sessions to 03-07
    with streaming(own_sample_lake, held) as host, Client(host) as client:
        client.subscribe("bars:13d:AAPL", "bars:1d:AAPL")
        assert "2013-03-01" == client.frames[-1]["boundary"]
        assert [("2013-01-30", "2013-02-15"), ("2013-02-19", "2013-03-01")] == [
            each[:2] for each in bars_through(client, "bars:13d:AAPL")
        ]
        assert ["2013-02-28", "2013-03-01"] == [
            start for start, *_ in bars_through(client, "bars:1d:AAPL")
        ]

        held.put(bars_of(day("AAPL", MON, 500.0, 2)), NO_PRICES)
        moved = ("2013-02-19", "2013-03-04", 500.0)
        client.until_known(lambda it: bars_through(it, "bars:13d:AAPL")[-1] == moved)
        client.until_known(lambda it: len(it.items["bars:1d:AAPL"]) == 3)
        live = client.items["bars:1d:AAPL"]["AAPL", "2013-03-04"]
        assert (500.0, 4, "forming") == (live["close"], live["version"], live["state"])
        assert {"AAPL"} == {symbol for symbol, _ in client.items["bars:13d:AAPL"]}

        rows = [f"{name},2013-03-04,500,501,500,501,100" for name in ("AAPL", "IBM")]
        own_sample_lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
        own_sample_lake.resample()
        status = client.until("status")
        assert ("merged", "2013-03-04") == (status["live"], status["boundary"])
        committed = ("2013-02-19", "2013-03-04", 501.0)
        client.until_known(lambda it: bars_through(it, "bars:13d:AAPL")[-1] == committed)
        client.until_known(
            lambda it: it.items["bars:1d:AAPL"]["AAPL", "2013-03-04"]["close"] == 501.0
        )
        # What the view still says of that day is batch's business now.
        held.put(bars_of(day("AAPL", MON, 777.0, 4), day("AAPL", TUE, 502.0, 2)), NO_PRICES)
        client.until_known(lambda it: ("AAPL", "2013-03-05") in it.items["bars:1d:AAPL"])
        through = ("2013-02-19", "2013-03-05", 502.0)
        client.until_known(lambda it: bars_through(it, "bars:13d:AAPL")[-1] == through)
        assert 501.0 == client.items["bars:1d:AAPL"]["AAPL", "2013-03-04"]["close"]


def test_a_correction_that_batch_commits_is_told(
    own_sample_lake: Lake, held: MemoryView, csv_file: Any
) -> None:
    # lake     ... |02-19 ...     Fri 03-01|     with another close, and no session more
    with streaming(own_sample_lake, held) as host, Client(host) as client:
        client.subscribe("bars:13d:AAPL", "bars:1d:AAPL")
        rows = [f"{name},2013-03-01,500,601,500,600,100" for name in ("AAPL", "IBM")]
        own_sample_lake.import_files(csv_file("symbol,date,open,high,low,close,volume", *rows))
        own_sample_lake.resample()

        corrected = ("2013-02-19", "2013-03-01", 600.0)
        client.until_known(lambda it: bars_through(it, "bars:13d:AAPL")[-1] == corrected)
        client.until_known(
            lambda it: it.items["bars:1d:AAPL"]["AAPL", "2013-03-01"]["close"] == 600.0
        )
        assert "status" not in {each["type"] for each in client.frames}


def test_a_symbol_that_only_the_view_knows_has_bars_of_sessions(
    sample_lake: Lake, held: MemoryView
) -> None:
    with streaming(sample_lake, held) as host, Client(host) as client:
        client.subscribe("bars:3d:NEW", "bars:1d:NEW")
        assert {"bars:3d:NEW": {}, "bars:1d:NEW": {}} == client.items
        held.put(bars_of(day("NEW", MON, 7.0, 2)), NO_PRICES)
        client.until_known(lambda it: all(map(bool, it.items.values())))

        assert [7.0] == [each["close"] for each in client.items["bars:3d:NEW"].values()]


def test_many_who_subscribe_are_told_the_same(held: MemoryView, host: str) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(host)) for _ in range(20)]
        tell_all_the_same(held, clients)


def tell_all_the_same(held: MemoryView, clients: list[Client]) -> None:
    for each in clients:
        each.subscribe("price:*", "price:S1", "bars:1m:*")
    for version in range(1, 50):
        held.put(
            bars_of(bar(f"S{version % 5}", 2 * version)),
            prices_of(*[price(f"S{n}", version) for n in range(5)]),
        )
    for each in clients:
        each.until_known(lambda it: it.price("S4", "price:*") == 49.0)
        each.until_known(lambda it: it.price("S1") == 49.0)
        each.until_known(lambda it: len(it.items["bars:1m:*"]) == 5)
    assert all(each.items == clients[0].items for each in clients)
