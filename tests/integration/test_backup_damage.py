"""Backups that are damaged, and lakes that lost something: what is wrong is told by its name."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from batch_layer.backups import manifest as manifests
from batch_layer.backups.backup import create, listed, restore, verify
from database import Database
from lake import keys
from lake.clock import SetClock
from lake.errors import BackupError
from lake.store import LocalStore
from tests.backups import AT, write

Damage = Callable[[LocalStore, str], None]


def _cut(store: LocalStore, key: str) -> None:
    store.put(key, store.get(key).data[:-1])


def _flip(store: LocalStore, key: str) -> None:
    data = bytearray(store.get(key).data)
    data[len(data) // 2] ^= 1
    store.put(key, bytes(data))


def _other(store: LocalStore, key: str) -> None:
    store.put(key, gzip.compress(b'["another"]\n'))


def _empty(store: LocalStore, key: str) -> None:
    store.put(key, b"")


def _remove(store: LocalStore, key: str) -> None:
    store.delete(key)


@pytest.mark.parametrize(
    ("damage", "said"),
    [(_cut, "bytes"), (_flip, "SHA-256"), (_other, ""), (_empty, "0 bytes"), (_remove, "missing")],
)
def test_every_object_that_is_damaged_is_told_of_by_its_name(
    own_database: Database, some_lake: LocalStore, tmp_path: Path, damage: Damage, said: str
) -> None:
    write(own_database, "first")
    sound = LocalStore(tmp_path / "sound")
    made = create(some_lake, own_database, sound, clock=SetClock(AT))
    pieces = list(manifests.read(sound, made.id).pieces)
    assert 4 == len(pieces)
    for number, piece in enumerate(pieces):
        shutil.copytree(tmp_path / "sound", tmp_path / f"{number}")
        place = LocalStore(tmp_path / f"{number}")
        damage(place, piece.key)

        (fault,) = verify(place, made.id, some_lake).faults

        assert piece.key in fault
        assert said in fault


@pytest.mark.parametrize("damage", [_cut, _flip, _other, _empty])
def test_a_damaged_manifest_is_no_backup_and_says_so(
    own_database: Database, some_lake: LocalStore, tmp_path: Path, damage: Damage
) -> None:
    place = LocalStore(tmp_path / "backups")
    made = create(some_lake, own_database, place, clock=SetClock(AT))
    damage(place, keys.backup_manifest(made.id))

    with pytest.raises(BackupError, match=r"manifest\.json in .* is damaged: "):
        verify(place, made.id, some_lake)
    with pytest.raises(BackupError, match=r"manifest\.json in .* is damaged: "):
        restore(place, made.id, own_database, some_lake, force=True)
    (told,) = listed(place)
    assert "damaged" in told.fault


def test_a_backup_of_a_newer_format_is_refused(
    own_database: Database, some_lake: LocalStore, tmp_path: Path
) -> None:
    place = LocalStore(tmp_path / "backups")
    made = create(some_lake, own_database, place, clock=SetClock(AT))
    key = keys.backup_manifest(made.id)
    place.put(key, json.dumps(json.loads(place.get(key).data) | {"format": 2}).encode())

    with pytest.raises(BackupError, match=r"of format 2, not 1\. Hint: use the newer version"):
        verify(place, made.id, some_lake)


def test_what_the_lake_lost_is_told_with_the_commands_that_bring_it_back(
    own_database: Database, some_lake: LocalStore, tmp_path: Path
) -> None:
    place = LocalStore(tmp_path / "backups")
    made = create(some_lake, own_database, place, clock=SetClock(AT))
    some_lake.put("silver/interval=13d/year=2026/bars.parquet", b"a new build")
    found = verify(place, made.id, some_lake)
    assert ((), ()) == (found.faults, found.hints)
    (silver,) = [each for each in found.areas if each.name == "silver"]
    assert (1, 0, 1, False) == (silver.objects, silver.missing, silver.changed, silver.is_harmed)

    for key in some_lake.fingerprints(""):
        some_lake.delete(key)
    found = verify(place, made.id, some_lake)

    assert () == found.faults
    assert all(each.is_harmed for each in found.areas)
    assert (
        "fiblake fetch daily --source massive --again",
        "landing/massive/live: from versions of the bucket, or fiblake backup restore ID --landing",
        "fiblake rebuild bronze",
        "fiblake resample",
    ) == found.hints
