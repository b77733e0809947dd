"""What commands tell lands as it was told, and says so where it cannot be told again."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batch_layer.bronze.actions import read
from batch_layer.bronze.splits import TABLE as SPLITS
from batch_layer.fetching import reference_rebuild
from batch_layer.fetching.sources import digest_of
from batch_layer.fetching.validation import Reading, Validator
from batch_layer.landing import told as landing
from batch_layer.landing.answer import Answer
from batch_layer.landing.objects import land
from batch_layer.landing.told import all_told, land_file, restore_file
from fiblake import Lake
from fiblake.fetch_reports import of_rebuild
from lake import keys
from lake.clock import SetClock
from lake.errors import ConflictError, DamagedObjectError, SourceError
from lake.parquet import encode_frame
from lake.store import LocalStore
from tests.fetching import current

DAY = dt.date(2013, 1, 15)
HEADER = "symbol,date,open,high,low,close,volume"
Write = Callable[..., Path]


@dataclass
class Moving:
    """A clock that a test moves on."""

    instant: dt.datetime

    def now(self) -> dt.datetime:
        return self.instant


def lose_all_but_landing(lake: Lake) -> None:
    for prefix in ("bronze/", "meta/"):
        for key in lake.store.fingerprints(prefix):
            lake.store.delete(key)


def comes_back(lake: Lake) -> None:
    before = current(lake.store)
    lose_all_but_landing(lake)
    report = lake.rebuild_bronze()
    assert before.equals(current(lake.store))
    assert before.height == report.restored


@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.txt", "a.csv.gz", "a.txt.gz", "a.parquet"])
def test_a_file_is_kept_byte_for_byte_and_once(
    store: LocalStore, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(
        gzip.compress(b"a,b\n1,2\n", mtime=0) if name.endswith(".gz") else b"a,b\n1,2\n"
    )
    file = land_file(store, path, digest_of(path))
    kept = store.fingerprints(keys.LANDING)
    land_file(store, path, digest_of(path))
    (tmp_path / "out").mkdir()

    assert path.read_bytes() == restore_file(store, file, tmp_path / "out").read_bytes()
    assert kept == store.fingerprints(keys.LANDING)


def test_files_of_one_name_and_of_their_own_spelling_come_back(
    lake: Lake, csv_file: Write, tmp_path: Path
) -> None:
    for folder, symbol in (("one", "AA"), ("two", "BB")):
        (tmp_path / folder).mkdir()
        csv_file(HEADER, f"{symbol},{DAY},10,12,9,11,5", name=f"{folder}/bars.csv")
    lake.import_files(tmp_path / "one/bars.csv", tmp_path / "two/bars.csv")
    odd = csv_file("Day;o;h;l;c;v", "15/01/2013;1;2;1;2;3", name="odd.csv")
    fields = {"session": "Day", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    reading = Reading(columns=fields, symbol="CC", date_format="%d/%m/%Y")
    lake.importer(reading=reading).import_files([odd])
    frame = pl.DataFrame(
        {"symbol": ["DD"], "date": [DAY], "volume": [0.1 + 0.2]}
        | {name: [1.0] for name in ("open", "high", "low", "close")}
    )
    frame.write_parquet(tmp_path / "bars.parquet")
    lake.import_files(tmp_path / "bars.parquet")

    assert ["AA", "BB", "CC", "DD"] == current(lake.store)["symbol"].to_list()
    comes_back(lake)


def test_a_session_that_was_not_settled_then_is_rejected_again(lake: Lake, csv_file: Write) -> None:
    lake.clock = SetClock(dt.datetime(2013, 1, 15, 20, tzinfo=dt.UTC))
    lake.import_files(csv_file(HEADER, "AA,2013-01-14,1,2,1,2,3", f"AA,{DAY},1,2,1,2,3"))
    lake.clock = SetClock(dt.datetime(2013, 2, 15, tzinfo=dt.UTC))

    assert [dt.date(2013, 1, 14)] == current(lake.store)["session"].to_list()
    comes_back(lake)


def test_many_files_of_a_symbol_each_are_told_again_at_once(lake: Lake, csv_file: Write) -> None:
    for number in range(12):
        rows = [f"S{number:02},2013-01-{day},1,2,1,2,3" for day in (14, 15, 16)]
        lake.import_files(csv_file(HEADER, *rows, name=f"{number}.csv"))

    assert 36 == current(lake.store).height
    comes_back(lake)


@pytest.mark.parametrize(
    ("kind", "harm", "error", "said"),
    [
        ("contents", b"torn", DamagedObjectError, r"contents/.*\.csv\.gz in .* is damaged"),
        (
            "contents",
            None,
            DamagedObjectError,
            r"is not there\. Hint: .* bars\.csv again",
        ),
        (
            "contents",
            gzip.compress(b"other", mtime=0),
            DamagedObjectError,
            r"its SHA-256 is another",
        ),
        ("told", b"torn", DamagedObjectError, r"landing/files/told/.* is damaged"),
    ],
)
def test_what_is_damaged_is_told_by_its_name_and_nothing_changes(
    lake: Lake, csv_file: Write, kind: str, harm: bytes | None, error: type[Exception], said: str
) -> None:
    lake.import_files(csv_file(HEADER, f"AA,{DAY},1,2,1,2,3"))
    (key,) = lake.store.fingerprints(keys.landing("files", kind))
    before = current(lake.store)
    lake.store.delete(key) if harm is None else lake.store.put(key, harm)

    with pytest.raises(error, match=said):
        lake.rebuild_bronze()

    assert before.equals(current(lake.store))


@pytest.mark.parametrize("harm", [b"torn", gzip.compress(b"other", mtime=0), None])
def test_the_same_file_again_mends_what_a_disk_made_of_it(
    lake: Lake, csv_file: Write, harm: bytes | None
) -> None:
    path = csv_file(HEADER, f"AA,{DAY},1,2,1,2,3")
    lake.import_files(path)
    (key,) = lake.store.fingerprints(keys.landing("files", "contents"))
    lake.store.delete(key) if harm is None else lake.store.put(key, harm)

    lake.import_files(path)

    comes_back(lake)


def test_a_file_that_changes_while_it_is_read_is_refused(
    lake: Lake, csv_file: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csv_file(HEADER, f"AA,{DAY},1,2,1,2,3")
    judge = Validator.judge

    def write_on(*arguments: Any) -> Any:
        with path.open("a") as file:
            file.write(f"BB,{DAY},1,2,1,2,3\n")
        return judge(*arguments)

    monkeypatch.setattr(Validator, "judge", write_on)

    with pytest.raises(SourceError, match=r"was changed while it was read"):
        lake.import_files(path)

    assert {} == lake.store.fingerprints(keys.LANDING)
    assert current(lake.store).is_empty()


def test_of_two_at_once_the_one_that_was_told_last_is_told_last_again(
    lake: Lake, csv_file: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reads for an hour; another begins and ends meanwhile."""
    lake.clock = clock = Moving(dt.datetime(2013, 2, 1, tzinfo=dt.UTC))
    slow = csv_file(HEADER, f"AA,{DAY},1,2,1,2,3", name="slow.csv")
    quick = csv_file(HEADER, f"AA,{DAY},1,2,1,1,3", name="quick.csv")
    importer, judge = lake.importer(), Validator.judge

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(Validator, "judge", judge)
        clock.instant += dt.timedelta(minutes=1)
        lake.import_files(quick)
        clock.instant += dt.timedelta(hours=1)
        return judge(*arguments)

    monkeypatch.setattr(Validator, "judge", meanwhile)
    importer.import_files([slow])

    assert [2.0] == current(lake.store)["close"].to_list()
    comes_back(lake)


