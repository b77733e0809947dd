"""A lake that fetches from the local vendor, and what a test asks of both."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl
import pytest

from batch_layer.bronze.year import read_year
from batch_layer.fetching.fetch_report import FetchReport
from batch_layer.local_vendor import LocalVendor
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.store import LocalStore, ObjectStore

# The evening of the vendor's last session, 2013-03-28.
EVENING: Final = dt.datetime(2013, 3, 28, 22, tzinfo=dt.UTC)
FAST: Final = {
    "FIBLAKE_MASSIVE_CALLS_PER_MINUTE": "1e9",
    "FIBLAKE_MASSIVE_RETRY_MS": "1",
    "FIBLAKE_MASSIVE_ATTEMPTS": "4",
}
_SESSION: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.csv\.gz)?$")
_KEY: Final = ["symbol", "session"]
_VALUES: Final = ["open", "high", "low", "close", "volume", "vwap", "trades"]

Fetching = Callable[..., Lake]


@pytest.fixture
def fetching(
    vendor: LocalVendor, blank_lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Fetching:
    """Return a new, empty lake that asks the local vendor, by its clock and name."""
    for name, value in {**vendor.settings, **FAST}.items():
        monkeypatch.setenv(name, value)

    def open_(now: dt.datetime = EVENING, name: str = "lake") -> Lake:
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(blank_lake, folder)
        return Lake(folder, clock=SetClock(now))

    return open_


def asked(vendor: LocalVendor) -> list[dt.date]:
    """Return the sessions that the vendor was asked for, in order of its answers."""
    matches = (_SESSION.search(request.path) for request in vendor.requests)
    return [dt.date.fromisoformat(match[1]) for match in matches if match]


def current(store: ObjectStore) -> pl.DataFrame:
    """Return the daily bars that a lake has."""
    years = keys.by_year(store.fingerprints(keys.DAILY))
    frames = [read_year(store, year).bars for year in years]
    return pl.concat(frames).sort(_KEY) if frames else pl.DataFrame()


def replaced(store: ObjectStore) -> pl.DataFrame:
    """Return the history of a lake's daily bars."""
    years = keys.by_year(store.fingerprints(keys.DAILY))
    return pl.concat([read_year(store, year).history for year in years]).sort(*_KEY, "revision")


def bars_of(store: ObjectStore, first: dt.date, last: dt.date) -> pl.DataFrame:
    """Return what a lake's daily bars say, from one session to another."""
    bars = current(store)
    return bars.filter(pl.col("session").is_between(first, last)).select(*_KEY, *_VALUES)


def sold(folder: Path, first: dt.date, last: dt.date) -> pl.DataFrame:
    """Return what the vendor sells."""
    return bars_of(LocalStore(folder), first, last)


def counts(report: FetchReport) -> dict[str, int]:
    told = {
        "fetched": report.fetched,
        "from landing": report.from_landing,
        "there": report.already_there,
        "not yet": len(report.not_yet),
        "failed": len(report.failed),
    }
    assert report.sessions == sum(told.values())
    return {what: count for what, count in told.items() if count}
