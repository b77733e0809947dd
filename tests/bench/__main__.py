"""`make bench`: measures what is built and read beside others, and writes the page.

A run of all sections at full size writes docs/benchmarks.md; any other prints its tables alone.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from lake.session import EPOCH
from tests.bench.demo import demo_job
from tests.bench.engine import SESSIONS as ENGINE_SESSIONS
from tests.bench.engine import engine
from tests.bench.fetching import SESSIONS, fetching
from tests.bench.flink import flink
from tests.bench.incremental import incremental
from tests.bench.intraday import intraday
from tests.bench.lakes import LAST, Market, make_market, without_silver
from tests.bench.latency import PER_SECOND, latency
from tests.bench.machine import machine
from tests.bench.memory import TRADES, memory
from tests.bench.readers import QUERIES, readers
from tests.bench.resampling import SideBySide, growth, ours_task
from tests.bench.streams import streams
from tests.bench.timing import ROOT, markdown, run_alone
from tests.bench.views import views

PAGE: Final = ROOT / "docs" / "benchmarks.md"
FULL: Final = 5_350
LARGE: Final = 10_000

_INTRODUCTION: Final = """# Benchmarks

Written by `make bench` on {machine}.

Each measurement runs in a process of its own: its seconds are those of the work, without the start
of Python and its imports; its peak of memory (the most it had resident at once) is all of it. What
is read lies in the operating system's cache. A part of it, or a smaller market, is measured by
`make bench ARGS='--only resample --symbols 500'`.
"""
_TEXTS: Final = {
    "demo": """## The demo's job

12,154 bars of five stocks, as `make demo` imports and resamples them.
""",
    "generate": """## Generating a market

`fiblake generate`: daily bars from {start} to {end} into an empty lake.
""",
    "resample": """## Resampling six intervals, side by side

All daily bars of {symbols:,} symbols out of bronze into 3d, 5d, 8d, 13d, 21d and 34d bars.

* The floor is a fold written by hand for just this market: about the least that reading, folding
  and writing take here. It keeps nothing by which a next run could know what is stale.
* The floor, Polars and fiblake write the same files, and their bars are compared one by one: all
  fields exactly, vwap to 1e-9. The floor and fiblake take turns, three times; the median counts.
* The published way numbers the rows of each symbol and writes files by year and month. It knows no
  splits, vwap, trades or revisions, and few of its bars are those of the calendar.
* ArcticDB reads and writes its own store; loading that is not counted. It groups by time: its
  buckets are right where dates are replaced by ordinals. It applies no split inside a bucket.
""",
    "growth": """## Markets of growing size

fiblake's own resampling of the same six intervals. The last column tells how far the time is off a
straight line from nothing through the market of {symbols:,} symbols.
""",
    "daily": """## A day's work

What comes into the full lake, in turn, imported from a file; then what became stale is resampled.
""",
    "fetch": """## Fetching a year

The last {sessions} sessions of a market of some {symbols:,} symbols a day, from a local vendor
into an empty lake: asked for, checked, landed, validated and in bronze. The vendor runs beside it,
on the same cores. The last columns tell the seconds that threads spent at each step, those that
wait or work at once added up.
""",
    "intraday": """## Minutes

The regular minutes of {symbols:,} symbols in eight sessions, committed and then resampled into 5m,
15m, 1h, 2h and 4h bars; then one symbol's year of 5m read, p50 / p95 of {queries} queries.

* The plain way groups all minutes anew for each interval by `time_bucket`, whose hours straddle the
  open. It knows no session, no missing vwap or trades, no revisions, and not what is stale.
* The year is made of links to the eight sessions: 252 files. They are read as they are, by
  `Lake.bars` without copies.
""",
    "engine": """## The stream engine

Trades of some hundred symbols, 5,000 a second of the day, out of order by up to 30 s, with
duplicates, corrections and cancels, into 1m, 5m, 15m, 1h, 2h, 4h and 1d bars and prices at once.

* Plain dicts take one event at a time and know duplicates, but no correction and no cancel.
* Small batches meet an engine that holds the flow of the minutes before.
* Memory: {sessions_of_engine} sessions of the large market, one after the other, some trades a
  symbol and session.
""",
    "readers": """## Reading

p50 / p95 in milliseconds of {queries} queries after a warm-up, each over other symbols and dates;
the least p50 is bold.

* fiblake is `Lake.bars` after `Lake.warm`, which copied silver to files mapped into memory: it
  looks whether the lake has changed, applies splits and orders the bars.
