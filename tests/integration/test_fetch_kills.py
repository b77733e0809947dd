"""A fetch that is killed at random moments, and run again, ends as if nothing had happened.

FETCH_KILLS=100 pytest tests/integration/test_fetch_kills.py -s
"""

from __future__ import annotations

import datetime as dt
import os
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from batch_layer import landing
from batch_layer.bronze import ledger
from batch_layer.local_vendor import LocalVendor
from lake import keys
from lake.store import LocalStore
from tests.command_line import FIBLAKE
from tests.fetching import FAST, current, replaced

_KILLS: Final = int(os.environ.get("FETCH_KILLS", "6"))
_SEED: Final = int(os.environ.get("SEED", "13"))
_SESSION: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.csv\.gz)?$")
_SPAN: Final = ("--start", "2012-11-01", "--end", "2013-02-15")
_INSTANTS: Final = ("known_from", "known_to")


@dataclass(frozen=True, slots=True)
class Work:
    """A fetch to be killed: of a lake as it was before, to what it holds after."""

    arguments: tuple[str, ...]
    before: Path
    after: Path

    @property
    def source(self) -> str:
        return "flatfiles" if "flatfiles" in self.arguments else "massive"


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [FIBLAKE, "fetch", "daily", *arguments, *_SPAN, "--lake", folder],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finished(folder: Path, *arguments: str) -> None:
    process = started(folder, *arguments)
    said = process.communicate()
    assert 0 == process.returncode, said


def content(folder: Path, source: str) -> dict[str, Any]:
    """Return what a lake holds, less the instants at which it learnt of it."""
    store = LocalStore(folder)
    entries = ledger.read(store, "daily")[source]
    return {
        "bronze": current(store).drop("known_from").rows(),
        "history": replaced(store).drop(*_INSTANTS).rows(),
        "ledger": {session: (entry.rows, entry.accepted) for session, entry in entries.items()},
        "landed": set(landing.landed(store, source, "daily")),
    }


def writes(folder: Path) -> int:
    """Return how often a lake was written to: once for each object, and each replacement."""
    return len(LocalStore(folder).fingerprints(""))


def killed(work: Work, folder: Path, chance: random.Random) -> bool:
    """Start a fetch and kill it at a random moment; return whether that cut it short."""
    first, last = writes(folder), writes(work.after)
    wanted = chance.randint(first + 1, max(last, first + 1))
    delay_s = chance.choice((0, 0, 0.02, 0.1, 0.3))
    process = started(folder, *work.arguments)
    while process.poll() is None and writes(folder) < wanted:
        time.sleep(0.001)
    time.sleep(delay_s)
    process.kill()
    process.communicate()
    return process.returncode != 0


def asked_after_it_landed(vendor: LocalVendor, folder: Path, source: str) -> list[str]:
    """Return the requests for sessions that had landed when they were made."""
    store = LocalStore(folder)
    late = []
    for unit, landed in landing.landed(store, source, "daily").items():
        at = dt.datetime.fromtimestamp((folder / landed[0]).stat().st_mtime, dt.UTC)
        late += [
            f"{request.instant} {request.path}"
            for request in vendor.requests
            if (match := _SESSION.search(request.path))
            and match[1] == unit
            and dt.datetime.fromisoformat(request.instant) > at
        ]
    return late


@pytest.fixture
def fast(vendor: LocalVendor, monkeypatch: pytest.MonkeyPatch) -> LocalVendor:
    for name, value in {**vendor.settings, **FAST}.items():
        monkeypatch.setenv(name, value)
    return vendor


def works(root: Path, blank: Path) -> list[Work]:
    found = []
    for source in ("massive", "flatfiles"):
        arguments = ("--source", source)
        after = copied(blank, root / f"after {source}")
        finished(after, *arguments)
        found.append(Work(arguments, blank, after))
    return found


def copied(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=shutil.copy2)
    return target


def test_a_fetch_killed_at_any_moment_and_run_again_asks_nothing_twice(
    fast: LocalVendor, blank_lake: Path, tmp_path: Path
) -> None:
    chance = random.Random(_SEED)  # noqa: S311 - a seed makes the same moments again
    every = works(tmp_path, blank_lake)
    tally: Counter[str] = Counter()
    while tally["kills"] < _KILLS:
        work = every[tally["rounds"] % len(every)]
        tally["rounds"] += 1
        folder = copied(work.before, tmp_path / "lake")
        fast.forget()
        # Sometimes the run that would make it good is killed as well.
        for _ in range(chance.choice((1, 1, 2))):
            tally["kills"] += 1
            tally["cut short"] += killed(work, folder, chance)
            tally["had landed"] += bool(LocalStore(folder).fingerprints(keys.LANDING))
        finished(folder, *work.arguments)

        where = f"{work.source}, {tally}, seed {_SEED}"
        assert content(work.after, work.source) == content(folder, work.source), where
        assert [] == asked_after_it_landed(fast, folder, work.source), where
        # Each session landed once: what was brought again came from there.
        found = landing.landed(LocalStore(folder), work.source, "daily")
        assert {1} == {len(each) for each in found.values()}, where
    print(tally)  # noqa: T201 - pytest shows it with -s
    assert tally["cut short"] > 0
    assert tally["had landed"] > 0


def test_what_is_asked_for_again_and_killed_is_corrected_once(
    fast: LocalVendor, blank_lake: Path, tmp_path: Path
) -> None:
    chance = random.Random(_SEED)  # noqa: S311 - likewise
    before = copied(blank_lake, tmp_path / "before")
    finished(before)
    for session in fast.sessions[225:255:3]:
        fast.restate(session)
    after = copied(before, tmp_path / "after")
    finished(after, "--again")
    work = Work(("--again",), before, after)
    for number in range(max(_KILLS // 3, 1)):
        folder = copied(before, tmp_path / "lake")
        killed(work, folder, chance)
        finished(folder, "--again")

        assert content(after, "massive") == content(folder, "massive"), f"{number}, seed {_SEED}"
    assert 20 == len(content(after, "massive")["history"])


def test_of_two_at_once_one_asks_and_the_other_waits_for_it(
    fast: LocalVendor, blank_lake: Path, tmp_path: Path
) -> None:
    folder = copied(blank_lake, tmp_path / "lake")
    processes = [started(folder, "--json") for _ in range(3)]
    said = [process.communicate() for process in processes]
    sessions = Counter(match[1] for each in fast.requests if (match := _SESSION.search(each.path)))

    assert [0, 0, 0] == [process.returncode for process in processes], said
    assert {1} == set(sessions.values())
    assert 2 <= sum("waiting for it" in errors for _, errors in said)


def test_a_killed_fetch_is_not_waited_for(
    fast: LocalVendor, blank_lake: Path, tmp_path: Path
) -> None:
    folder = copied(blank_lake, tmp_path / "lake")
    fast.fail("slow", times=None, seconds=600)
    process = started(folder)
    while not fast.requests:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    fast.heal()
    again = started(folder)
    _, errors = again.communicate()

    assert (0, False) == (again.returncode, "waiting for it" in errors)
