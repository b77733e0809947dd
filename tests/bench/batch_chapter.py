"""The chapter of batch: what is built, fetched and read, beside others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from tests.bench.chapter import Chapter, Sections, Size
from tests.bench.demo import demo_job
from tests.bench.fetching import SESSIONS, fetching
from tests.bench.incremental import incremental
from tests.bench.intraday import intraday
from tests.bench.lakes import LAST, Market, make_market, without_silver
from tests.bench.readers import readers
from tests.bench.resampling import SideBySide, growth, ours_task
from tests.bench.timing import markdown, run_alone

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
    "readers": """## Reading

p50 / p95 in milliseconds of {queries} queries after a warm-up, each over other symbols and dates;
the least p50 is bold.

* fiblake is `Lake.bars` after `Lake.warm`, which copied silver to files mapped into memory: it
  looks whether the lake has changed, applies splits and orders the bars.
* Polars (`scan_parquet`) and DuckDB (`read_parquet`) read the same files of silver as they are.
* chDB has a copy in MergeTree tables ordered by listing and start, that of 5d in a part a year.
* ArcticDB has two copies in LMDB: a symbol per ticker, and a symbol per date for the whole market.
""",
}


class _Batch:
    """One run: the markets it makes are shared by its sections."""

    def __init__(self, size: Size, work: Path) -> None:
        self._work = work
        self._symbols = size.symbols
        self._large = size.large
        self.market = cache(lambda count: make_market(work, count, size.start))
        self.sections: Sections = {
            "demo": lambda: demo_job(work),
            "generate": self._generate,
            "resample": lambda: SideBySide(self.market(size.symbols), work).run(),
            "growth": self._growth,
            "daily": lambda: incremental(self._resampled(), work),
            "fetch": self._fetch,
            "intraday": lambda: intraday(work, size.symbols, size.queries),
            "readers": lambda: readers(self._resampled(), work, size.queries),
        }

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


def _told(size: Size) -> Mapping[str, object]:
    return {
        "symbols": size.symbols,
        "start": size.start,
        "end": LAST,
        "queries": size.queries,
        "sessions": SESSIONS,
    }


def _sections(size: Size, work: Path) -> Sections:
    return _Batch(size, work).sections


BATCH: Final = Chapter(_INTRODUCTION, _TEXTS, _told, _sections)
