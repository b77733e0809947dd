"""A lake that was told of everything loses all but landing, and is what it was before.

Vendors' dailies, restated; reference data; minutes of the market and of symbols; recorded trades;
files that correct, add and withdraw bars, and tell of splits, dividends and listings: all in turn.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from batch_layer.bronze import imports, ledger
from batch_layer.local_vendor import LocalVendor
from batch_layer.local_vendor.restatement import Restatement
from fiblake import Lake
from lake import keys
from lake.boundary import read_boundary
from lake.clock import SetClock
from lake.store import LocalStore, ObjectStore
from tests.command_line import Run
from tests.days import made_day
from tests.fetching import EVENING, Fetching, current
from tests.parts import MotoServer
from tests.reference import cast_of

HOUR: Final = dt.timedelta(hours=1)
DAY: Final = dt.timedelta(days=1)
START: Final = dt.date(2012, 12, 3)
RESTATED: Final = dt.date(2013, 1, 15)
MINUTES: Final = (dt.date(2013, 1, 14), dt.date(2013, 1, 15))
AFTER: Final = dt.datetime(2025, 12, 1, 12, tzinfo=dt.UTC)
"""When the recorded session is settled."""
MADE_THERE: Final = ("AA", "S0", "S1")
CSV: Final = "symbol,date,open,high,low,close,volume"
LOST: Final = ("bronze/", "silver/", "meta/")


@pytest.fixture
def vendor(vendor_lake_folder: Path) -> Iterator[LocalVendor]:
    """A vendor with renamed, reused and delisted symbols."""
    story = cast_of(vendor_lake_folder).story
    with LocalVendor(LocalStore(vendor_lake_folder), reference=story) as vendor:
        yield vendor


Write = Callable[..., Path]


def everything(fetching: Fetching, vendor: LocalVendor, write: Write) -> Lake:
    """Return a lake that was told of everything, resampled."""
    lake = fetching(EVENING)
    lake.fetch_daily(start=START)
    bars = current(lake.store).filter(pl.col("session") == RESTATED)
    corrected, restated, withdrawn, both = bars["symbol"].to_list()[20:24]
    _files_before(fetching(EVENING + HOUR), write, corrected, withdrawn, both)
    fetching(EVENING + 2 * HOUR).fetch_reference()
    values = {restated: {"close": 1.0, "low": 0.5}, both: {"close": 2.0, "low": 0.5}}
    vendor.restate(RESTATED, Restatement(corrected=values))
    fetching(EVENING + 3 * HOUR).fetch_daily(start=RESTATED, end=RESTATED, again=True)
    _files_after(fetching(EVENING + 4 * HOUR), write, corrected, both)
    lake = fetching(EVENING + 5 * HOUR)
    lake.fetch_minutes(start=MINUTES[0], end=MINUTES[1])
    lake.fetch_minutes([corrected, restated], start=MINUTES[0], end=MINUTES[1])
    fetching(EVENING + DAY).fetch_daily("flatfiles", start=START, end=dt.date(2012, 12, 7))
    fetching(EVENING + 2 * DAY).fetch_reference(again=True)
    _reference_by_hand(fetching(EVENING + 3 * DAY), corrected)
    last = fetching(AFTER)
    made_day(6, 600).record(last.store)
    last.build_trades()
    last.resample()
    return last


def _files_before(lake: Lake, write: Write, corrected: str, withdrawn: str, both: str) -> None:
    """Files tell of bars that the vendor has, and has not; one has rows that break a rule."""
    rows = [f"{name},{RESTATED},10,12,9,11,5" for name in (corrected, both, "MINE")]
    bad = ["MINE,2013-01-16,10,9,12,11,5", "MINE,2013-01-19,1,1,1,1,1"]
    lake.import_files(write(CSV, *rows, *bad, "MINE,2010-01-04,1,2,1,2,3", name="first.csv"))
    gone = write("symbol,date", f"{withdrawn},{RESTATED}", name="gone.csv")
    lake.importer().withdraw_files([gone])


def _files_after(lake: Lake, write: Write, corrected: str, both: str) -> None:
    """Files come after the vendor's restatement, one the same again and one that differs."""
    folder = Path(lake.store.location).parent
    lake.import_files(folder / "first.csv")
    lake.import_files(
        write(
            CSV, f"{both},{RESTATED},3,4,3,4,5", f"{corrected},2013-01-16,3,4,3,4,5", name="b.csv"
        )
    )
    lake.importer().withdraw_files([write("symbol,date", "MINE,2010-01-04", name="mine.csv")])


def _reference_by_hand(lake: Lake, symbol: str) -> None:
    splits = pl.DataFrame(
        {"symbol": ["MINE", symbol], "effective": [RESTATED, RESTATED]}
        | {"split_from": [1.0, 1.0], "split_to": [2.0, 3.0]}
    )
    dividends = pl.DataFrame({"symbol": ["MINE"], "ex_date": [RESTATED], "amount": [0.1 + 0.2]})
    listed = pl.DataFrame(
        {"listing": ["OWN", "OLD"], "symbol": ["MINE", None], "first": [dt.date(2010, 1, 4)] * 2}
        | {"last": [None, None], "name": ["Mine, Inc.", None], "exchange": [None] * 2}
        | {"kind": [None] * 2},
        schema_overrides={"last": pl.Date(), "exchange": pl.String(), "kind": pl.String()},
    )
    importer = lake.importer()
    importer.import_files([], splits=splits, dividends=dividends, listed=listed)
    # And what was told is corrected by hand, and taken back.
    importer.import_files([], splits=splits.with_columns(split_to=pl.lit(4.0)).head(1))
    importer.import_files([], dividends=dividends.with_columns(amount=pl.lit(0.0)))


