"""What vendors' dialects say besides data: subscriptions, and what nobody tells here."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from lake.event import Kind
from tests.days import SESSION
from tests.dialect_streams import (
    Market,
    Serve,
    at_alpaca,
    at_massive,
    connected,
    error,
    run,
    status,
    until,
)
from tests.trading import trade

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_subscriptions_add_up_and_are_told(market: Market, serve_dialects: Serve) -> None:
    async def work(host: str) -> None:
        async with at_alpaca(host, bars=["AAPL"]) as client:
            await client.say(action="subscribe", dailyBars=["MSFT"], quotes=["AAPL"])
            refused = "invalid subscribe action for this feed"
            assert error(410, refused, "quotes are not told here.") == await client.only()
            told = await client.only()
            assert (["AAPL"], ["MSFT"], []) == (told["bars"], told["dailyBars"], told["quotes"])
            await client.say(action="unsubscribe", bars=["AAPL", "NONE"])
            told = await client.only()
            assert ([], ["MSFT"]) == (told["bars"], told["dailyBars"])
            await client.say(action="subscribe", bars=[f"S{each}" for each in range(5_000)])
            assert error(405, "symbol limit exceeded", "at most 5000 at once.") == (
                await client.only()
            )
        async with at_massive(host, "AM.AAPL", "T.BRK.B") as client:
            await client.say(action="unsubscribe", params="AM.AAPL")
            assert status("success", "unsubscribed to: AM.AAPL") == await client.only()
            market.happen(
                trade(SESSION, "10:00:10", symbol="AAPL"),
                trade(SESSION, "10:01:10", symbol="BRK.B"),
            )
            told = await client.only()
            assert ("T", "BRK.B") == (told["ev"], told["sym"])

    run(serve_dialects(market.view, market.relay), work)


@pytest.mark.parametrize(
    ("has_view", "kind", "why"),
    [
        (False, None, "there is no live feed here."),
        (
            True,
            None,
            "trades are told by the server that has the feed, which this one has not.",
        ),
        (True, "second", "the feed of this server tells seconds, and no trades."),
    ],
)
def test_what_nobody_here_tells_is_refused_in_one_sentence(
    market: Market, serve_dialects: Serve, *, has_view: bool, kind: Kind | None, why: str
) -> None:
    market.relay.kind = kind

    async def work(host: str) -> None:
        async with at_massive(host) as client:
            await client.say(action="subscribe", params="T.AAPL,T.MSFT")
            assert status("error", f"not subscribed: {why}") == await client.only()
        async with at_alpaca(host) as client:
            await client.say(action="subscribe", trades=["AAPL", "*"])
            refused = "invalid subscribe action for this feed"
            assert error(410, refused, why) == await client.only()
            assert [] == (await client.only())["trades"]

    run(serve_dialects(market.view if has_view else None, market.relay), work)


def test_seconds_are_relayed_where_the_feed_tells_them(
    market: Market, serve_dialects: Serve
) -> None:
    market.relay.kind = "second"
    second = trade(SESSION, "10:00:10", kind="second", open=9.0, high=12.0, low=8.0)

    async def work(host: str) -> None:
        async with at_massive(host, "A.*") as client:
            await until(lambda: market.relay._ears)  # noqa: SLF001
            market.happen(second)
            told = await client.only()
            assert ("A", "AA", 10.0, 8.0) == tuple(told[each] for each in ("ev", "sym", "c", "l"))

    run(serve_dialects(market.view, market.relay), work)


def test_alpacas_feeds_are_one_and_others_are_none(market: Market, serve_dialects: Serve) -> None:
    async def work(host: str) -> None:
        for feed in ("sip", "iex", "delayed_sip"):
            async with connected(f"ws://{host}/v2/{feed}"):
                pass
        with pytest.raises(InvalidStatus):
            await connect(f"ws://{host}/v2/opra", proxy=None)

    run(serve_dialects(market.view, market.relay), work)
