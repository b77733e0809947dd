"""The board: a barrier lasts as long as a channel that it tells of."""

from __future__ import annotations

import time

from serving_layer.stream.board import Board
from serving_layer.stream.channels import parse_channel


def test_a_barrier_lasts_for_the_last_channel_of_its_interval() -> None:
    board = Board()
    one, other, price = (
        board.open(parse_channel(name)) for name in ("bars:1m:A", "bars:1m:B", "price:A")
    )
    market = parse_channel("bars:1m:*")
    assert [market] == board.markets()

    board.close(one)
    board.close(price)
    assert board.barrier(market) is not None
    board.close(other)
    assert [] == board.markets()


def test_many_channels_are_closed_in_no_time() -> None:
    board = Board()
    channels = [board.open(parse_channel(f"price:S{n}")) for n in range(20_000)]
    channels += [board.open(parse_channel(f"bars:1m:S{n}")) for n in range(5_000)]
    begun = time.process_time()
    for channel in reversed(channels):
        board.close(channel)

    # A look at all the others for each took a minute.
    assert time.process_time() - begun < 5
    assert [] == board.markets()
