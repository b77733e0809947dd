"""Backups as a whole, in a folder and on S3: made, told, read back, removed and restored."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from batch_layer.backups import manifest as manifests
from batch_layer.backups.backup import create, listed, restore, verify
from batch_layer.backups.inventory import told as told_of
from database import Database
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.errors import BackupError, InvalidLocationError, MisuseError, UnknownBackupError
from lake.settings import Settings
from lake.store import LocalStore, ObjectStore, open_backups
from tests.backups import AT, DAY, subjects, write


def test_what_is_kept_is_told_read_back_and_restored(
    any_place: ObjectStore, own_database: Database, some_lake: LocalStore
) -> None:
    write(own_database, "first")
    made = create(some_lake, own_database, any_place, clock=SetClock(AT))
    write(own_database, "second")

    assert (1, 7, ()) == (made.rows, made.objects, made.removed)
    (told,) = listed(any_place)
    assert (made.id, AT.isoformat(), 1, 7, "") == (
        told.id, told.made, told.rows, told.objects, told.fault,
    )  # fmt: skip
    found = verify(any_place, None, some_lake)
    assert (made.id, (), ()) == (found.id, found.faults, found.hints)
    assert AT == manifests.made_last(any_place)
    manifest = manifests.read(any_place, made.id)
    assert ("2026-01-05", "") == (manifest.lake.daily, manifest.lake.minute)

    done = restore(any_place, made.id, own_database, some_lake, force=True)

    assert ["first"] == subjects(own_database)
    assert 1 == done.tables["audit_log"]


def test_ten_backups_of_which_seven_are_kept(
    any_place: ObjectStore, own_database: Database, some_lake: LocalStore
) -> None:
    made = [
        create(some_lake, own_database, any_place, clock=SetClock(AT + number * DAY))
        for number in range(10)
    ]

    assert [each.id for each in made[3:]] == [each.id for each in listed(any_place)]
    assert [(), *[(each.id,) for each in made[:3]]] == [each.removed for each in made[6:]]
    left = {key.partition("/")[0] for key in any_place.fingerprints("")}
    assert {each.id for each in made[3:]} == left
    assert all(not verify(any_place, each.id, some_lake).faults for each in made[3:])


def test_no_older_backup_goes_before_the_new_one_was_read_back(
    own_database: Database,
    some_lake: LocalStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = LocalStore(tmp_path / "backups")
    first = create(some_lake, own_database, place, clock=SetClock(AT))
    publish = manifests.publish

    def spoil(store: ObjectStore, manifest: manifests.Manifest) -> None:
        publish(store, manifest)
        store.put(manifest.lake.inventory[0].key, b"not what was written")

    monkeypatch.setattr(manifests, "publish", spoil)

    with pytest.raises(BackupError, match=r"cannot be read back: .* no older one was removed"):
        create(some_lake, own_database, place, clock=SetClock(AT + DAY), keep=1)

    assert not verify(place, first.id, some_lake).faults


def test_what_a_killed_backup_left_counts_for_nothing_and_goes_a_day_later(
    any_place: ObjectStore, own_database: Database, some_lake: LocalStore
) -> None:
    killed = manifests.new_id(AT)
    any_place.put(keys.backup_table(killed, "api_keys", 0), b"half")
    any_place.put("notes/of a user", b"not a backup")

    assert [] == listed(any_place)
    with pytest.raises(UnknownBackupError, match=r"^There is no backup in .*backup create"):
        verify(any_place, None, some_lake)
    with pytest.raises(UnknownBackupError, match=r"or none that is whole"):
        restore(any_place, killed, own_database, some_lake)

    create(some_lake, own_database, any_place, clock=SetClock(AT + DAY / 2), keep=1)
    assert keys.backup_table(killed, "api_keys", 0) in any_place.fingerprints("")
    create(some_lake, own_database, any_place, clock=SetClock(AT + 2 * DAY), keep=1)
    assert 1 == len({key.partition("/")[0] for key in any_place.fingerprints("2026")})
    assert "notes/of a user" in any_place.fingerprints("")


def test_two_at_once_make_two_backups(
    any_place: ObjectStore, own_database: Database, some_lake: LocalStore
) -> None:
    def one(_: int) -> str:
        return create(some_lake, own_database, any_place, clock=SetClock(AT), keep=2).id

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(one, range(2)))

    assert sorted(made) == [each.id for each in listed(any_place)]
    assert all(not verify(any_place, each, some_lake).faults for each in made)


def test_the_new_one_stays_though_a_clock_was_ahead(
    own_database: Database, some_lake: LocalStore, tmp_path: Path
) -> None:
    place = LocalStore(tmp_path / "backups")
    ahead = create(some_lake, own_database, place, clock=SetClock(AT + 400 * DAY))

    made = [
        create(some_lake, own_database, place, clock=SetClock(AT + number * DAY), keep=1)
        for number in range(2)
    ]

    assert [made[1].id, ahead.id] == [each.id for each in listed(place)]


def test_a_database_that_was_full_and_is_empty_removes_no_older_backup(
    own_database: Database, some_lake: LocalStore, tmp_path: Path
) -> None:
    place = LocalStore(tmp_path / "backups")
    write(own_database, "first")
    full = create(some_lake, own_database, place, clock=SetClock(AT))
    with own_database.write() as connection:
        connection.exec_driver_sql("DELETE FROM audit_log")

    with pytest.raises(BackupError, match=rf"holds no rows, and 1 are in {full.id}\. .*_STATE"):
        create(some_lake, own_database, place, clock=SetClock(AT + DAY), keep=1)

    assert full.id in [each.id for each in listed(place)]


def test_backups_in_a_folder_are_for_their_owner_alone(
    own_database: Database, some_lake: LocalStore
) -> None:
    place = open_backups(Settings(lake=some_lake.location))
    create(some_lake, own_database, place, clock=SetClock(AT))

    modes = {
        path.stat().st_mode & 0o777
        for folder, _, names in os.walk(place.location)
        for path in [Path(folder), *(Path(folder, name) for name in names if name != ".lock")]
    }
    assert {0o600, 0o700} == modes


@pytest.mark.parametrize(
    ("lake", "place", "said"),
    [
        ("s3://bucket", None, r"nothing beside 's3://bucket'.* set FIBLAKE_BACKUPS"),
        ("s3://bucket/a", "s3://bucket/a/", r"which is the lake"),
        ("data", "data", r"which is the lake"),
        ("data", "ftp://there", r"'ftp://there' is not a place of backups"),
    ],
)
def test_a_place_that_cannot_be_is_refused(lake: str, place: str | None, said: str) -> None:
    with pytest.raises(InvalidLocationError, match=said):
        open_backups(Settings(lake=lake, backups=place))


def test_backups_within_the_lake_are_no_part_of_it(
    own_database: Database, some_lake: LocalStore
) -> None:
    place = open_backups(Settings(lake=some_lake.location, backups=f"{some_lake.location}/backups"))
    first = create(some_lake, own_database, place, clock=SetClock(AT))
    again = create(some_lake, own_database, place, clock=SetClock(AT + DAY))

    assert (7, 7) == (first.objects, again.objects)


def test_none_to_be_kept_is_refused(
    own_database: Database, some_lake: LocalStore, tmp_path: Path
) -> None:
    with pytest.raises(MisuseError, match=r"^0 backups cannot be kept\. Allowed: 1 and above"):
        create(some_lake, own_database, LocalStore(tmp_path / "b"), clock=SetClock(AT), keep=0)


def test_the_sample_is_told_in_full(own_sample_lake: Lake, own_database: Database) -> None:
    place = open_backups(own_sample_lake.settings)
    made = create(own_sample_lake.store, own_database, place, clock=SetClock(AT))

    manifest = manifests.read(place, made.id)
    told = {key: size for key, size, _ in told_of(manifest.lake, place)}
    assert own_sample_lake.store.sizes("") == told
    assert sum(told.values()) == manifest.lake.bytes
    assert {keys.SPLITS, keys.IMPORTS} == {piece.of for piece in manifest.lake.copies}
