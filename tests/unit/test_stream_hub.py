"""The hub, in one event loop: which channels it keeps that nobody subscribes to."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from serving_layer.merged import MergedReader
from serving_layer.stream import hub as hub_module
from serving_layer.stream.channels import parse_channel
from serving_layer.stream.flow import Flow
from serving_layer.stream.hub import Hub
from serving_layer.stream.reads import Reads, Seen
from serving_layer.stream.subscriber import Subscriber
from speed_layer.views import MemoryView
from tests.feeding import eventually
from tests.live import NO_BARS, price, prices_of
from tests.unit.test_stream_channel import Pipe

KEPT = [parse_channel(f"price:S{n}") for n in range(5)]
UNKNOWN = [parse_channel(f"price:NONE{n}") for n in range(50)]


class NoLake(Reads):
    """Reads of a view beside which there is no lake."""

    def seen(self) -> Seen:
        return Seen()


async def left(hub: Hub) -> int:
    """Return how many channels are kept, once one connection was told of all and has left."""
    subscriber = Subscriber(Pipe(), 0.0)
    hub.subscribe(subscriber, [*KEPT, *UNKNOWN])
    channels = list(subscriber.channels.values())
    assert await asyncio.to_thread(eventually, lambda: all(each.is_loaded for each in channels))
    hub.leave(subscriber)
    return len(hub.board)


@pytest.mark.parametrize(("most", "kept"), [(20_000, 5), (2, 2)])
def test_channels_that_nobody_needs_take_no_room(
    monkeypatch: pytest.MonkeyPatch, most: int, kept: int
) -> None:
    monkeypatch.setattr(hub_module, "_MOST_IDLE", most)
    view = MemoryView()
    view.put(NO_BARS, prices_of(*[price(f"S{n}") for n in range(5)]))
    hub = Hub(Flow(view), NoLake(view, cast("MergedReader", None)))

    assert kept == asyncio.run(left(hub))
