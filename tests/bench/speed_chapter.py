"""The chapter of the speed layer: the engines, the feed, streams and views."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.bench.chapter import Chapter, Sections, Size
from tests.bench.engine import SESSIONS, engine
from tests.bench.feed import EVENTS, feeding
from tests.bench.flink import SYMBOLS, flink
from tests.bench.latency import PER_SECOND, latency
from tests.bench.memory import memory
from tests.bench.streams import streams
from tests.bench.traded import TRADES
from tests.bench.views import views

_FEW: Final = 1_000
_INTRODUCTION: Final = """# The speed layer

Written by `make bench` on {machine}.

`make bench ARGS='--chapter speed'` measures this chapter alone.
"""
_TEXTS: Final = {
    "engine": """## The stream engine

Trades of some hundred symbols, 5,000 a second of the day, out of order by up to 30 s, with
duplicates, corrections and cancels, into 1m, 5m, 15m, 1h, 2h, 4h and 1d bars and prices at once.

* Plain dicts take one event at a time and know duplicates, but no correction and no cancel.
* Small batches meet an engine that holds the flow of the minutes before.
* Memory: {sessions_of_engine} sessions of the large market, one after the other, some trades a
  symbol and session.
""",
    "flink": """## Flink

A day of trades out of order, sent again, corrected and cancelled, as lines of JSON from a file to
nowhere, in a mini cluster of two slots on the same cores, without the start of it. The job makes
bars of 1m, 5m, 15m, 1h, 2h, 4h and 1d at once.
""",
    "feed": """## The feed

{events_of_feed:,} trades from a socket, one or many to a frame, sent by a process beside it as fast
as they are taken. The first two rows read, judge and record them, and put them into a stream: over
the connection of Massive's official client, and over our own. In the last row that client makes its
own objects of them, which are thrown away.
""",
    "streams": """## Streams

Events of 500 symbols, from put to taken: between two threads, and through a local Kinesis server of
four shards on the same cores, which is much slower than Kinesis and limits what it measures.
""",
    "views": """## The realtime view

The forming bars of seven intervals of {live:,} symbols, put over and over in ever higher versions,
7,000 at once; then one series read, and one bar put and told to a subscriber of the same process:
p50 / p95 of {queries} queries.

* MiB are those of one such set of bars: of the process, or of Redis.
* Redis runs beside it, on the same cores, and bar by bar is as pipelined, one bar at once.
* DynamoDB is moto's server, which answers one request after the other: it says what is written and
  read per bar, not how fast AWS is. 140 bars.
""",
    "latency": """## From a trade to its price

A vendor in a process of its own writes {per_second:,} trades a second of 500 symbols to its socket;
the other reads, judges, records and applies them, puts bars and prices into a view, and keeps a
snapshot every five seconds. A price is as old, when its subscriber has it, as the last of its
trades is since that was written; prices of trades that came at once are one.

* All run on the same cores. CPU is that of the process that reads, subscriber included.
""",
    "memory": """## Memory

{live:,} symbols trade {trades} times a session, over all of its hours: so each has bars of seven
intervals. After each session batch has covered what was before it. MiB are those resident beyond
what the process had before, or those in use in Redis.

* The engine and the view in memory are one process.
* The feed reads a socket, judges and records, and puts events into a stream, which is read at once.
* The publisher takes an engine's lines to Redis, and late ones into a lake; what corrects bars, and
  what keeps those that batch has covered, is not among it.
""",
}


def _told(size: Size) -> Mapping[str, object]:
    return {
        "sessions_of_engine": SESSIONS,
        "events_of_feed": _events(size),
        "live": size.large or size.symbols,
        "queries": size.queries,
        "per_second": PER_SECOND,
        "trades": TRADES,
    }


def _sections(size: Size, _: Path) -> Sections:
    symbols = size.symbols
    return {
        "engine": lambda: engine(symbols, size.large),
        "flink": lambda: flink(symbols),
        "feed": lambda: feeding(_events(size)),
        "streams": lambda: streams(symbols),
        "views": lambda: views(size.large or symbols, size.queries),
        "latency": lambda: latency(symbols),
        "memory": lambda: memory(size.large or symbols),
    }


def _events(size: Size) -> int:
    return EVENTS if size.symbols >= SYMBOLS else _FEW


SPEED: Final = Chapter(_INTRODUCTION, _TEXTS, _told, _sections)
