"""The flow of changes: one subscription, brought to whoever listens in this process."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lake.schemas import LIVE_BARS, PRICES
from lake.settings import Settings
from serving_layer.stream.flow import BarRow, Flow, Listener, News, PriceRow
from speed_layer.views import MemoryView, open_view
from tests.feeding import eventually
from tests.live import NO_BARS, NO_PRICES, OpenView, bar, bars_of, price, prices_of
from tests.parts import RedisServer

PATIENCE_S = 30


def follows() -> bool:
    return any(thread.name == "flow" for thread in threading.enumerate())


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def patient() -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await work()

    return asyncio.run(patient())


async def taken(listener: Listener) -> News:
    news = await listener.take(PATIENCE_S)
    assert news is not None
    return news


def test_rows_are_those_of_the_schemas() -> None:
    assert tuple(PRICES.names) == PriceRow._fields
    assert tuple(LIVE_BARS.names) == BarRow._fields


@pytest.mark.parametrize("opened", ["memory", "redis"], indirect=True)
def test_all_who_listen_hear_the_latest_state_of_each(opened: OpenView) -> None:
    view: Any = opened()

    async def work() -> None:
        flow = Flow(view)
        async with flow.listen() as one, flow.listen() as two:
            view.put(bars_of(bar(version=2)), prices_of(price(version=1)))
            view.put(bars_of(bar(version=4)), prices_of(price(version=2), price("MSFT")))
            for listener in (one, two):
                heard: dict[str, PriceRow] = {}
                bars: list[BarRow] = []
                while not ("MSFT" in heard and bars and bars[-1].version == 4):
                    news = await taken(listener)
                    heard |= {each.symbol: each for each in news.prices}
                    bars += news.bars
                assert 2.0 == heard["AAPL"].price
                assert ("AAPL", "1m", 4.0) == (bars[-1].symbol, bars[-1].interval, bars[-1].volume)
                assert not news.is_gap

    run(work)


def test_it_subscribes_while_somebody_listens_and_no_longer() -> None:
    view = MemoryView()

    async def work() -> None:
        flow = Flow(view)
        assert [] == view._mailboxes  # noqa: SLF001 - nobody else tells
        async with flow.listen(), flow.listen():
            assert 1 == len(view._mailboxes)  # noqa: SLF001
        assert await asyncio.to_thread(eventually, lambda: not view._mailboxes)  # noqa: SLF001
        async with flow.listen() as listener:
            view.put(NO_BARS, prices_of(price()))
            assert ["AAPL"] == [each.symbol for each in (await taken(listener)).prices]
        assert await asyncio.to_thread(eventually, lambda: not follows())

    run(work)


def test_nothing_new_is_told_in_time() -> None:
    async def work() -> None:
        async with Flow(MemoryView()).listen() as listener:
            assert None is await listener.take(0.01)

    run(work)


def test_who_takes_too_little_has_a_gap_and_no_more_waiting_than_allowed() -> None:
    view = MemoryView()

    async def work() -> None:
        async with Flow(view).listen(most=10) as listener:
            view.put(NO_BARS, prices_of(*[price(f"S{n}") for n in range(11)]))
            news = await taken(listener)
            assert (True, 0) == (news.is_gap, len(news.prices))
            view.put(NO_BARS, prices_of(price("AAPL")))
            news = await taken(listener)
            assert (False, 1) == (news.is_gap, len(news.prices))

    run(work)


def test_it_says_that_the_view_is_away_and_that_there_was_a_gap_once_it_is_back() -> None:
    server = RedisServer()
    server.start()
    settings = Settings.model_validate(
        {
            "view": "redis",
            "redis_url": server.url,
            "redis_prefix": f"test-{uuid.uuid4().hex}",
            "redis_attempts": 2,
            "redis_retry_ms": 1,
        }
    )
    view: Any = open_view(settings)

    async def work() -> None:
        flow = Flow(view)
        async with flow.listen() as listener:
            await asyncio.to_thread(server.stop)
            assert (await taken(listener)).is_away
            async with flow.listen() as late:
                assert (await taken(late)).is_away
                await asyncio.to_thread(server.start)
                for each in (listener, late):
                    back = await taken(each)
                    assert (True, False) == (back.is_gap, back.is_away)
            view.put(NO_BARS, prices_of(price()))
            assert ["AAPL"] == [each.symbol for each in (await taken(listener)).prices]

    try:
        run(work)
    finally:
        view.close()
        server.stop()


def test_who_listens_while_the_view_is_away_is_told_so_at_once(open_redis: OpenView) -> None:
    view: Any = open_redis(redis_url="redis://127.0.0.1:1/0", redis_attempts=1, redis_retry_ms=1)

    async def work() -> None:
        async with Flow(view).listen() as listener:
            assert News([], [], is_away=True) == await taken(listener)

    run(work)


def test_a_view_that_is_closed_is_away() -> None:
    view = MemoryView()

    async def work() -> None:
        async with Flow(view).listen() as listener:
            view.close()
            assert (await taken(listener)).is_away
            view.put(NO_BARS, NO_PRICES)
            back = await taken(listener)
            assert back.is_gap

    run(work)
