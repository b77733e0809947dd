"""Vendors' own streaming clients, unpatched, given this server's URL alone."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import massive
import polars as pl
import polygon
import pytest

from lake.event import Event
from speed_layer.views import MemoryView
from tests.days import made_day
from tests.dialect_streams import Market, Serve, alpaca_stream, listening, until
from tests.trading import Oracle, heartbeat, table, trade

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
DAY: Final = made_day(4, 200)
FIRST: Final = [trade(DAY.session, time, symbol="FIRST") for time in ("04:00:10", "04:01:10")]
_PARTS: Final = 5


def massive_client(module: Any, host: str, *topics: str, key: str = "any") -> Any:
    return module.WebSocketClient(key, feed=host, secure=False, subscriptions=list(topics))


class Heard:
    """What a client was told."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def count(self) -> int:
        return len(self.messages)

    def has_more(self, than: int) -> bool:
        return self.count() > than

    async def all(self, messages: list[Any]) -> None:
        self.messages += messages

    async def one(self, message: Any) -> None:
        self.messages.append(message)


def law(first: Sequence[Event], tape: pl.DataFrame) -> Oracle:
    events = (
        Event(**{**row, "conditions": tuple(row["conditions"])})
        for row in tape.iter_rows(named=True)
    )
    return Oracle(table()).take([*first, *events])


