"""`fiblake fetch daily` and `fiblake rebuild bronze` as a user types them."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path

import pytest

from batch_layer.local_vendor import LocalVendor
from lake.store import LocalStore
from tests.command_line import FIBLAKE, Run
from tests.fetching import FAST, current

SPAN = ("--start", "2013-01-02", "--end", "2013-01-11")


@pytest.fixture
def in_vendor(in_lake: Run, vendor: LocalVendor, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in {**vendor.settings, **FAST}.items():
        monkeypatch.setenv(name, value)
    return in_lake


def test_a_fetch_ends_with_a_table(in_vendor: Run, vendor: LocalVendor) -> None:
    vendor.fail("error", session=vendor.sessions[-60], times=None)
    ran = in_vendor("fetch", "daily", *SPAN)

    assert 1 == ran.code
    first, _, header, _, row, *rest = ran.out.splitlines()
    assert "daily bars from massive: 8 sessions, 2013-01-02 to 2013-01-11" == first
    assert "sessions  fetched  from landing  already there  not yet  failed" == header
    assert ["7", "0", "0", "0", "1"] == row.split()
    assert any("2013-01-02  Massive answers 503" in line for line in rest)
    assert "silver is stale now: fiblake resample" == ran.err.strip()


def test_all_went_well_is_zero(in_vendor: Run) -> None:
    assert 0 == in_vendor("fetch", "daily", *SPAN).code
    ran = in_vendor("fetch", "daily", *SPAN)

    assert (0, "") == (ran.code, ran.err)
    assert "brought 0 rows: nothing new" in ran.out


def test_a_report_is_json_where_that_is_asked_for(in_vendor: Run) -> None:
    report = json.loads(in_vendor("fetch", "daily", *SPAN, "--json").out)

    assert ("massive", 8, 8, [], []) == tuple(
        report[name] for name in ("source", "sessions", "fetched", "failed", "not_yet")
    )


def test_a_pace_that_takes_minutes_is_told_of(
    in_vendor: Run, vendor: LocalVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_MASSIVE_CALLS_PER_MINUTE", "5")
    vendor.fail("unauthorized")
    ran = in_vendor("fetch", "daily", *SPAN)

    assert "8 calls, 5 a minute, take 2 minutes, the latest sessions first" in ran.err


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "MASSIVE_KEY",
            "wrong",
            "error: Massive refuses the key: Unknown API Key. Hint: set FIBLAKE_MASSIVE_KEY",
        ),
        ("MASSIVE_KEY", "", "error: There is no key for Massive. Hint: set FIBLAKE_MASSIVE_KEY"),
        (
            "MASSIVE_URL",
            "http://127.0.0.1:9",  # the port of a service that nobody runs
            "error: Massive cannot be reached at http://127.0.0.1",
        ),
    ],
)
def test_what_ends_a_fetch_is_one_line(
    in_vendor: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"FIBLAKE_{name}", value)
    ran = in_vendor("fetch", "daily", *SPAN)

    assert (1, "", 1) == (ran.code, ran.out, len(ran.err.strip().splitlines()))
    assert ran.err.startswith(said)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--start", "2013-01-02", "--end", "2013-01-01"),
        ("--start", "yesterday"),
        ("--source", "yahoo"),
    ],
)
def test_misuse_is_two(in_vendor: Run, arguments: tuple[str, ...]) -> None:
    assert 2 == in_vendor("fetch", "daily", *arguments).code


@pytest.mark.parametrize("kib", [4, 24, 60])
def test_a_full_disk_is_one_error_and_leaves_nothing_half_written(
    in_vendor: Run, lake_folder: Path, kib: int
) -> None:
    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, resource.RLIM_INFINITY))

    span = ("--start", "2012-06-01", "--end", "2013-01-11")
    done = subprocess.run(
        [FIBLAKE, "fetch", "daily", *span],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=fill,
    )
    assert (1, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("error: Could not write ")
    assert 1 == len(done.stderr.strip().splitlines())
    assert 0 == in_vendor("fetch", "daily", *span).code
    whole = in_vendor("fetch", "daily", *span, "--json")
    assert json.loads(whole.out)["sessions"] == json.loads(whole.out)["already_there"]
    assert current(LocalStore(lake_folder)).height > 1000


@pytest.fixture
def lake_folder(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def test_bronze_is_rebuilt_from_landing(in_vendor: Run, lake_folder: Path) -> None:
    in_vendor("fetch", "daily", *SPAN)
    before = current(LocalStore(lake_folder))
    for path in (lake_folder / "bronze").rglob("*.parquet"):
        path.unlink()
    ran = in_vendor("rebuild", "bronze")

    assert 0 == ran.code
    assert "read 8 landed answers of 8 sessions" in ran.out
    assert f"daily bars: {before.height:,} restored" in ran.out
    assert before.equals(current(LocalStore(lake_folder)))
