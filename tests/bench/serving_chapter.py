"""The chapter of the serving layer: what `fiblake up` answers, and how soon."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.bench.chapter import Chapter, Sections, Size
from tests.bench.lakes import make_market
from tests.bench.resampling import ours_task
from tests.bench.serving import PER_SECOND, serving
from tests.bench.timing import run_alone

_INTRODUCTION: Final = """# The serving layer

Written by `make bench` on {machine}.

`make bench ARGS='--chapter serving'` measures this chapter alone.
"""
_TEXTS: Final = {
    "serving": """## Prices and bars over HTTP

`fiblake up` as a process of its own on the resampled lake of {symbols:,} symbols since {start}, its
silver copied to local files, with a view in Redis that has today's bar and price of each symbol. A
client sends {per_second} requests a second, one each {every_ms:g} ms whether or not those before
were answered: half of them for the latest price of a random symbol, which is in Redis, half for all
13d bars of one as JSON, with today's merged into the last.

* The floor is one route of FastAPI on uvicorn that does nothing, and answers the same requests with
  as many bytes each, in the same run.
* A request counts from when it was due to the last byte of its answer. Server, client and Redis
  share the cores; CPU is that of the server's process.
* No key has been created: none is asked for, and nobody's requests are counted.
""",
}


def _told(size: Size) -> Mapping[str, object]:
    return {
        "symbols": size.symbols,
        "start": size.start,
        "per_second": PER_SECOND,
        "every_ms": 1000 / PER_SECOND,
    }


def _sections(size: Size, work: Path) -> Sections:
    def measured() -> str:
        market = make_market(work, size.symbols, size.start)
        run_alone(ours_task, folder=market.folder)
        return serving(market.folder, work)

    return {"serving": measured}


SERVING: Final = Chapter(_INTRODUCTION, _TEXTS, _told, _sections)
