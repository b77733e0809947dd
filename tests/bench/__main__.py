"""`make bench`: measures what is built, read, streamed and served, and writes the page.

All sections of a chapter at full size take its place in docs/benchmarks.md, and leave the others as
they are; any other run prints its tables alone.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import tempfile
from pathlib import Path
from typing import Final

from lake.session import EPOCH
from tests.bench.alerts_chapter import ALERTS
from tests.bench.batch_chapter import BATCH
from tests.bench.chapter import Chapter, Size, with_chapter
from tests.bench.readers import QUERIES
from tests.bench.serving_chapter import SERVING
from tests.bench.speed_chapter import SPEED
from tests.bench.start_up_chapter import START_UP
from tests.bench.stream_chapter import STREAM
from tests.bench.timing import ROOT

PAGE: Final = ROOT / "docs" / "benchmarks.md"
FULL: Final = 5_350
LARGE: Final = 10_000
CHAPTERS: Final = {
    "batch": BATCH,
    "speed": SPEED,
    "serving": SERVING,
    "stream": STREAM,
    "alerts": ALERTS,
    "start-up": START_UP,
}
_SECTIONS: Final = [name for chapter in CHAPTERS.values() for name in chapter.texts]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--chapter", choices=CHAPTERS, help="all sections of one chapter")
    part.add_argument("--only", action="append", choices=_SECTIONS, help="may be repeated")
    parser.add_argument("--symbols", type=int, default=FULL)
    parser.add_argument("--start", type=dt.date.fromisoformat, default=EPOCH)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument(
        "--large", action=argparse.BooleanOptionalAction, default=True, help=f"{LARGE:,} symbols"
    )
    parser.add_argument("--work", type=Path, help="where to make lakes: some 5 GB for a while")
    return parser.parse_args()


def main() -> None:
    """Measure chapter by chapter, print each, and write it where it is whole."""
    given = _arguments()
    is_full = (given.symbols, given.start) == (FULL, EPOCH)
    large = LARGE if given.large and is_full else 0
    size = Size(given.symbols, given.start, large, given.queries)
    for name, chapter in CHAPTERS.items():
        is_wanted = given.chapter in {None, name}
        names = [each for each in chapter.texts if is_wanted and each in (given.only or _SECTIONS)]
        if names:
            text = _measured(chapter, names, size, given.work)
            print(text)  # noqa: T201 - a benchmark's output
            if large and not given.only and given.queries >= QUERIES:
                write(text)


def write(text: str, page: Path = PAGE) -> None:
    """Put a chapter into the page, and leave the others as they are."""
    headings = [each.heading for each in CHAPTERS.values()]
    page.write_text(with_chapter(page.read_text("utf-8"), text, headings), "utf-8")


def _measured(chapter: Chapter, names: list[str], size: Size, work: Path | None) -> str:
    folder = Path(tempfile.mkdtemp(prefix="fiblake-bench-", dir=work))
    try:
        return chapter.measured(names, size, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
