"""What files brought is kept: counted, once a file, whatever else is imported."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from batch_layer.bronze import imports
from batch_layer.bronze.imports import SESSIONS_MOST, File
from batch_layer.bronze.ledger import Entry
from fiblake import Lake
from lake import keys
from lake.session import SessionTable
from lake.store import LocalStore

HEADER = "symbol,date,open,high,low,close,volume"
GOOD = "FB,2012-05-18,42.05,45,38,38.2318,573576400"
DAY = dt.date(2012, 5, 18)
WriteCsv = Callable[..., Path]


def test_the_real_sample_is_accepted_to_the_last_row(sample_lake: Lake) -> None:
    (file,) = imports.read(sample_lake.store)

    assert ("stocks.csv.gz", Entry(12_154, 12_154)) == (file.name, file.total)
    assert ({}, 0, Entry()) == (file.sessions, file.blemished, file.undated)
    assert (dt.date(2000, 3, 1), dt.date(2013, 3, 1)) == (file.first, file.last)
    assert ("AAPL", "FB", "GOOG", "IBM", "MSFT") == file.names


def test_rejected_rows_are_counted_by_session_and_apart_where_they_have_none(
    lake: Lake, csv_file: WriteCsv
) -> None:
    path = csv_file(
        HEADER,
        GOOD,
        GOOD.replace("FB", "A").replace("45", "4"),
        GOOD.replace("FB", "B").replace("573576400", "-1"),
        "FB,2012-05-19,2,3,1,2,10",
        "FB,2012-05-21,2,3,1,2,10",
        "FB,18.5.2012,2,3,1,2,10",
        "FB,2012-05-21",
    )
    lake.import_files(path)
    (file,) = imports.read(lake.store)

    high, volume = "high is below open or close", "volume is negative"
    weekend, no_date, malformed = "not a session of the exchange", "not a date", "malformed line"
    every = dict.fromkeys(sorted((high, volume, weekend, no_date, malformed)), 1)
    assert Entry(7, 2, every) == file.total
    assert Entry(2, 0, {malformed: 1, no_date: 1}) == file.undated
    assert {
        DAY: Entry(3, 1, {high: 1, volume: 1}),
        dt.date(2012, 5, 19): Entry(1, 0, {weekend: 1}),
    } == file.sessions
    assert (2, DAY, dt.date(2012, 5, 21)) == (file.blemished, file.first, file.last)


def test_the_same_file_again_replaces_and_another_of_its_name_adds(
    lake: Lake, csv_file: WriteCsv, tmp_path: Path
) -> None:
    path = csv_file(HEADER, GOOD)
    lake.import_files(path)
    before = lake.store.fingerprints("meta/ledger/")
    lake.import_files(path)
    assert before == lake.store.fingerprints("meta/ledger/")

    (tmp_path / "other").mkdir()
    other = csv_file(HEADER, GOOD.replace("FB", "IBM"), name="other/bars.csv")
    lake.import_files(path, other)
    lake.import_files(csv_file(HEADER, GOOD, "FB,2012-05-21,2,3,1,2,10"))

    found = imports.read(lake.store)
    assert {"bars.csv"} == {file.name for file in found}
    assert [1, 1, 2] == sorted(file.total.rows for file in found)


def test_sessions_are_kept_up_to_a_bound_the_worst_of_them(
    lake: Lake, csv_file: WriteCsv, sessions: SessionTable
) -> None:
    days = [sessions[number] for number in range(SESSIONS_MOST + 5)]
    bad = [f"FB,{day},2,1,1,2,10" for day in days]
    lake.import_files(csv_file(HEADER, GOOD, *bad, *bad[-3:]))
    (file,) = imports.read(lake.store)

    assert (SESSIONS_MOST + 5, SESSIONS_MOST) == (file.blemished, len(file.sessions))
    assert set(days[-3:]) <= file.sessions.keys()


def test_symbols_are_named_where_they_are_few(lake: Lake, csv_file: WriteCsv) -> None:
    lake.import_files(
        csv_file(HEADER, *(GOOD.replace("FB", f"F{number}") for number in range(20)), name="a.csv"),
        csv_file(HEADER, *(GOOD.replace("FB", f"G{number}") for number in range(21)), name="b.csv"),
    )
    few, many = imports.read(lake.store)

    assert (20, 20) == (few.symbols, len(few.names))
    assert (21, ()) == (many.symbols, many.names)


def test_of_imports_at_once_none_loses_what_another_noted(store: LocalStore) -> None:
    files = [File(f"{number}.csv", f"{number:064}", Entry(1, 1)) for number in range(16)]
    with ThreadPoolExecutor(8) as writers:
        list(
            writers.map(lambda file: imports.note(LocalStore(Path(store.location)), [file]), files)
        )

    assert sorted(file.name for file in files) == sorted(each.name for each in imports.read(store))


@pytest.mark.parametrize("damage", [b"torn {", b"[]"])
def test_a_damaged_document_tells_nothing(own_sample_lake: Lake, damage: bytes) -> None:
    own_sample_lake.store.put(keys.IMPORTS, damage)
    assert [] == imports.read(own_sample_lake.store)

    own_sample_lake.import_sample()
    assert ["stocks.csv.gz"] == [file.name for file in imports.read(own_sample_lake.store)]
