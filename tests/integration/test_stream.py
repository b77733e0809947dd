"""The stream over a real server: what is told first, what changes then, and where one was."""

from __future__ import annotations

import datetime as dt
import json
import time
from contextlib import ExitStack
from typing import Any

import polars as pl

from fiblake import Lake
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
    price,
    prices_of,
    vanished,
)
from tests.streaming import Client, streaming


def test_it_welcomes_and_answers_with_the_id_of_the_action(stream_client: Client) -> None:
    welcome = stream_client.read()
    stream_client.send("ping", id="a")
    stream_client.send("subscribe", "price:aapl", "*", id=7)
    stream_client.send("unsubscribe", "price:AAPL", "price:MSFT", id=8)

    assert ("welcome", True, 15, {"channels": 1000, "frame_bytes": 65536}) == (
        *(welcome["type"], welcome["authenticated"], welcome["heartbeat_seconds"]),
        welcome["limits"],
    )
    pong = stream_client.read()
    assert ("pong", "a") == (pong["type"], pong["id"])
    assert "2026-01-05T12:00:00Z" == pong["time"]
    subscribed = stream_client.until("subscribed")
    assert {"type": "subscribed", "channels": ["price:AAPL", "price:*"], "id": 7} == subscribed
    gone = stream_client.until("unsubscribed")
    assert {"type": "unsubscribed", "channels": ["price:AAPL", "price:MSFT"], "id": 8} == gone


def test_a_snapshot_comes_first_and_what_changes_then(
    held_view: MemoryView, stream_client: Client
) -> None:
    held_view.put(bars_of(bar(interval="5m")), prices_of(price(version=1), price("MSFT", 3)))
    stream_client.subscribe("price:AAPL", "bars:5m:AAPL", "price:*")

    assert 1.0 == stream_client.price("AAPL")
    assert {"AAPL": 1.0, "MSFT": 3.0} == {
        symbol: each["price"] for (symbol, _), each in stream_client.items["price:*"].items()
    }
    held_view.put(bars_of(bar(interval="5m", version=4)), prices_of(price(version=2)))
    held_view.put(NO_BARS, prices_of(price("MSFT", 4)))
    stream_client.until_known(
        lambda it: it.price("MSFT", "price:*") == 4.0 and it.price("AAPL", "price:*") == 2.0
    )
    stream_client.until_known(lambda it: it.price("AAPL") == 2.0)

    assert {
        "symbol": "AAPL",
        "price": 2.0,
        "time": "2026-01-05T14:30:00.000002Z",
        "received": "2026-01-05T14:30:00.000007Z",
        "session": "2026-01-05",
        "source": "massive",
        "version": 2,
    } == stream_client.items["price:AAPL"]["AAPL", None]
    stream_client.until_known(
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
    } == stream_client.items["bars:5m:AAPL"]["AAPL", "2026-01-05T14:30:00Z"]


def test_hours_and_intervals_are_kept_apart(held_view: MemoryView, stream_client: Client) -> None:
    stream_client.subscribe("bars:5m:AAPL", "bars:5m:AAPL:extended", "bars:5m:*")
    late = OPEN + 400 * MINUTE
    held_view.put(
        bars_of(
            bar(interval="5m"),
            bar(interval="5m", hours="extended", start=late),
            bar(interval="1m"),
            bar("MSFT", interval="5m"),
        ),
        NO_PRICES,
    )
    stream_client.until_known(lambda it: len(it.items["bars:5m:*"]) == 2)

    assert [("AAPL", "2026-01-05T14:30:00Z")] == list(stream_client.items["bars:5m:AAPL"])
    assert [("AAPL", "2026-01-05T21:10:00Z")] == list(stream_client.items["bars:5m:AAPL:extended"])


def test_a_bar_and_a_price_that_vanish_are_told(
    held_view: MemoryView, stream_client: Client
) -> None:
    held_view.put(bars_of(bar()), prices_of(price()))
    stream_client.subscribe("bars:1m:AAPL", "price:AAPL")
    held_view.put(bars_of(vanished()), prices_of(price(version=9, price=None, time=0, received=0)))
    stream_client.until_known(
        lambda it: not it.items["bars:1m:AAPL"] and not it.items["price:AAPL"]
    )

    with Client(stream_client.host) as late:
        late.subscribe("bars:1m:AAPL", "price:AAPL")
        assert {"bars:1m:AAPL": {}, "price:AAPL": {}} == late.items


