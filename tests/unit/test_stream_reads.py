"""What channels begin with: a long read ends where nobody needs it."""

from __future__ import annotations

import threading
from typing import Any, cast

import polars as pl
import pytest

from lake.errors import ViewError
from serving_layer.merged import MergedReader
from serving_layer.stream.channels import parse_channel
from serving_layer.stream.reads import Reads
from speed_layer.views import MemoryView
from tests.live import NO_BARS, bar, bars_of, price, prices_of

MARKET = parse_channel("bars:1m:*")


class Counted:
    """A view that counts its reads of bars, and says when the first is made."""

    def __init__(self, view: MemoryView) -> None:
        self.reads = 0
        self.begun = threading.Event()
        self._view = view

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def bars(self, *asked: Any) -> pl.DataFrame:
        self.reads += 1
        self.begun.set()
        return self._view.bars(*asked)


def test_a_read_of_the_market_ends_where_nobody_needs_it_and_the_next_does_not() -> None:
    view = MemoryView()
    view.put(NO_BARS, prices_of(*[price(f"S{n}") for n in range(5_000)]))
    view.put(bars_of(bar("S1")), prices_of(price("S1", version=2)))
    counted: Any = Counted(view)
    reads = Reads(counted, cast("MergedReader", None))
    errors: list[ViewError] = []

    def read() -> None:
        with pytest.raises(ViewError, match="bars:1m:") as found:
            reads.market(MARKET)
        errors.append(found.value)

    thread = threading.Thread(target=read)
    thread.start()
    assert counted.begun.wait(30)
    reads.end()
    thread.join(30)
    assert 1 == len(errors)
    assert counted.reads < 5_000

    assert ["S1"] == [state.key[0] for state in reads.market(MARKET).states]
