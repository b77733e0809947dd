"""What all sockets of dialects are told of is read anew where changes were lost."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from serving_layer.dialects.dialect import Stream, Topic
from serving_layer.dialects.massive_messages import Massive
from serving_layer.dialects.outbox import Outbox
from serving_layer.dialects.relay import Relay
from serving_layer.dialects.telling import Telling
from serving_layer.stream.flow import Flow, News
from speed_layer.views import MemoryView
from tests.live import NO_PRICES, bars_of, day_bar

FOUR = dict.fromkeys(("open", "high", "low", "close"), 5.0)
DAY = day_bar("AAPL", dt.date(2013, 3, 4), 2, **FOUR, volume=100.0)


@pytest.mark.parametrize("stream", ["minutes", "seconds"])
def test_days_are_known_after_a_gap_whatever_is_told_of_them(stream: Stream) -> None:
    view = MemoryView()
    view.put(bars_of(DAY), NO_PRICES)
    telling = Telling(view, Flow(view), Relay())
    massive = Massive()

    async def work() -> None:
        outbox, topics = Outbox(massive.frame), [Topic(stream, "AAPL")]
        telling.subscribe(massive, outbox, topics)
        await telling._take(News(is_gap=True))  # noqa: SLF001 - as of a flow that lost some
        telling.unsubscribe(massive, outbox, topics)

    asyncio.run(work())
    assert {"AAPL"} == telling._minutes.days.keys()  # noqa: SLF001