* Polars (`scan_parquet`) and DuckDB (`read_parquet`) read the same files of silver as they are.
* chDB has a copy in MergeTree tables ordered by listing and start, that of 5d in a part a year.
* ArcticDB has two copies in LMDB: a symbol per ticker, and a symbol per date for the whole market.
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
    "flink": """## Flink

A day of trades out of order, sent again, corrected and cancelled, as lines of JSON from a file to
nowhere, in a mini cluster of two slots on the same cores, without the start of it. The job makes
bars of 1m, 5m, 15m, 1h, 2h, 4h and 1d at once.
""",
    "latency": """## From a trade to its price

A vendor in a process of its own writes {per_second:,} trades a second of 500 symbols to its socket;
the other reads, judges, records and applies them, puts bars and prices into a view, and keeps a
snapshot every five seconds. A price is as old, when its subscriber has it, as the last of its
trades is since that was written; prices of trades that came at once are one.

* All run on the same cores. CPU is that of the process that reads, subscriber included.
""",
    "memory": """## Memory

The engine and the view in memory of one process, in which {live:,} symbols trade {trades} times a
session, over all of its hours: so each has bars of seven intervals. After each session batch has
covered what was before it. MiB are those resident beyond what the process had before.
""",
}


class Bench:
    """One run: the markets it makes are shared by its sections.

    Args:
        work: Where lakes are made.
        symbols: Of the market.
        start: Its first date.
        large: How many the large market has; 0 for none.
        queries: Queries of each kind that readers answer.
    """

    def __init__(
        self, work: Path, *, symbols: int, start: dt.date, large: int, queries: int
    ) -> None:
        self._work = work
        self._symbols = symbols
        self._large = large
        self._said = {"symbols": symbols, "start": start, "end": LAST, "queries": queries}
        self._said |= {"sessions": SESSIONS, "sessions_of_engine": ENGINE_SESSIONS}
        self._said["live"] = large or symbols
        self._said |= {"per_second": PER_SECOND, "trades": TRADES}
        self.market = cache(lambda count: make_market(work, count, start))
        self.sections: dict[str, Callable[[], str]] = {
            "demo": lambda: demo_job(work),
            "generate": self._generate,
            "resample": lambda: SideBySide(self.market(symbols), work).run(),
            "growth": self._growth,
            "daily": lambda: incremental(self._resampled(), work),
            "fetch": self._fetch,
            "intraday": lambda: intraday(work, symbols, queries),
            "engine": lambda: engine(symbols, large),
            "readers": lambda: readers(self._resampled(), work, queries),
            "streams": lambda: streams(symbols),
            "views": lambda: views(large or symbols, queries),
            "flink": lambda: flink(symbols),
            "latency": lambda: latency(symbols),
            "memory": lambda: memory(large or symbols),
        }

    def page(self, names: Sequence[str]) -> str:
        """Return the page of some sections."""
        parts = [_INTRODUCTION.format(machine=machine())]
        for name in names:
            sys.stderr.write(f"{name} ...\n")
            parts += [_TEXTS[name].format(**self._said), self.sections[name](), ""]
        return "\n".join(parts)

    def _generate(self) -> str:
        markets = [self.market(count) for count in self._sizes()[-2:]]
        return markdown(
            ["symbols", "daily bars", "seconds", "daily bars/s", "peak GiB"],
            [_made(market) for market in markets],
        )

    def _growth(self) -> str:
        markets = [self.market(count) for count in self._sizes()]
        return growth(markets, self._work, straight=self.market(self._symbols))

    def _fetch(self) -> str:
        # A market grows: of so many symbols in all, as many as are asked for trade in the end.
        return fetching(self.market(self._symbols * 7 // 5).folder, self._work)

    def _sizes(self) -> list[int]:
        few = [self._symbols // 4, self._symbols // 2, self._symbols]
        return [*(count for count in few if count), *([self._large] if self._large else [])]

    def _resampled(self) -> Path:
        folder = self._work / "ours"
        if not folder.exists():
            without_silver(self.market(self._symbols).folder, folder)
            run_alone(ours_task, folder=folder)
        return folder


def _made(market: Market) -> list[str]:
    return [
        f"{market.symbols:,}",
        f"{market.rows:,}",
        f"{market.made.seconds:.1f}",
        f"{market.rows / market.made.seconds:,.0f}",
        f"{market.made.peak_gib:.1f}",
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=_TEXTS, help="may be repeated")
    parser.add_argument("--symbols", type=int, default=FULL)
    parser.add_argument("--start", type=dt.date.fromisoformat, default=EPOCH)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument(
        "--large", action=argparse.BooleanOptionalAction, default=True, help=f"{LARGE:,} symbols"
    )
    parser.add_argument("--work", type=Path, help="where to make lakes: some 5 GB for a while")
    return parser.parse_args()


def main() -> None:
    """Measure, print the page, and write it where it is whole."""
    given = _arguments()
    is_full = (given.symbols, given.start) == (FULL, EPOCH)
    folder = Path(tempfile.mkdtemp(prefix="fiblake-bench-", dir=given.work))
    bench = Bench(
        folder,
        symbols=given.symbols,
        start=given.start,
        large=LARGE if given.large and is_full else 0,
        queries=given.queries,
    )
    try:
        page = bench.page(given.only or list(_TEXTS))
    finally:
        shutil.rmtree(folder)
    print(page)  # noqa: T201 - a benchmark's output
    if is_full and given.large and not given.only and given.queries >= QUERIES:
        PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
