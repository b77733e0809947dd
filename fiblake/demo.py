"""The demo: from real daily bars to Fibonacci bars on a page, in the user's own lake."""

from __future__ import annotations

import hashlib
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.fetching.sample import sample_file, sample_splits
from fiblake import reports
from fiblake.printing import COLUMNS, bars_table
from lake import keys
from lake.errors import StoreError
from lake.exchange import trading_day
from serving_layer.page import self_contained_page

if TYPE_CHECKING:
    from pathlib import Path

    from fiblake.lake import Lake
    from fiblake.output import Output

_SYMBOL: Final = "AAPL"
_INTERVAL: Final = "13d"
_SHOWN: Final = 8


def run_demo(lake: Lake, page: Path, output: Output) -> None:
    """Import the sample, resample it, show some bars and write a chart page.

    Raises:
        SourceError: If the sample is not installed.
        StoreError: If the lake or the page cannot be written.
    """
    started = time.perf_counter()
    table = lake.importer().sessions()
    seconds = time.perf_counter() - started
    output.show(f"{len(table):,} sessions, {table.first} to {table.last} ({seconds:.2f} s)")
    with output.progress("import") as advance:
        importer = lake.importer(on_progress=advance)
        imported = importer.import_files([sample_file()], splits=sample_splits())
    output.show(*reports.of_import(imported))
    with output.progress("resample") as advance:
        resampled = lake.resample(on_progress=advance)
    output.show(*reports.of_resample(resampled))
    if not (imported.added or imported.corrected or resampled.rebuilt):
        output.show(f"nothing to do: {lake.store.location} is up to date")
    bars = lake.bars(_SYMBOL, _INTERVAL).tail(_SHOWN).with_columns(interval=pl.lit(_INTERVAL))
    output.show("", f"the last {_SHOWN} of {_SYMBOL}'s {_INTERVAL} bars:")
    output.show(bars_table(bars.select(COLUMNS)), "")
    _write_page(lake, page)
    output.show(f"chart page: {page.resolve().as_uri()}")
    output.show("serve it:   make up, or fiblake up")


def _write_page(lake: Lake, page: Path) -> None:
    """Write the page, unless the one there was made of this very lake on this day."""
    # What landed says once more that the sample was imported, and changes no bar.
    there = lake.store.fingerprints("").items()
    lasting = {key: it for key, it in there if not key.startswith(keys.LANDING)}
    made_of = [version("fiblake"), trading_day(lake.clock.now()), lasting]
    mark = f"<!-- {hashlib.sha256(str(made_of).encode()).hexdigest()} -->".encode()
    try:
        if not page.exists() or not page.read_bytes().endswith(mark):
            page.write_bytes(self_contained_page(lake.reader).encode() + mark)
    except OSError as error:
        fact = f"Could not write {page}: {error.strerror}."
        raise StoreError(fact) from error