def test_a_messy_day_arrives_at_every_client_as_the_law_makes_it(
    market: Market, serve_dialects: Serve
) -> None:
    bars = [bar for bar in law(FIRST, DAY.tape).bars().values() if bar["interval"] == "1m"]
    expected = {(bar["symbol"], bar["start"]): numbers(bar) for bar in bars}
    at_massive, at_alpaca = Heard(), Heard()

    async def listen(host: str) -> None:
        stream = alpaca_stream(host)
        stream.subscribe_bars(at_alpaca.one, "*")
        stream.subscribe_updated_bars(at_alpaca.one, "FIRST", *DAY.bars["symbol"])
        client = massive_client(polygon, host, "AM.*")
        async with listening(client, at_massive.all), listening(stream):
            await until(lambda: market.view._mailboxes and client.subs and stream._running)  # noqa: SLF001
            # What was over before the first news is told to nobody: that is to be early.
            market.happen(*FIRST)
            await until(lambda: at_massive.messages and at_alpaca.messages)
            for part in DAY.tape.iter_slices(len(DAY.tape) // _PARTS + 1):
                told = at_massive.count()
                market.tell(part)
                # What was told may still change.
                await until(partial(at_massive.has_more, told))
            market.happen(heartbeat(DAY.session, "23:00"))
            # What has changed again is told within a second.
            await until(lambda: expected.items() <= massive_bars(at_massive).items())
            await until(lambda: expected.items() <= alpaca_bars(at_alpaca).items())

    with serve_dialects(market.view, market.relay) as host:
        asyncio.run(listen(host))

    # Each minute once, and again where it changed: no more often than there are trades.
    assert len(bars) <= len(at_massive.messages) < len(DAY.tape)


def numbers(bar: dict[str, Any]) -> tuple[float, ...]:
    names = ("open", "high", "low", "close", "volume")
    return (*(bar[name] for name in names), round(bar["vwap"] or 0, 6))


def massive_bars(heard: Heard) -> dict[tuple[str, int], tuple[float, ...]]:
    return {
        (each.symbol, each.start_timestamp * 1000): (
            *(each.open, each.high, each.low, each.close, each.volume),
            round(each.vwap or 0, 6),
        )
        for each in heard.messages
    }


def alpaca_bars(heard: Heard) -> dict[tuple[str, int], tuple[float, ...]]:
    return {
        (each.symbol, int(each.timestamp.timestamp()) * 10**6): (
            *(each.open, each.high, each.low, each.close, each.volume),
            round(each.vwap or 0, 6),
        )
        for each in heard.messages
    }


@pytest.mark.parametrize("module", [polygon, massive])
def test_massives_clients_are_told_minutes_and_trades(
    market: Market, serve_dialects: Serve, module: Any
) -> None:
    heard = Heard()
    first = trade(DAY.session, "10:00:10", 10.0, symbol="BAC.PRL", sequence=5, conditions=(14,))
    late = trade(DAY.session, "10:00:40", 12.0, 50.0, symbol="BAC.PRL")

    async def listen(host: str) -> None:
        client = massive_client(module, host, "AM.BACpL", "T.*")
        async with listening(client, heard.all):
            await until(lambda: market.view._mailboxes and market.relay._ears)  # noqa: SLF001
            market.happen(first)
            market.happen(replace(first, cancelled=True, revision=1, price=9.0), first)
            market.happen(trade(DAY.session, "10:00:30", 11.0, symbol="BAC.PRL"))
            market.happen(trade(DAY.session, "10:01:10", 20.0, symbol="MSFT"))
            await until(lambda: "AM" in kinds(heard))
            market.happen(late)
            await until(lambda: kinds(heard)["AM"] == 2)

    with serve_dialects(market.view, market.relay) as host:
        asyncio.run(listen(host))

    # The second `first` is one that the feed told again.
    assert {"T": 5, "AM": 2} == kinds(heard)
    told = next(each for each in heard.messages if each.event_type == "T")
    assert ("BACpL", 10.0, 100, [14], 5) == (
        told.symbol,
        told.price,
        told.size,
        told.conditions,
        told.sequence_number,
    )
    minute, again = (each for each in heard.messages if each.event_type == "AM")
    assert ("BACpL", 11.0, 100, 100, 11.0) == (
        minute.symbol,
        minute.open,
        minute.volume,
        minute.accumulated_volume,
        minute.official_open_price,
    )
    assert (150, 150, 75, 12.0) == (
        again.volume,
        again.accumulated_volume,
        again.average_size,
        again.close,
    )
    assert 60_000 == minute.end_timestamp - minute.start_timestamp


def kinds(heard: Heard) -> Counter[str]:
    return Counter(str(each.event_type) for each in heard.messages)


def test_alpacas_client_is_told_bars_days_and_trades(market: Market, serve_dialects: Serve) -> None:
    heard: defaultdict[str, list[Any]] = defaultdict(list)

    def into(name: str) -> Any:
        async def hear(message: Any) -> None:
            heard[name].append(message)

        return hear

    async def listen(host: str) -> None:
        stream = alpaca_stream(host, feed="sip")
        stream.subscribe_bars(into("bars"), "AAPL")
        stream.subscribe_updated_bars(into("updated"), "*")
        stream.subscribe_daily_bars(into("days"), "AAPL")
        stream.subscribe_trades(into("trades"), "AAPL")
        stream.subscribe_quotes(into("quotes"), "AAPL")
        async with listening(stream):
            await until(lambda: market.view._mailboxes and market.relay._ears)  # noqa: SLF001
            market.happen(trade(DAY.session, "10:00:10", 10.0, 10.5, symbol="AAPL", sequence=7))
            market.happen(trade(DAY.session, "10:01:10", 20.0, symbol="MSFT"))
            await until(lambda: heard["bars"] and heard["days"] and heard["trades"])
            market.happen(trade(DAY.session, "10:00:20", 11.0, symbol="AAPL"))
            await until(lambda: heard["updated"] and len(heard["days"]) == 2)

    with serve_dialects(market.view, market.relay) as host:
        asyncio.run(listen(host))

    ((bar,), (updated,)) = heard["bars"], heard["updated"]
    assert ("AAPL", 10.0, 10.5, 1.0) == (bar.symbol, bar.close, bar.volume, bar.trade_count)
    assert ("AAPL", 11.0, 110.5, 2.0) == (
        updated.symbol,
        updated.close,
        updated.volume,
        updated.trade_count,
    )
    assert bar.timestamp == updated.timestamp
    assert [10.5, 110.5] == [each.volume for each in heard["days"]]
    assert [7, 0] == [each.id for each in heard["trades"]]
    assert [] == heard["quotes"]


def test_nothing_is_looked_at_while_nobody_is_subscribed(
    market: Market, serve_dialects: Serve
) -> None:
    heard = Heard()

    async def listen(host: str) -> None:
        client = massive_client(polygon, host, "AM.*", "T.*")
        async with listening(client, heard.all):
            await until(lambda: market.view._mailboxes and market.relay._ears)  # noqa: SLF001
            client.unsubscribe_all()
            await until(lambda: not market.view._mailboxes and not market.relay._ears)  # noqa: SLF001
            client.subscribe("AM.AAPL")
            await until(lambda: market.view._mailboxes)  # noqa: SLF001
        await until(lambda: not market.view._mailboxes)  # noqa: SLF001

    with serve_dialects(market.view, market.relay) as host:
        asyncio.run(listen(host))


def test_bars_of_which_changes_were_lost_are_read_anew(serve_dialects: Serve) -> None:
    market, heard = Market(MemoryView(most_waiting=3)), Heard()
    symbols = [f"S{each}" for each in range(50)]

    async def listen(host: str) -> None:
        client = massive_client(polygon, host, "AM.*")
        async with listening(client, heard.all):
            await until(lambda: market.view._mailboxes)  # noqa: SLF001
            market.happen(heartbeat(DAY.session, "10:00:00"))
            market.happen(*(trade(DAY.session, "10:00:10", symbol=symbol) for symbol in symbols))
            market.happen(heartbeat(DAY.session, "10:30:00"))
            await until(lambda: len(massive_bars(heard)) == len(symbols))

    with serve_dialects(market.view, market.relay) as host:
        asyncio.run(listen(host))
    market.view.close()

    assert set(symbols) == {each.symbol for each in heard.messages}
