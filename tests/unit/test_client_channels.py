"""Where a client resumes its channels, and what their frames come to."""

from __future__ import annotations

from typing import Any

import polars as pl

from fiblake.client import Bar, Gap, Price, frame
from fiblake.client.channels import Channels

PRICE = {
    "symbol": "AAPL",
    "price": 11.0,
    "time": "2026-01-05T14:30:00.000001Z",
    "received": "2026-01-05T14:30:00.000006Z",
    "session": "2026-01-05",
    "source": "massive",
    "version": 3,
}
LARGE = 1 << 19


def snapshot(seq: int, *prices: dict[str, Any], channel: str = "price:*") -> dict[str, Any]:
    return {"type": "snapshot", "channel": channel, "seq": seq, "prices": list(prices)}


def changes(*seqs: int, channel: str = "price:*") -> dict[str, Any]:
    told = [{"channel": channel, "seq": seq, "price": PRICE} for seq in seqs]
    return {"type": "changes", "events": told}


def gap(channel: str = "price:*") -> dict[str, Any]:
    why = {"why": "restarted", "message": "It is another server."}
    return {"type": "gap", "channel": channel, "from": 7, "until": None, **why}


def opened(*names: str) -> Channels:
    channels = Channels(names or ("price:*",))
    channels.open("one")
    return channels


def told(channels: Channels, *frames: dict[str, Any], size: int = 100) -> list[Any]:
    return [event for frame in frames for event in channels.events(frame, size)]


def resumed(channels: Channels) -> list[dict[str, Any] | None]:
    return [action.get("resume_from") for action in channels.actions()]


def test_what_was_never_told_begins() -> None:
    assert [None] == resumed(opened())


def test_what_was_told_is_resumed_from_its_last_change() -> None:
    channels = opened("price:*", "price:IBM")
    told(channels, snapshot(7, PRICE), changes(8, 12))

    assert [{"stream": "one", "price:*": 12}] == resumed(channels)


def test_what_another_stream_told_is_not_resumed_from_this_one() -> None:
    channels = opened("price:*", "price:IBM")
    told(channels, snapshot(7), snapshot(9, channel="price:IBM"))
    channels.open("two")
    told(channels, gap(), snapshot(2))

    # That of the older stream is told anew, which is a gap.
    assert [{"stream": "two", "price:*": 2}] == resumed(channels)
    channels.open("two")
    assert "replaced" == told(channels, snapshot(4, channel="price:IBM"))[0].why


def test_a_stream_that_told_nothing_yet_is_not_resumed_from() -> None:
    channels = opened()
    told(channels, snapshot(7))
    channels.open("two")

    assert [{"stream": "one", "price:*": 7}] == resumed(channels)


def test_a_gap_that_was_told_is_told_once() -> None:
    channels = opened()
    told(channels, snapshot(7))
    channels.open("two")

    assert [Gap, Price] == [type(each) for each in told(channels, gap(), snapshot(2, PRICE))]


def test_a_snapshot_that_goes_on_is_no_place_to_resume_from() -> None:
    # snapshot@7  changes@7 |broken off
    channels = opened()
    told(channels, snapshot(7, PRICE), changes(7, 7), size=LARGE)

    assert [None] == resumed(channels)
    channels.open("one")
    assert [None] == resumed(channels)
    assert ["replaced"] == [each.why for each in told(channels, snapshot(9), size=LARGE)]


def test_a_large_snapshot_is_whole_once_something_else_follows() -> None:
    # snapshot@7  changes@7  changes@8 |broken off
    channels = opened()
    told(channels, snapshot(7, PRICE), changes(7), changes(8), size=LARGE)

    assert [{"stream": "one", "price:*": 8}] == resumed(channels)


def test_many_channels_are_subscribed_to_some_at_a_time() -> None:
    names = tuple(f"price:S{number}" for number in range(450))
    actions = list(Channels(names).actions())

    assert [200, 200, 50] == [len(action["channels"]) for action in actions]
    assert names == sum((action["channels"] for action in actions), ())
    assert 3 == len({action["id"] for action in actions})


def test_what_has_vanished_has_no_prices() -> None:
    channels = opened("price:*", "bars:5m:AAPL")
    cancelled = PRICE | {"price": None, "time": None, "received": None, "vanished": True}
    bar = {"start": "2026-01-05T14:30:00Z", "vanished": True, "close": None}
    of_bar = {"channel": "bars:5m:AAPL", "seq": 2, "bar": bar}

    price = told(channels, snapshot(7, cancelled))[0]
    gone = told(channels, {"type": "changes", "events": [of_bar]})[0]

    assert (None, None, 3) == (price.price, price.time, price.version)
    assert isinstance(gone, Bar)
    assert ("AAPL", "5m", None, True) == (gone.symbol, gone.interval, gone.close, gone.vanished)


def test_events_are_rows_of_a_frame() -> None:
    channels = opened()
    prices = frame(told(channels, snapshot(7, PRICE), changes(8)))

    assert [(7, "AAPL", 11.0), (8, "AAPL", 11.0)] == prices.select("seq", "symbol", "price").rows()
    assert pl.Datetime("us", "UTC") == prices.schema["time"]
    assert ["AAPL", "AAPL"] == prices.pandas()["symbol"].to_list()
