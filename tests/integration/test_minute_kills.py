"""A fetch of minutes that is killed at random moments, and run again, ends as if nothing had been.

FETCH_KILLS=100 pytest tests/integration/test_minute_kills.py -s
"""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import pytest

from batch_layer import landing
from batch_layer.bronze import ledger
from batch_layer.local_vendor import LocalVendor
from lake.store import LocalStore
from tests.command_line import FIBLAKE
from tests.fetching import FAST
from tests.selling import minutes_in, minutes_sold

_KILLS: Final = int(os.environ.get("FETCH_KILLS", "4"))
_SEED: Final = int(os.environ.get("SEED", "13"))
_FIRST, _LAST = dt.date(2013, 1, 9), dt.date(2013, 1, 16)
_SPAN: Final = ("--start", "2013-01-09", "--end", "2013-01-16")


def started(folder: Path, *symbols: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [FIBLAKE, "fetch", "minutes", *symbols, *_SPAN, "--lake", folder],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finished(folder: Path, *symbols: str) -> None:
    process = started(folder, *symbols)
    said = process.communicate()
    assert 0 == process.returncode, said


def told(folder: Path) -> dict[str, Any]:
    """Return what the ledger tells, less where it landed."""
    return {
        source: {session: (entry.rows, entry.accepted) for session, entry in entries.items()}
        for source, entries in ledger.read(LocalStore(folder), "minute").items()
    }


def writes(folder: Path) -> int:
    return len(LocalStore(folder).fingerprints(""))


def killed(folder: Path, last: int, chance: random.Random, *symbols: str) -> bool:
    """Start a fetch and kill it at a random moment; return whether that cut it short."""
    first = writes(folder)
    wanted = chance.randint(first + 1, max(last, first + 1))
    process = started(folder, *symbols)
    while process.poll() is None and writes(folder) < wanted:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    return process.returncode != 0


@pytest.mark.parametrize("source", ["flatfiles", "massive"])
def test_a_fetch_of_minutes_killed_and_run_again_asks_nothing_twice(
    vendor: LocalVendor,
    vendor_lake_folder: Path,
    blank_lake: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    for name, value in {**vendor.settings, **FAST}.items():
        monkeypatch.setenv(name, value)
    chance = random.Random(_SEED)  # noqa: S311 - a seed makes the same moments again
    sold = minutes_sold(vendor_lake_folder, _FIRST, _LAST)
    symbols = sold["symbol"].unique().sort()[:6].to_list() if source == "massive" else []
    after = tmp_path / "after"
    shutil.copytree(blank_lake, after, copy_function=shutil.copy2)
    finished(after, *symbols)
    cut_short = 0
    for number in range(_KILLS):
        folder = tmp_path / f"lake {number}"
        shutil.copytree(blank_lake, folder, copy_function=shutil.copy2)
        cut_short += killed(folder, writes(after), chance, *symbols)
        store = LocalStore(folder)
        had_landed = set(landing.landed(store, source, "minute"))
        vendor.forget()
        finished(folder, *symbols)

        where = f"{source}, {number}, seed {_SEED}"
        assert minutes_in(LocalStore(after)).equals(minutes_in(store)), where
        assert told(after) == told(folder), where
        # Each landed once: what had landed was not asked for again.
        landed = landing.landed(store, source, "minute")
        assert {1} == {len(each) for each in landed.values()}, where
        paths = " ".join(request.path for request in vendor.requests)
        again = [unit for unit in had_landed if in_request(unit) in paths]
        assert [] == again, where
    assert cut_short > 0


def in_request(unit: str) -> str:
    """Return how a request tells of a unit of landing."""
    symbol, _, dates = unit.rpartition("/")
    if not symbol:
        return f"{unit}.csv.gz"
    return f"{symbol}/range/1/minute/{dates.replace('_', '/')}"
