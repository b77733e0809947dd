"""Minute bars of the whole market, as a fetch by session brings them: from flat files."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from batch_layer.fetching.bars_kind import BarsKind
from batch_layer.fetching.minute_landed import KIND, READERS, MinuteBringer
from lake import keys

if TYPE_CHECKING:
    from batch_layer.fetching.session_source import SessionSource
    from lake.clock import Clock
    from lake.settings import Settings


def _open_source(_name: str, settings: Settings, clock: Clock) -> SessionSource:
    from batch_layer.fetching.flatfile_sessions import FlatFileSessions  # noqa: PLC0415 - an extra

    return FlatFileSessions.of("minute", settings, clock)


# A market's file has some two million rows: few are in memory at once. All that the vendor has
# takes hundreds of gigabytes, which nobody asks for by naming no start.
MINUTE: Final = BarsKind(
    name=KIND,
    readers=READERS,
    open_source=_open_source,
    bringer=MinuteBringer,
    sessions=lambda store: keys.by_session(store.fingerprints(keys.MINUTE)).keys(),
    reach=dt.timedelta(days=7),
    chunk=1,
    workers=2,
)
