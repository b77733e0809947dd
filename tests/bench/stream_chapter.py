"""The chapter of the stream: many subscribers, and servers beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.bench.chapter import Chapter, Sections, Size
from tests.bench.stream import CHANNELS, HALF, PER_SECOND, PROBES, SUBSCRIBERS, SYMBOLS, subscribers

_INTRODUCTION: Final = """# The stream

Written by `make bench` on {machine}.

`make bench ARGS='--chapter stream'` measures this chapter alone.
"""
_TEXTS: Final = {
    "subscribers": """## Subscribers to prices

{per_second:,} prices a second of {symbols} symbols are put into a view in memory, in the process
that serves them: by a thread, and no engine. {subscribers:,} subscribers in one other process, on
the same cores, have {half} or {channels} symbols each at random; one more has all of them and
never reads.

* Of the prices of a symbol between two frames to a subscriber, the last one counts.
* A price's age is that from its putting until one of {probes} subscribers has parsed it.
* CPU is that of the server, the thread that puts included; 100% is one core.
* The app is ours, the same on each server. The floors know nothing but frames of prices: no keys,
  no resuming, no slow clients.
""",
}


def _told(_: Size) -> Mapping[str, object]:
    return {
        "per_second": PER_SECOND,
        "symbols": SYMBOLS,
        "subscribers": SUBSCRIBERS,
        "channels": CHANNELS,
        "half": HALF,
        "probes": PROBES,
    }


def _sections(size: Size, _: Path) -> Sections:
    return {"subscribers": lambda: subscribers(size.symbols)}


STREAM: Final = Chapter(_INTRODUCTION, _TEXTS, _told, _sections)
