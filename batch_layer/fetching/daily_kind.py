"""Daily bars, as a fetch by session brings them."""

from __future__ import annotations

from typing import Final

from batch_layer.bronze import manifest
from batch_layer.fetching.bars_kind import BarsKind
from batch_layer.fetching.daily_landed import DailyBringer
from batch_layer.fetching.daily_sources import KIND, READERS, open_source

DAILY: Final = BarsKind(
    name=KIND,
    readers=READERS,
    open_source=open_source,
    bringer=DailyBringer,
    sessions=lambda store: manifest.read(store).keys(),
    reach=None,
    chunk=32,
    workers=64,
)