def lose(store: ObjectStore, *prefixes: str) -> None:
    for prefix in prefixes:
        for key in store.fingerprints(prefix):
            store.delete(key)


def digests(store: ObjectStore, *prefixes: str) -> dict[str, str]:
    """Return the SHA-256 of each object."""
    return {
        key: hashlib.sha256(store.get(key).data).hexdigest()
        for prefix in prefixes
        for key in store.fingerprints(prefix)
    }


def counted(lake: Lake) -> tuple[Any, ...]:
    """Return all that is counted: by vendors' ledgers, by files, by what quality finds."""
    kinds = ("daily", "minute", "splits", "dividends")
    ledgers = [ledger.read(lake.store, kind) for kind in kinds]
    boundary = read_boundary(lake.store)
    return (
        ledgers,
        imports.read(lake.store),
        replace(lake.quality(), seconds=0),
        (boundary.daily, boundary.minute),
    )


def test_all_but_landing_is_lost_and_comes_back(
    fetching: Fetching, vendor: LocalVendor, csv_file: Write
) -> None:
    lake = everything(fetching, vendor, csv_file)
    before, told = digests(lake.store, "bronze/", "silver/"), counted(lake)
    names = lake.symbols()["symbol"].to_list()
    known = lake.bars(names[:40], "13d", known_at=EVENING + 2 * HOUR)
    rejects = set(lake.store.fingerprints(keys.REJECTS))
    vendor.forget()
    lose(lake.store, *LOST)

    again = fetching(AFTER)
    report = again.rebuild_bronze()
    again.build_trades()
    again.resample()

    assert [] == vendor.requests
    after = digests(again.store, "bronze/", "silver/")
    assert [] == sorted(key for key in before | after if before.get(key) != after.get(key))
    assert told == counted(again)
    assert rejects == set(again.store.fingerprints(keys.REJECTS))
    assert_frame_equal(known, again.bars(names[:40], "13d", known_at=EVENING + 2 * HOUR))
    assert (5, 0) == (report.told, report.kept)
    assert () == again.resample().rebuilt


@pytest.fixture(params=["folder", "s3"])
def any_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[dt.datetime], Lake]:
    """Open one lake, in a folder or on S3, at an instant."""
    if request.param == "folder":
        return lambda now: Lake(tmp_path / "lake", clock=SetClock(now))
    server: MotoServer = request.getfixturevalue("moto_server")
    open_lake = request.getfixturevalue("open_lake")
    settings = server.settings()

    def open_(now: dt.datetime) -> Lake:
        lake: Lake = open_lake(settings)
        lake.clock = SetClock(now)
        return lake

    return open_


def test_a_made_up_market_with_files_on_top_is_made_again(
    any_lake: Callable[[dt.datetime], Lake], csv_file: Write
) -> None:
    lake = any_lake(AFTER)
    lake.generate(20, start="2012-06-01", end="2013-02-28", seed=3)
    names = current(lake.store).filter(pl.col("session") == RESTATED)["symbol"].to_list()
    later = any_lake(AFTER + HOUR)
    later.import_files(csv_file(CSV, f"{names[0]},{RESTATED},10,12,9,11,5"))
    gone = csv_file("symbol,date", f"{names[1]},{RESTATED}", name="gone.csv")
    later.importer().withdraw_files([gone])
    splits = pl.DataFrame(
        {"symbol": names[:1], "effective": [RESTATED], "split_from": [1.0], "split_to": [2.0]}
    )
    later.importer().import_files([], splits=splits)
    later.resample()
    before, told = digests(later.store, "bronze/", "silver/"), counted(later)
    generation = later.store.get(keys.GENERATION).data
    lose(later.store, *LOST)

    again = any_lake(AFTER + DAY)
    report = again.rebuild_bronze()
    again.resample()

    assert (3, 0) == (report.told, report.kept)
    assert before == digests(again.store, "bronze/", "silver/")
    assert told == counted(again)
    assert generation == again.store.get(keys.GENERATION).data
    assert 0 == again.rebuild_bronze().restored + again.rebuild_bronze().changed


def test_the_commands_alone_bring_the_sample_back(
    run: Run, sample_lake_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "lake"
    shutil.copytree(sample_lake_folder, folder, copy_function=shutil.copy2)
    bars = run("bars", "AAPL", "--interval", "13d", "--format", "csv", "--lake", folder).out
    for name in LOST:
        shutil.rmtree(folder / name)

    ran = run("rebuild", "bronze", "--lake", folder)

    assert 0 == ran.code, ran.err
    assert "of 3,270 sessions, and what 1 commands told" in ran.out
    assert "daily bars: 12,154 restored" in ran.out
    assert 0 == run("resample", "--lake", folder).code
    again = run("bars", "AAPL", "--interval", "13d", "--format", "csv", "--lake", folder)
    assert (0, bars) == (again.code, again.out)
