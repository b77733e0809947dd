"""Uploads in parts: one object or none, conditions honoured, and no part left behind.

START ──► PART 1, 2, 3 at once ──► COMPLETE (If-Match, If-None-Match)
                └ fails ──► ABORT ◄── loses ┘
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import inf

import boto3
import pyarrow as pa
import pytest

from lake.errors import ConflictError, StoreError
from lake.parquet import encode
from lake.scan import connect, scan
from lake.settings import Settings
from lake.store import ObjectStore, open_store
from tests.fault_proxy import DENIED, SLOW_DOWN, Answer, Cut, FaultProxy, Request
from tests.parts import MotoServer

MIB = 1024 * 1024
ONE = os.urandom(11 * MIB)
OTHER = ONE[::-1]


@pytest.fixture
def settings(moto_server: MotoServer, fault_proxy: FaultProxy) -> Settings:
    return moto_server.settings(s3_endpoint=fault_proxy.url, s3_part_mib=5, s3_attempts=3)


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return open_store(settings)


@pytest.fixture
def unfinished(settings: Settings, moto_server: MotoServer) -> Callable[[], int]:
    """Return how many uploads are neither completed nor aborted."""

    def count() -> int:
        client = boto3.client(
            "s3",
            endpoint_url=moto_server.url,
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",  # noqa: S106 - moto takes any
        )
        bucket = settings.lake.split("/")[2]
        uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        client.close()
        return len(uploads)

    return count


def of_kind(kind: str) -> Callable[[Request], bool]:
    return lambda request: request.kind == kind


def test_a_large_object_goes_up_in_parts_and_comes_back_whole(
    store: ObjectStore, fault_proxy: FaultProxy, unfinished: Callable[[], int]
) -> None:
    placed = store.put("a.bin", ONE)

    assert {"START": 1, "PART": 3, "COMPLETE": 1} == fault_proxy.counts
    stored = store.get("a.bin")
    assert (True, placed) == (stored.data == ONE, stored.fingerprint)
    assert placed == store.fingerprint("a.bin")
    assert {"a.bin": placed} == store.fingerprints("")
    assert 0 == unfinished()


def test_an_object_of_one_part_goes_up_at_once(store: ObjectStore, fault_proxy: FaultProxy) -> None:
    store.put("a.bin", ONE[: 5 * MIB])

    assert {"PUT": 1} == fault_proxy.counts


def test_duckdb_reads_an_object_that_went_up_in_parts(store: ObjectStore) -> None:
    numbers = pa.table({"x": pa.array(range(100)), "noise": [ONE[:100_000]] * 100})
    data = encode(numbers) + b""
    store.put("silver/a.parquet", data)
    statement = "SELECT sum(x)::BIGINT AS total FROM read_parquet($files)"

    with connect(store) as connection:
        objects = store.fingerprints("silver/")
        assert [4950] == scan(connection, store, objects, statement, {})["total"].to_pylist()


def test_conditions_hold_for_parts_as_for_a_plain_put(
    store: ObjectStore, unfinished: Callable[[], int]
) -> None:
    first = store.put_if("a.bin", ONE, None)
    second = store.put_if("a.bin", OTHER, first)
    for fingerprint in (None, first):
        with pytest.raises(
            ConflictError, match=r"^a\.bin in s3://.* was changed by someone else\."
        ):
            store.put_if("a.bin", ONE, fingerprint)
    with pytest.raises(ConflictError):
        store.put_if("b.bin", ONE, first)

    assert second == store.fingerprint("a.bin")
    assert OTHER == store.get("a.bin").data
    assert ["a.bin"] == list(store.fingerprints(""))
    assert 0 == unfinished()


def test_of_many_writers_of_large_objects_at_once_one_wins(
    store: ObjectStore, unfinished: Callable[[], int]
) -> None:
    def compete(number: int) -> bool:
        try:
            store.put_if("a.bin", bytes([number]) * 6 * MIB, None)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(compete, range(6)))

    assert 1 == won.count(True)
    assert won.index(True) == store.get("a.bin").data[0]
    assert 0 == unfinished()


@pytest.mark.parametrize("kind", ["START", "PART", "COMPLETE"])
@pytest.mark.parametrize("how", [SLOW_DOWN, Cut(-1)])
def test_a_fault_that_passes_does_not_stop_an_upload(
    store: ObjectStore, fault_proxy: FaultProxy, kind: str, how: Answer | Cut
) -> None:
    fault_proxy.fail(how, times=2, when=of_kind(kind))

    store.put("a.bin", ONE)
    assert 0 == fault_proxy.pending
    assert ONE == store.get("a.bin").data


@pytest.mark.parametrize("kind", ["PART", "COMPLETE"])
@pytest.mark.parametrize("how", [SLOW_DOWN, DENIED])
def test_an_upload_that_fails_is_aborted_and_the_next_one_goes_up(
    store: ObjectStore,
    fault_proxy: FaultProxy,
    unfinished: Callable[[], int],
    kind: str,
    how: Answer,
) -> None:
    first = store.put("a.bin", b"small")
    fault_proxy.fail(how, times=inf, when=of_kind(kind))
    with pytest.raises(StoreError, match=rf"^Could not write a\.bin .*{how.code}"):
        store.put_if("a.bin", ONE, first)

    assert (0, b"small") == (unfinished(), store.get("a.bin").data)
    fault_proxy.heal()
    store.put_if("a.bin", ONE, first)
    assert ONE == store.get("a.bin").data


def test_an_upload_that_cannot_be_aborted_either_says_what_it_left(
    store: ObjectStore,
    fault_proxy: FaultProxy,
    unfinished: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for kind in ("PART", "ABORT"):
        fault_proxy.fail(SLOW_DOWN, times=inf, when=of_kind(kind))
    with pytest.raises(StoreError, match=r"^Could not write a\.bin .*given up after 3 attempts"):
        store.put("a.bin", ONE)

    assert 1 == unfinished()
    assert "parts of an upload were left behind" in capsys.readouterr().out
