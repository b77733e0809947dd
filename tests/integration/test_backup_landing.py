"""What landed, in backups: copied once, put right, and put back where the lake lacks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch_layer.backups.backup import create, restore, verify
from database import Database
from lake import keys
from lake.clock import SetClock
from lake.errors import BackupError, MisuseError
from lake.store import LocalStore, ObjectStore
from tests.backups import AT, DAY, packed, subjects, write


def test_landing_is_copied_once_and_put_back(
    any_place: ObjectStore, own_database: Database, some_lake: LocalStore
) -> None:
    before = create(some_lake, own_database, any_place, clock=SetClock(AT))
    first = create(some_lake, own_database, any_place, clock=SetClock(AT + DAY), landing=True)
    there = any_place.fingerprints(keys.LANDING)
    some_lake.put("landing/massive/daily/2026-01-06/20260106T211500Z.json.gz", packed("more"))
    last = create(some_lake, own_database, any_place, clock=SetClock(AT + 2 * DAY), landing=True)
    assert (2, 3) == (len(there), len(any_place.fingerprints(keys.LANDING)))
    assert there.items() <= any_place.fingerprints(keys.LANDING).items()
    landed = {key: some_lake.get(key).data for key in some_lake.fingerprints(keys.LANDING)}
    for key in landed:
        some_lake.delete(key)

    back = f"fiblake backup restore {last.id} --landing --keep-database"
    hinted = verify(any_place, last.id, some_lake).hints
    assert (back, "fiblake rebuild bronze", "fiblake resample") == hinted
    with pytest.raises(MisuseError, match=r"has no copies of what landed"):
        restore(any_place, before.id, own_database, some_lake, force=True, landing=True)
    done = restore(any_place, last.id, own_database, some_lake, force=True, landing=True)

    assert (3, ()) == (done.put_back, done.hints)
    assert landed == {key: some_lake.get(key).data for key in some_lake.fingerprints(keys.LANDING)}
    any_place.delete(next(iter(landed)))
    (fault,) = verify(any_place, first.id, some_lake).faults
    assert next(iter(landed)) in fault


def test_what_a_disk_made_of_landing_takes_no_copy_s_place_and_is_put_right(
    any_place: ObjectStore, own_database: Database, some_lake: LocalStore
) -> None:
    made = create(some_lake, own_database, any_place, clock=SetClock(AT), landing=True)
    first, second = some_lake.fingerprints(keys.LANDING)
    whole = some_lake.get(first).data
    some_lake.put(first, whole[:-9])

    with pytest.raises(BackupError, match=rf"copy of {first} .* of another size"):
        create(some_lake, own_database, any_place, clock=SetClock(AT + DAY), landing=True)

    assert whole == any_place.get(first).data
    write(own_database, "later")
    done = restore(any_place, made.id, None, some_lake, landing=True)
    assert (None, {}, ["later"]) == (done.database, done.tables, subjects(own_database))
    assert (1, whole) == (done.put_back, some_lake.get(first).data)
    rotten = bytearray(any_place.get(second).data)
    rotten[-6] ^= 1
    any_place.put(second, bytes(rotten))
    (fault,) = verify(any_place, made.id, some_lake).faults
    assert f"The copy of {second} in {any_place.location} is damaged." == fault
    some_lake.delete(second)
    with pytest.raises(BackupError, match=rf"copy of {second} .* is damaged"):
        restore(any_place, made.id, own_database, some_lake, force=True, landing=True)


def test_a_damaged_copy_gives_way_to_what_the_lake_has(
    own_database: Database, some_lake: LocalStore, tmp_path: Path
) -> None:
    place = LocalStore(tmp_path / "backups")
    create(some_lake, own_database, place, clock=SetClock(AT), landing=True)
    key = next(iter(some_lake.fingerprints(keys.LANDING)))
    place.put(key, b"cut off")

    made = create(some_lake, own_database, place, clock=SetClock(AT + DAY), landing=True)

    assert () == verify(place, made.id, some_lake).faults


def test_small_objects_come_back_where_the_lake_lacks_them(
    own_database: Database, some_lake: LocalStore, tmp_path: Path
) -> None:
    place = LocalStore(tmp_path / "backups")
    made = create(some_lake, own_database, place, clock=SetClock(AT), landing=True)
    some_lake.delete(keys.SPLITS)
    some_lake.put(keys.IMPORTS, b"newer")

    done = restore(place, made.id, own_database, some_lake, force=True, landing=True)

    assert 1 == done.put_back
    assert keys.SPLITS.encode() == some_lake.get(keys.SPLITS).data
    assert b"newer" == some_lake.get(keys.IMPORTS).data
