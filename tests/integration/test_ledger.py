"""The ledger: what each source brought, by session, whoever else writes at the same time."""

from __future__ import annotations

import datetime as dt
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from batch_layer.bronze import ledger
from batch_layer.bronze.ledger import Entry
from fiblake import Lake
from lake import keys
from lake.errors import ConflictError
from lake.store import LocalStore, ObjectStore
from tests.fault_proxy import FaultProxy

DAY = dt.date(2025, 1, 2)
LANDED = "landing/massive/daily/2025-01-02/20250103T011500Z.json.gz"
WRITERS = 8


def days(count: int, *, first: dt.date = DAY) -> list[dt.date]:
    return [first + dt.timedelta(days=number) for number in range(count)]


def test_what_is_noted_is_read_by_source_and_session(store: LocalStore) -> None:
    entry = Entry(5350, 5348, {"price is not positive": 2}, LANDED)
    ledger.note(store, "daily", "massive", {DAY: entry, dt.date(2024, 12, 31): Entry(1, 1)})
    ledger.note(store, "daily", "flatfiles", {DAY: Entry(3, 3)})
    ledger.note(store, "minute", "massive", {DAY: Entry(9, 9)})

    assert {
        "flatfiles": {DAY: Entry(3, 3)},
        "massive": {dt.date(2024, 12, 31): Entry(1, 1), DAY: entry},
    } == ledger.read(store, "daily")
    assert {"massive": {DAY: Entry(9, 9)}} == ledger.read(store, "minute")
    assert {} == ledger.read(store, "trades")


def test_what_is_noted_again_of_a_session_replaces(store: LocalStore) -> None:
    ledger.note(store, "daily", "massive", dict.fromkeys(days(3), Entry(10, 9, {"no symbol": 1})))
    ledger.note(store, "daily", "massive", {DAY: Entry(11, 11)})
    before = store.fingerprints("meta/ledger/")
    ledger.note(store, "daily", "massive", {DAY: Entry(11, 11)})

    assert [11, 10, 10] == [each.rows for each in ledger.read(store, "daily")["massive"].values()]
    assert before == store.fingerprints("meta/ledger/")


def note_each(folder: Path, writer: int) -> None:
    for number, day in enumerate(days(WRITERS * 4)):
        if number % WRITERS == writer:
            ledger.note(LocalStore(folder), "daily", "massive", {day: Entry(writer + 1)})


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_of_many_writers_at_once_none_loses_anything(tmp_path: Path, kind: str) -> None:
    pool = (
        ThreadPoolExecutor(WRITERS)
        if kind == "threads"
        else ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn"))
    )
    with pool as writers:
        list(writers.map(note_each, [tmp_path] * WRITERS, range(WRITERS)))

    found = ledger.read(LocalStore(tmp_path), "daily")["massive"]
    assert days(WRITERS * 4) == list(found)
    assert [number % WRITERS + 1 for number in range(WRITERS * 4)] == [
        entry.rows for entry in found.values()
    ]


def test_a_damaged_ledger_tells_nothing_and_is_made_anew(store: LocalStore) -> None:
    ledger.note(store, "daily", "massive", {DAY: Entry(1, 1)})
    store.put(keys.ledger("daily", "massive", DAY.year), b"torn {")
    store.put(f"{keys.ledgers('daily')}massive/notes.txt", b"mine")

    assert {"massive": {}} == ledger.read(store, "daily")
    ledger.note(store, "daily", "massive", {DAY: Entry(2, 2)})
    assert {"massive": {DAY: Entry(2, 2)}} == ledger.read(store, "daily")


class Busy:
    """A store in which someone else is always first."""

    def __init__(self, store: ObjectStore) -> None:
        self.location = store.location
        self.get = store.get
        self.attempts = 0

    def put_if(self, key: str, _data: bytes, _fingerprint: str | None) -> str:
        self.attempts += 1
        raise ConflictError(key)


def test_attempts_are_bounded(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lake.attempts._LONGEST_PAUSE_S", 0.0)
    busy = Busy(store)

    with pytest.raises(ConflictError, match="kept changing under 30 attempts to write it"):
        ledger.note(busy, "daily", "massive", {DAY: Entry(1, 1)})  # type: ignore[arg-type]

    assert 30 == busy.attempts


def test_decades_are_read_with_a_listing_and_a_read(s3_lake: Lake, fault_proxy: FaultProxy) -> None:
    years = [dt.date(year, 1, 2) for year in range(1962, 2026)]
    ledger.note(s3_lake.store, "daily", "massive", dict.fromkeys(years, Entry(7, 7)))
    ledger.read(s3_lake.store, "daily")
    fault_proxy.forget()

    assert years == list(ledger.read(s3_lake.store, "daily")["massive"])
    assert (1, 1, 0) == tuple(fault_proxy.counts[verb] for verb in ("LIST", "GET", "PUT"))
