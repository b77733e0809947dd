"""The commands `fiblake backup`, and what they leave when they are killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from fiblake import Lake
from lake.settings import read_settings
from lake.store import open_backups
from tests.command_line import FIBLAKE, Run
from tests.parts import free_port


@pytest.fixture
def in_own(run: Run, own_sample_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `fiblake` on the sample, of which the test may lose some."""
    monkeypatch.setenv("FIBLAKE_LAKE", own_sample_lake.store.location)
    return run


def test_a_backup_is_made_listed_verified_and_restored(in_own: Run, tmp_path: Path) -> None:
    assert 0 == in_own("keys", "create", "desk", "--scope", "read").code
    made = in_own("backup", "create", "--to", tmp_path / "there", "--json")
    assert 0 == made.code, made.err
    told = json.loads(made.out)
    assert (2, []) == (told["rows"], told["removed"])
    assert 0 == in_own("keys", "create", "late", "--scope", "read").code

    listed = in_own("backup", "list", "--from", tmp_path / "there")
    assert told["id"] in listed.out
    assert "whole" in listed.out
    verified = in_own("backup", "verify", "--from", tmp_path / "there")
    assert (0, True) == (verified.code, f"backup {told['id']} is whole" in verified.out)
    where = ("--from", tmp_path / "there")
    refused = in_own("backup", "restore", told["id"], *where)
    assert (1, True) == (refused.code, "add --force" in refused.err)
    restored = in_own("backup", "restore", told["id"], *where, "--force")

    assert 0 == restored.code, restored.err
    assert "restored 2 rows" in restored.out
    assert "1 API keys are in force, those revoked after" in restored.err
    names = [each["name"] for each in json.loads(in_own("keys", "list", "--json").out)["keys"]]
    assert ["desk"] == names


def test_what_landed_comes_back_and_the_database_stays(in_own: Run) -> None:
    made = in_own("backup", "create", "--landing", "--json")
    assert 0 == made.code, made.err
    assert 0 == in_own("keys", "create", "late", "--scope", "read").code
    lost = Path(os.environ["FIBLAKE_LAKE"]) / "landing"
    count = sum(each.is_file() for each in lost.rglob("*"))
    shutil.rmtree(lost)

    ran = in_own("backup", "restore", json.loads(made.out)["id"], "--landing", "--keep-database")

    assert 0 == ran.code, ran.err
    assert "the database is left as it is" in ran.out
    assert count == sum(each.is_file() for each in lost.rglob("*"))
    names = [each["name"] for each in json.loads(in_own("keys", "list", "--json").out)["keys"]]
    assert ["late"] == names


def test_a_damaged_backup_is_exit_code_1(in_own: Run) -> None:
    told = json.loads(in_own("backup", "create", "--json").out)
    store = open_backups(read_settings())
    (inventory,) = store.fingerprints(f"{told['id']}/lake/inventory")
    store.put(inventory, b"torn")

    ran = in_own("backup", "verify", told["id"], "--json")

    assert 1 == ran.code
    (fault,) = json.loads(ran.out)["faults"]
    assert inventory in fault


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("restore", "yesterday"), "'yesterday' is not the id of a backup"),
        (("create", "--to", "ftp://there"), "'ftp://there' is not a place of backups"),
        (("create", "--keep", "0"), "--keep"),
        (("restore", "20260105T210000Z-3f9a01", "--database-url", "mysql://u:p@h/d"), "cannot be"),
        (("restore", "20260105T210000Z-3f9a01", "--keep-database"), "goes with --landing"),
    ],
)
def test_what_cannot_be_is_misuse(in_own: Run, arguments: tuple[str, ...], said: str) -> None:
    ran = in_own("backup", *arguments)

    assert 2 == ran.code
    assert said in ran.err
    assert "u:p@h" not in ran.err


def test_the_job_of_the_night_makes_one(in_own: Run) -> None:
    command = [sys.executable, "-m", "batch_layer.entry", "backup", "--keep", "2"]

    for _ in range(3):
        subprocess.run(command, check=True, capture_output=True, timeout=120)

    assert 2 == in_own("backup", "list").out.count("whole")
    bad = subprocess.run([*command[:-1], "0"], capture_output=True, check=False, timeout=120)
    assert 2 == bad.returncode


def test_a_backup_killed_at_any_moment_leaves_the_earlier_ones_whole(in_own: Run) -> None:
    first = json.loads(in_own("backup", "create", "--json").out)["id"]
    started = time.monotonic()
    subprocess.run([FIBLAKE, "backup", "create"], check=True, capture_output=True, timeout=120)
    took = time.monotonic() - started
    drawn = random.Random(5)  # noqa: S311 - moments, no secrets

    for _ in range(4):
        process = subprocess.Popen(
            [FIBLAKE, "backup", "create"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(took * drawn.uniform(0.3, 1.0))
        process.kill()
        process.communicate()

    told = json.loads(in_own("backup", "list", "--json").out)["backups"]
    assert first == told[0]["id"]
    for each in told:
        assert 0 == in_own("backup", "verify", each["id"]).code
    assert 0 == in_own("backup", "create").code


def test_a_system_serves_its_keys_again_after_a_restore(in_own: Run) -> None:
    key = in_own("keys", "create", "desk", "--scope", "read").out.strip()
    revoked = in_own("keys", "create", "gone", "--scope", "read").out.strip()
    assert 0 == in_own("keys", "revoke", revoked.split("_")[1]).code
    told = json.loads(in_own("backup", "create", "--json").out)
    for path in Path(told["database"]).parent.glob("fiblake.sqlite*"):
        path.unlink()
    assert 0 == in_own("backup", "restore", told["id"]).code

    port = free_port()
    process = subprocess.Popen(
        [FIBLAKE, "up", "--port", str(port)], stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
    try:
        url = f"http://127.0.0.1:{port}/v1/bars/AAPL?interval=13d&limit=1"
        codes = [_status(url, each) for each in (key, revoked, "fib_0000000000_00")]
    finally:
        process.terminate()
        process.wait(30)

    assert [200, 401, 401] == codes


def _status(url: str, key: str) -> int:
    until = time.monotonic() + 60
    while True:
        try:
            return httpx.get(url, headers={"X-API-Key": key}, timeout=30).status_code
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
