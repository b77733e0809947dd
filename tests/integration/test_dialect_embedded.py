"""Vendors' clients listen to the embedded system: a recorded day, replayed in this process."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

import polygon
import pytest

from batch_layer.generating.trading import record
from fiblake import Lake
from fiblake.live import fed_view
from lake.errors import FiblakeError
from lake.event import Event, Kind
from lake.hours import HOURS
from lake.interval import MINUTE
from lake.live import LiveBars
from serving_layer.dialects.relay import Relay
from tests.days import made_day
from tests.dialect_streams import Serve, at_massive, listening, until
from tests.trading import frame, micros

DAY: Final = made_day(4, 200)
_SETTLED_MS: Final = 20 * 60_000


def test_a_replayed_day_is_told_trade_for_trade_and_minute_by_minute(
    lake: Lake, serve_dialects: Serve
) -> None:
    DAY.record(lake.store)
    first_told = DAY.tape.filter((DAY.tape["revision"] == 0) & ~DAY.tape["cancelled"])
    expected = first_told.select("symbol", "time", "sequence").rows()
    failures: list[FiblakeError] = []
    heard: list[Any] = []
    settled: dict[tuple[str, int], tuple[float, ...]] = {}
    relay = Relay()

    async def hear(messages: list[Any]) -> None:
        heard.extend(messages)

    async def listen(host: str) -> None:
        client = polygon.WebSocketClient(
            "any", feed=host, secure=False, subscriptions=["T.*", "AM.*"]
        )
        async with listening(client, hear):
            await until(lambda: _trades(heard)[-1:] == _in_ms(expected[-1:]))
            # The replay's end makes all bars final; what changed late is told within a second.
            await until(lambda: _is_over(live))
            settled.update(_settled(live, heard))
            await until(lambda: settled.items() <= _told(heard).items())

    with (
        fed_view(lake, f"replay:{DAY.session}@20000x", failures.append, relay) as (live, _),
        serve_dialects(live, relay) as host,
    ):
        assert "trade" == relay.kind
        asyncio.run(listen(host))

    assert [] == failures
    trades = _trades(heard)
    assert _in_ms(expected[-len(trades) :]) == trades
    assert len(settled) > 50


def _trades(heard: list[Any]) -> list[tuple[str, int, int]]:
    return [(each.symbol, each.timestamp, each.sequence_number) for each in _of(heard, "T")]


def _of(heard: list[Any], kind: str) -> list[Any]:
    return [each for each in list(heard) if each.event_type == kind]


def _in_ms(rows: list[Any]) -> list[tuple[str, int, int]]:
    return [(symbol, time // 1000, sequence) for symbol, time, sequence in rows]


def _told(heard: list[Any]) -> dict[tuple[str, int], tuple[float, ...]]:
    return {
        (each.symbol, each.start_timestamp): (
            *(each.open, each.high, each.low, each.close),
            each.volume,
        )
        for each in _of(heard, "AM")
    }


def _settled(live: LiveBars, heard: list[Any]) -> dict[tuple[str, int], tuple[float, ...]]:
    """Return the view's minutes that were over some time after the client came."""
    since = _of(heard, "T")[0].timestamp + _SETTLED_MS
    names = ("open", "high", "low", "close", "volume")
    return {
        (bar["symbol"], bar["start"] // 1000): tuple(bar[name] for name in names)
        for bar in _bars(live)
        if bar["start"] // 1000 >= since
    }


def _bars(live: LiveBars) -> list[dict[str, Any]]:
    """Return a view's bars of minutes."""
    frames = (live.bars(symbol, MINUTE, hours) for symbol in DAY.bars["symbol"] for hours in HOURS)
    return [bar for bars in frames for bar in bars.iter_rows(named=True)]


def _is_over(live: LiveBars) -> bool:
    return {"final"} == {bar["state"] for bar in _bars(live)}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("second", {"A": 1}),
        ("minute", {"the feed of this server tells minutes, and no seconds.": 1}),
    ],
)
def test_what_is_relayed_is_of_the_kind_that_is_replayed(
    lake: Lake, serve_dialects: Serve, kind: Kind, said: dict[str, int]
) -> None:
    start = micros(DAY.hours.open)
    # The first is told before anybody listens, and the other hours after it.
    told = [
        Event(kind, "AA", time, minute=time, price=10.0, size=9.0, open=9.0, high=11.0, low=8.0)
        for time in (start, start + 3 * 3600 * 10**6)
    ]
    record(lake.store, "generated", DAY.session, frame(told))
    failures: list[FiblakeError] = []
    relay, heard = Relay(), Counter[str]()

    async def listen(host: str) -> None:
        async with at_massive(host) as client:
            await client.say(action="subscribe", params="A.*")
            answer = await client.only()
            if answer["status"] == "error":
                heard[answer["message"].partition(": ")[2]] += 1
            else:
                await until(lambda: relay._ears)  # noqa: SLF001
                relay.publish(frame(told[1:]))
                heard[(await client.only())["ev"]] += 1

    with (
        fed_view(lake, f"replay:{DAY.session}@1x", failures.append, relay) as (live, _),
        serve_dialects(live, relay) as host,
    ):
        asyncio.run(listen(host))

    assert ([], said) == (failures, heard)