def test_a_snapshot_of_minutes_is_of_the_latest_session(
    held_view: MemoryView, stream_client: Client
) -> None:
    day_s = 24 * 60 * MINUTE
    eve = SESSION - dt.timedelta(days=1)
    held_view.put(bars_of(bar(session=eve, start=OPEN - day_s), bar()), NO_PRICES)
    stream_client.subscribe("bars:1m:AAPL")
    assert [("AAPL", "2026-01-05T14:30:00Z")] == list(stream_client.items["bars:1m:AAPL"])

    after = SESSION + dt.timedelta(days=1)
    held_view.put(bars_of(bar(session=after, start=OPEN + day_s)), NO_PRICES)
    stream_client.until_known(lambda it: len(it.items["bars:1m:AAPL"]) == 2)
    stream_client.subscribe("bars:1m:AAPL")
    assert [("AAPL", "2026-01-06T14:30:00Z")] == list(stream_client.items["bars:1m:AAPL"])


def test_a_large_snapshot_comes_in_parts(held_view: MemoryView, stream_client: Client) -> None:
    held_view.put(NO_BARS, prices_of(*[price(f"S{n}") for n in range(5000)]))
    stream_client.subscribe("price:*")
    stream_client.until_known(lambda it: len(it.items["price:*"]) == 5000)

    assert all(len(json.dumps(each)) < 2**20 for each in stream_client.frames)
    assert len(stream_client.items["price:*"]) == 5000
    assert len([each for each in stream_client.frames if each["type"] == "snapshot"]) == 1


def test_who_comes_back_is_told_what_changed_since(held_view: MemoryView, stream_host: str) -> None:
    names = ("price:AAPL", "price:*", "bars:1m:AAPL")
    held_view.put(bars_of(bar()), prices_of(price(version=1), price("MSFT")))
    with Client(stream_host) as before:
        before.subscribe(*names)
        stream = before.frames[0]["stream"]
    held_view.put(bars_of(bar(version=4)), prices_of(price(version=2), price("IBM")))
    with Client(stream_host) as probe:
        probe.subscribe("price:IBM", "bars:1m:AAPL")
        probe.until_known(lambda it: bool(it.items["bars:1m:AAPL"]) and it.price("IBM") is not None)
    with Client(stream_host) as back:
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


def test_who_was_told_by_another_stream_has_a_gap(
    held_view: MemoryView, stream_client: Client
) -> None:
    held_view.put(NO_BARS, prices_of(price()))
    stream_client.subscribe("price:AAPL", resume_from={"stream": "other", "price:AAPL": 17})

    gap, snapshot = stream_client.frames[-2:]
    assert ("gap", "price:AAPL", 17, "restarted") == (
        *(gap["type"], gap["channel"], gap["from"]),
        gap["why"],
    )
    assert "snapshot" == snapshot["type"]
    assert 1.0 == stream_client.price("AAPL")


def test_what_was_let_go_is_told_as_a_gap(lake: Lake, held_view: MemoryView) -> None:
    with streaming(lake, held_view, idle_s=0.1) as host, Client(host) as client:
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


def test_what_was_unsubscribed_is_told_no_more(
    held_view: MemoryView, stream_client: Client
) -> None:
    stream_client.subscribe("price:AAPL", "price:MSFT")
    stream_client.send("unsubscribe", "price:AAPL")
    stream_client.until("unsubscribed")
    held_view.put(NO_BARS, prices_of(price(), price("MSFT")))
    stream_client.until_known(lambda it: it.price("MSFT") == 1.0)

    assert None is stream_client.price("AAPL")


def test_while_nobody_listens_the_view_is_left_alone(lake: Lake, held_view: MemoryView) -> None:
    with streaming(lake, held_view, idle_s=0.1) as host:
        for version in (1, 2):
            held_view.put(NO_BARS, prices_of(price(version=version)))
            with Client(host) as client:
                client.subscribe("price:AAPL")
                assert float(version) == client.price("AAPL")
                assert [] != held_view._mailboxes  # noqa: SLF001 - nobody else tells
            assert eventually(lambda: held_view._mailboxes == [])  # noqa: SLF001


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


def test_a_quiet_connection_has_heartbeats(lake: Lake, held_view: MemoryView) -> None:
    with streaming(lake, held_view, heartbeat_s=0.2) as host, Client(host) as client:
        assert "2026-01-05T12:00:00Z" == client.until("heartbeat")["time"]


def test_when_the_server_goes_away_it_says_so(lake: Lake, held_view: MemoryView) -> None:
    with streaming(lake, held_view) as host:
        client = Client(host)
        client.subscribe("price:*")
    with client:
        assert 1001 == client.ended()[0]


def test_many_who_subscribe_are_told_the_same(held_view: MemoryView, stream_host: str) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(stream_host)) for _ in range(20)]
        tell_all_the_same(held_view, clients)


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
