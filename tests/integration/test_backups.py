"""Backups as a whole, in a folder and on S3: made, told, read back, removed and restored."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from batch_layer.backups import manifest as manifests
from batch_layer.backups.backup import create, listed, restore, verify
from batch_layer.backups.inventory import told as told_of
from database import Database
from database.audit import Entry, note
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.errors import BackupError, InvalidLocationError, MisuseError, UnknownBackupError
from lake.settings import Settings
from lake.store import LocalStore, ObjectStore, open_backups
from tests.parts import MotoServer

AT: Final = dt.datetime(2026, 1, 5, 21, tzinfo=dt.UTC)
DAY: Final = dt.timedelta(days=1)


@pytest.fixture(params=["folder", "s3"])
def any_place(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """A store of backups, as settings open it, of each kind."""
    if request.param == "folder":
        return open_backups(Settings(lake=str(tmp_path / "lake")))
    server: MotoServer = request.getfixturevalue("moto_server")
    return open_backups(server.settings())


@pytest.fixture
def some_lake(tmp_path: Path) -> LocalStore:
    """A lake of one object in each of its areas."""
    store = LocalStore(tmp_path / "lake")
    for key in (
        "landing/massive/daily/2026-01-05/20260105T211500Z.json.gz",
        "landing/massive/live/session=2026-01-05/00000001.jsonl.gz",
        "bronze/daily/year=2026/bars.parquet",
        "silver/interval=13d/year=2026/bars.parquet",
        keys.SPLITS,
        keys.IMPORTS,
    ):
        store.put(key, packed(key) if key.endswith(".gz") else key.encode())
    store.put(keys.BOUNDARY, json.dumps({"daily": "2026-01-05"}).encode())
    return store


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def write(database: Database, subject: str) -> None:
    with database.write() as connection:
        note(connection, Entry(AT, "who", "where", "did", subject))


def subjects(database: Database) -> list[str]:
    with database.read() as connection:
        found = connection.exec_driver_sql("SELECT subject FROM audit_log ORDER BY number")
        return [row[0] for row in found]


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
