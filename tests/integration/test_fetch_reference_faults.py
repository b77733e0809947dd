"""A vendor that fails while it is asked for reference data, and fetches that are killed."""

from __future__ import annotations

import datetime as dt
import random
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import pytest

from batch_layer import landing
from batch_layer.fetching.reference_report import Missed
from batch_layer.local_vendor import LocalVendor
from lake import keys
from lake.errors import VendorUnavailableError
from lake.store import LocalStore
from tests.command_line import FIBLAKE
from tests.fetching import FAST, Fetching
from tests.reference import known

_SEED: Final = 13
_KINDS: Final = ("tickers", "splits", "dividends")


def landed(lake_folder: Path) -> dict[str, list[str]]:
    store = LocalStore(lake_folder)
    return {
        f"{kind} {unit}": found
        for kind in _KINDS
        for unit, found in landing.landed(store, "massive", kind).items()
    }


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("throttled", {"retry_after": 0}),
        ("error", {"status": 500}),
        ("cut", {}),
        ("truncated", {}),
        ("wrong_count", {}),
        ("reset", {}),
    ],
)
def test_faults_that_pass_change_nothing(
    fetching: Fetching, vendor: LocalVendor, kind: Any, how: dict[str, Any]
) -> None:
    expected = fetching(name="other")
    expected.fetch_reference(start="2012-01-01")
    vendor.fail(kind, times=2, **how)
    lake = fetching()
    report = lake.fetch_reference(start="2012-01-01")

    assert (0, 0) == (report.failed, vendor.faults_left)
    assert known(expected.store) == known(lake.store)


def test_pages_that_repeat_fail_their_unit_alone(fetching: Fetching, vendor: LocalVendor) -> None:
    vendor.fail("repeated_page", path="dividends.*2012", times=None)
    lake = fetching()
    report = lake.fetch_reference(start="2012-01-01")
    failed = [missed for part in report.parts for missed in part.failed]

    assert ["2012"] == [missed.unit for missed in failed]
    assert failed[0].why.startswith("Massive's pages repeat: http")
    assert failed[0].why.endswith(" came before.")
    vendor.heal()
    vendor.forget()
    again = lake.fetch_reference(start="2012-01-01")
    assert [0, 0, 0, 0, 0, 1, 0] == [part.asked for part in again.parts]
    assert 1 == len(vendor.requests)


def test_a_year_that_cannot_be_had_is_told_and_the_rest_comes(
    fetching: Fetching, vendor: LocalVendor
) -> None:
    vendor.fail("not_in_plan", path="splits.*2012", times=None)
    report = fetching().fetch_reference(start="2012-01-01")

    assert [
        Missed(
            "2012",
            "Massive refuses /v3/reference/splits: Your plan doesn't include this data timeframe. "
            "Please upgrade your plan at https://massive.com/pricing.",
        )
    ] == [missed for part in report.parts for missed in part.failed]
    assert [2, 0, 0, 0, 2, 3, 1] == [part.asked for part in report.parts]


def test_a_vendor_that_fails_on_is_given_up_on(fetching: Fetching, vendor: LocalVendor) -> None:
    vendor.fail("error", times=None)

    with pytest.raises(VendorUnavailableError, match="given up after 4 attempts"):
        fetching().fetch_reference(start="2003-01-01")
    assert {} == fetching().store.fingerprints(keys.LANDING)


def started(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [FIBLAKE, "fetch", "reference", "--start", "2011-01-01", "--lake", folder],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_fetch_killed_at_any_moment_asks_nothing_twice_that_had_landed(
    vendor: LocalVendor, blank_lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**vendor.settings, **FAST, "FIBLAKE_FETCH_WORKERS": "2"}.items():
        monkeypatch.setenv(name, value)
    chance = random.Random(_SEED)  # noqa: S311 - a seed makes the same moments again
    after = shutil.copytree(blank_lake, tmp_path / "after")
    started(after).communicate()
    whole = len(LocalStore(after).fingerprints(""))
    cut = 0
    for number in range(6):
        folder = shutil.copytree(blank_lake, tmp_path / f"lake {number}")
        first = len(LocalStore(folder).fingerprints(""))
        wanted = chance.randint(first + 1, whole)
        vendor.forget()
        process = started(folder)
        while process.poll() is None and len(LocalStore(folder).fingerprints("")) < wanted:
            time.sleep(0.001)
        process.kill()
        process.communicate()
        cut += process.returncode != 0
        had = landed(folder)
        vendor.forget()
        said = (again := started(folder)).communicate()

        assert 0 == again.returncode, said
        assert values(after) == values(folder), f"round {number}"
        assert {1} == {len(found) for found in landed(folder).values()}
        assert [] == [unit for unit in had if unit in asked(vendor)], f"round {number}"
    assert cut > 0


def values(folder: Path) -> list[list[tuple[object, ...]]]:
    """Reference data without the instants at which they became known."""
    return [[row[:-1] for row in table] for table in known(LocalStore(folder))]


def asked(vendor: LocalVendor) -> set[str]:
    """Return the units that the vendor was asked for, by first pages."""
    today = dt.datetime.now(dt.UTC).date()
    found = set()
    for request in vendor.requests:
        text = request.query
        kind = request.path.rpartition("/")[2]
        year = re.search(r"gte=(\d{4})", text)
        if year:
            found.add(f"{kind} {year[1]}")
        elif "active=" in text:
            state = "active" if "active=true" in text.lower() else "delisted"
            found.add(f"{kind} {state}/{today}")
    return found
