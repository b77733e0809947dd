"""The store's contract, on a folder and on a real S3 server."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lake.errors import ConflictError, InvalidLocationError, ObjectNotFoundError, StoreError
from lake.settings import Settings
from lake.store import LocalStore, ObjectStore, open_store
from tests.parts import MotoServer


@pytest.fixture(params=["folder", "here", "odd name", "s3"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return LocalStore(tmp_path / "lake")
    if request.param == "here":
        return LocalStore(Path())
    if request.param == "odd name":
        return LocalStore(tmp_path / "a [b] *'c' %20")
    server: MotoServer = request.getfixturevalue("moto_server")
    return open_store(server.settings())


def test_what_is_put_is_got_with_its_fingerprint(any_store: ObjectStore) -> None:
    fingerprint = any_store.put("a/b.bin", b"one")

    stored = any_store.get("a/b.bin")
    assert (b"one", fingerprint) == (stored.data, stored.fingerprint)
    assert fingerprint == any_store.fingerprint("a/b.bin")


def test_what_is_not_there_is_said_to_be_absent(any_store: ObjectStore) -> None:
    assert any_store.fingerprint("a/b.bin") is None
    assert {} == any_store.fingerprints("a/")
    with pytest.raises(ObjectNotFoundError, match=r"^There is no a/b\.bin in "):
        any_store.get("a/b.bin")


def test_a_replaced_object_has_another_fingerprint(any_store: ObjectStore) -> None:
    seen = [any_store.put("a.bin", bytes([number])) for number in range(50)]

    assert 50 == len(set(seen))
    assert seen[-1] == any_store.fingerprint("a.bin")


def test_a_create_only_put_refuses_what_is_there(any_store: ObjectStore) -> None:
    first = any_store.put_if("a.bin", b"one", None)

    with pytest.raises(ConflictError, match=r"^a\.bin in .* was changed by someone else\. Hint: "):
        any_store.put_if("a.bin", b"two", None)

    assert (b"one", first) == (any_store.get("a.bin").data, any_store.fingerprint("a.bin"))


def test_a_replace_if_unchanged_refuses_what_was_changed(any_store: ObjectStore) -> None:
    first = any_store.put("a.bin", b"one")
    second = any_store.put_if("a.bin", b"two", first)

    with pytest.raises(ConflictError):
        any_store.put_if("a.bin", b"three", first)

    assert (b"two", second) == (any_store.get("a.bin").data, any_store.fingerprint("a.bin"))


def test_a_replace_if_unchanged_refuses_what_is_not_there(any_store: ObjectStore) -> None:
    gone = any_store.put("a.bin", b"one")

    with pytest.raises(ConflictError):
        any_store.put_if("b.bin", b"two", gone)

    assert any_store.fingerprint("b.bin") is None


def test_objects_are_listed_by_prefix_with_their_fingerprints(any_store: ObjectStore) -> None:
    placed = {
        key: any_store.put(key, key.encode())
        for key in ("a/x=1/one.bin", "a/x=2/two.bin", "ab.bin", "b/three.bin")
    }

    assert placed == any_store.fingerprints("")
    assert ["a/x=1/one.bin", "a/x=2/two.bin"] == sorted(any_store.fingerprints("a/"))
    assert ["a/x=1/one.bin"] == list(any_store.fingerprints("a/x=1/"))
    assert ["a/x=1/one.bin", "a/x=2/two.bin", "ab.bin"] == sorted(any_store.fingerprints("a"))


def test_of_many_writers_at_once_one_wins(any_store: ObjectStore) -> None:
    def compete(number: int) -> bool:
        try:
            any_store.put_if("a.bin", str(number).encode(), None)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(compete, range(24)))

    assert 1 == won.count(True)
    assert str(won.index(True)).encode() == any_store.get("a.bin").data


def test_compare_and_set_loses_no_increment(any_store: ObjectStore) -> None:
    any_store.put("count", b"0")

    def increment(_: int) -> None:
        while True:
            seen = any_store.get("count")
            try:
                any_store.put_if("count", str(int(seen.data) + 1).encode(), seen.fingerprint)
            except ConflictError:
                continue
            return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(increment, range(20)))

    assert any_store.get("count").data == b"20"


def test_staged_files_and_the_lock_are_not_objects(store: LocalStore) -> None:
    store.put("a.bin", b"one")
    staged = Path(store.uri(".staging")) / "left-by-a-kill"
    staged.write_bytes(b"half")

    assert ["a.bin"] == list(store.fingerprints(""))


def test_what_a_kill_left_staged_is_removed_after_an_hour(store: LocalStore) -> None:
    store.put("a.bin", b"one")
    old, young = (Path(store.uri(f".staging/{name}")) for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))

    LocalStore(Path(store.location)).put("b.bin", b"two")

    assert (False, True) == (old.exists(), young.exists())


def test_a_copy_that_keeps_times_keeps_fingerprints(store: LocalStore, tmp_path: Path) -> None:
    fingerprint = store.put("a.bin", b"one")
    os.system(f"cp -a {store.location} {tmp_path}/copy")  # noqa: S605 - as a user copies

    assert fingerprint == LocalStore(tmp_path / "copy").fingerprint("a.bin")


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "bronze").write_text("a file where a folder should be")

    with pytest.raises(StoreError, match=r"^Could not write bronze/a\.bin: .* Hint: check "):
        LocalStore(tmp_path / "lake").put("bronze/a.bin", b"one")


def test_a_bucket_that_is_not_there_is_one_clear_error(moto_server: MotoServer) -> None:
    settings = moto_server.settings().model_copy(update={"lake": "s3://no-such-bucket/x"})

    with pytest.raises(StoreError, match=r"NoSuchBucket.*Hint: check the bucket"):
        open_store(settings).put("a.bin", b"one")


@pytest.mark.parametrize("location", ["ftp://host/x", "s3://", "s3:///x", "http://a/b"])
def test_a_location_that_is_neither_is_one_clear_error(location: str) -> None:
    with pytest.raises(InvalidLocationError) as raised:
        open_store(Settings(lake=location))

    expected = f"{location!r} is not a lake's location. Allowed: a folder or s3://bucket/prefix."
    assert expected == str(raised.value)


def test_a_lake_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()

    with pytest.raises(InvalidLocationError, match=r" is a file; a lake is a folder or s3://"):
        open_store(Settings(lake=str(path)))


def test_what_is_deleted_is_gone_and_may_be_made_again(any_store: ObjectStore) -> None:
    any_store.put("a/b/c.bin", b"one")
    any_store.put("a/d.bin", b"other")

    any_store.delete("a/b/c.bin")
    any_store.delete("a/b/c.bin")

    assert ["a/d.bin"] == list(any_store.fingerprints(""))
    any_store.put_if("a/b/c.bin", b"two", None)
    assert b"two" == any_store.get("a/b/c.bin").data


def test_sizes_are_told_by_prefix(any_store: ObjectStore) -> None:
    for key, size in (("a/b.bin", 3), ("a/c/d.bin", 0), ("b.bin", 7)):
        any_store.put(key, bytes(size))

    assert {"a/b.bin": 3, "a/c/d.bin": 0} == any_store.sizes("a/")
    assert {"a/b.bin": 3, "a/c/d.bin": 0, "b.bin": 7} == any_store.sizes("")