def test_a_split_told_while_a_rebuild_runs_is_not_written_over(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = pl.DataFrame(
        {"symbol": ["AA"], "effective": [DAY], "split_from": [1.0], "split_to": [2.0]}
    )
    lake.importer().import_files([], splits=splits)
    lake.importer().import_files([], splits=splits.with_columns(split_to=pl.lit(3.0)))
    lake.store.put(keys.SPLITS, encode_frame(read(lake.store, SPLITS).clear(), SPLITS.schema))
    made = vars(reference_rebuild)["_with_kept"]
    other = splits.with_columns(symbol=pl.lit("BB"))

    def meanwhile(*arguments: Any) -> pl.DataFrame:
        rows: pl.DataFrame = made(*arguments)
        if arguments[2].key == keys.SPLITS:
            monkeypatch.setattr(reference_rebuild, "_with_kept", made)
            lake.importer().import_files([], splits=other)
        return rows

    monkeypatch.setattr(reference_rebuild, "_with_kept", meanwhile)
    with pytest.raises(ConflictError):
        lake.rebuild_bronze()

    assert ["BB"] == read(lake.store, SPLITS)["symbol"].to_list()
    lake.rebuild_bronze()
    assert ["AA", "BB"] == read(lake.store, SPLITS)["symbol"].to_list()


def test_files_that_never_landed_are_named(lake: Lake, csv_file: Write) -> None:
    path = csv_file(HEADER, f"AA,{DAY},1,2,1,2,3", name="old.csv")
    lake.import_files(path)
    for key in lake.store.fingerprints(keys.LANDING):
        lake.store.delete(key)
    report = lake.rebuild_bronze()
    assert ("old.csv",) == report.unlanded
    assert "1 files were imported before files landed (old.csv)" in "\n".join(of_rebuild(report))
    assert 1 == current(lake.store).height

    assert (1, 0) == (lake.import_files(path).unchanged, lake.import_files(path).added)

    assert () == lake.rebuild_bronze().unlanded
    comes_back(lake)


@pytest.mark.parametrize("document", [[], {"action": "import", "odd": 1}, {"files": [{}]}, 7])
def test_a_record_that_makes_no_sense_is_damaged(store: LocalStore, document: Any) -> None:
    answer = Answer("fiblake import", dt.datetime(2026, 1, 5, tzinfo=dt.UTC), b"")
    body = json.dumps(document).encode()
    land(
        store,
        landing.SOURCE,
        "told",
        "2026-01-05",
        [Answer(answer.request, answer.fetched_at, body)],
    )

    with pytest.raises(DamagedObjectError, match=r"landing/files/told/.* is damaged"):
        all_told(store)


def test_a_market_that_this_version_would_make_otherwise_is_refused(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.generate(3, start="2013-01-02", end="2013-01-31")
    monkeypatch.setattr("batch_layer.generating.generate._VERSION", 2)

    with pytest.raises(DamagedObjectError, match=r"market .* is of version 1: this one makes 2"):
        lake.rebuild_bronze()
