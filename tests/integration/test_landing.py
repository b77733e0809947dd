"""Landing: what tools that know nothing of it read, and what it refuses to lose."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer import landing
from batch_layer.landing import Answer
from batch_layer.landing.members import pack, unpack
from lake.errors import DamagedObjectError
from lake.store import LocalStore

AT = dt.datetime(2025, 1, 3, 1, 15, 0, 250_000, tzinfo=dt.UTC)
JSON = b'{"status": "OK", "results": [{"T": "A", "c": 1.5}, {"T": "B", "c": 2}]}'
CSV = b"ticker,close\n" + b"".join(b"S%d,%d\n" % (number, number) for number in range(9000))
REQUEST = "https://api.massive.com/v2/aggs/grouped?adjusted=false"
LABELS = {"source": "massive", "kind": "daily"}


def answer(body: bytes = JSON, at: dt.datetime = AT, version: str = "") -> Answer:
    return Answer(REQUEST, at, body, version)


def test_answers_are_read_as_they_landed(store: LocalStore) -> None:
    pages = [answer(), answer(b'{"results": []}', AT + dt.timedelta(seconds=2))]
    key = landing.land(store, "massive", "splits", "2024", pages)

    assert "landing/massive/splits/2024/20250103T011502Z.json.gz" == key
    assert pages == landing.read(store, key)


def test_a_file_that_came_packed_is_kept_byte_for_byte(store: LocalStore) -> None:
    # By two members, with a name, as another tool may write it.
    packed = gzip.compress(CSV[:50], 9) + gzip.compress(CSV[50:], 1)
    file = answer(packed, version='"an-etag"')
    key = landing.land(store, "flatfiles", "daily", "2025-01-02", [file])

    assert "landing/flatfiles/daily/2025-01-02/20250103T011500Z.csv.gz" == key
    assert [file] == landing.read(store, key)
    assert store.get(key).data.endswith(packed)


def test_gzip_s_own_tools_unpack_the_bodies_alone(store: LocalStore) -> None:
    key = landing.land(store, "massive", "splits", "2024", [answer(), answer(b'{"page": 2}')])
    said = subprocess.run(["gzip", "-dc", store.uri(key)], capture_output=True, check=True)

    assert JSON + b'{"page": 2}' == said.stdout
    assert JSON + b'{"page": 2}' == gzip.decompress(store.get(key).data)


def test_duckdb_and_polars_read_what_landed_as_if_it_were_plain(store: LocalStore) -> None:
    pages = landing.land(store, "massive", "splits", "2024", [answer(), answer()])
    file = landing.land(store, "flatfiles", "daily", "2025", [answer(gzip.compress(CSV))])
    with duckdb.connect() as connection:
        results = connection.read_json(store.uri(pages)).select("results").fetchall()
        rows = connection.read_csv(store.uri(file)).aggregate("count(*), sum(close)").fetchall()

    bars = [{"T": "A", "c": 1.5}, {"T": "B", "c": 2.0}]
    assert [(bars,), (bars,)] == results
    assert [(9000, sum(range(9000)))] == rows
    assert 9000 == pl.read_csv(store.uri(file)).height


def test_what_landed_is_told_by_unit_the_oldest_first(store: LocalStore) -> None:
    later = AT + dt.timedelta(days=30)
    for unit, at in (("2025-01-03", AT), ("2025-01-02", later), ("2025-01-02", AT)):
        landing.land(store, "massive", "daily", unit, [answer(at=at)])
    landing.land(store, "massive", "splits", "2024", [answer()])
    store.put("landing/massive/daily/notes.txt", b"not an answer")

    assert {
        "2025-01-02": [
            "landing/massive/daily/2025-01-02/20250103T011500Z.json.gz",
            "landing/massive/daily/2025-01-02/20250202T011500Z.json.gz",
        ],
        "2025-01-03": ["landing/massive/daily/2025-01-03/20250103T011500Z.json.gz"],
    } == landing.landed(store, "massive", "daily")


def test_two_answers_of_one_second_both_land_in_order(store: LocalStore) -> None:
    first, second = answer(b'{"a": 1}'), answer(b'{"a": 2}')
    keys = [landing.land(store, "massive", "daily", "u", [each]) for each in (first, second)]

    assert keys == landing.landed(store, "massive", "daily")["u"]
    assert [[first], [second]] == [landing.read(store, key) for key in keys]


@given(
    st.lists(
        st.builds(
            Answer,
            request=st.text(max_size=40),
            fetched_at=st.datetimes(timezones=st.just(dt.UTC)),
            body=st.binary(max_size=200).map(lambda data: json.dumps(data.hex()).encode())
            | st.binary(max_size=200).map(gzip.compress),
            version=st.text(max_size=10),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_is_packed_is_unpacked_again(answers: list[Answer]) -> None:
    data = pack(answers, LABELS)
    plain = (
        gzip.decompress(each.body) if each.body[:2] == b"\x1f\x8b" else each.body
        for each in answers
    )

    assert answers == unpack(data, "it")
    assert b"".join(plain) == gzip.decompress(data)


@pytest.mark.parametrize("cut", [1, 10, 30, 150, -1, -40])
def test_an_object_that_is_cut_is_damaged(cut: int) -> None:
    data = pack([answer(), answer()], LABELS)

    with pytest.raises(DamagedObjectError, match="a landed object is damaged"):
        unpack(data[:cut], "a landed object")


def test_an_object_that_is_something_else_is_damaged(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("landing/x.gz", gzip.compress(JSON))

    with pytest.raises(DamagedObjectError, match="no answer begins"):
        landing.read(store, "landing/x.gz")


def test_an_answer_is_told_in_utc_wherever_it_came() -> None:
    there = answer(at=AT.astimezone(dt.timezone(dt.timedelta(hours=-5))))

    assert [replace(there, fetched_at=AT)] == unpack(pack([there], LABELS), "it")
