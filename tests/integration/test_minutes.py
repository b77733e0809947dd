"""Minute bars in bronze, and intraday silver: what it is, and when it is built anew."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_layer.bronze import minute_manifest
from batch_layer.bronze.daily import Changes
from batch_layer.processing.intraday import plan
from batch_layer.processing.resample import Rebuilt
from batch_layer.processing.status import MinuteStatus
from fiblake import Lake
from lake import keys
from lake.boundary import read_boundary
from lake.clock import SetClock
from lake.errors import DamagedObjectError, EmptyLakeError, UnknownSessionError
from lake.exchange import encode_sessions
from lake.interval import INTRADAY, Interval
from lake.session import SessionTable
from lake.store import LocalStore
from tests.conftest import NOW
from tests.minutes import (
    KNOWN,
    Row,
    assert_intraday_is_right,
    at,
    bar,
    bronze,
    commit,
    every_minute,
    minutes_of,
    silver,
)

DAY = dt.date(2024, 11, 27)
EARLY = dt.date(2024, 11, 29)
FIVE, HOUR, FOUR = (Interval.parse(name) for name in ("5m", "1h", "4h"))
DAYS = (
    dt.date(2024, 3, 8),  # the last of winter time
    dt.date(2024, 3, 11),  # the first of summer time
    dt.date(2024, 7, 3),
    dt.date(2024, 11, 1),
    dt.date(2024, 11, 4),
    EARLY,
    dt.date(1963, 11, 22),
    dt.date(1968, 2, 1),
)


@pytest.fixture
def minute_lake(lake: Lake) -> Lake:
    """Two symbols, a whole session and an early close."""
    for symbol in ("AA", "B"):
        commit(lake, *every_minute(symbol, DAY, "09:30", "16:00"))
        commit(lake, *every_minute(symbol, EARLY, "09:25", "13:05"))
    return lake


def starts(rows: list[Row], symbol: str = "AA") -> list[tuple[dt.datetime, str, int, int]]:
    names = ("start", "hours", "minutes", "minutes_expected")
    return [tuple(row[name] for name in names) for row in rows if row["symbol"] == symbol]


def of(rows: list[Row], symbol: str, start: dt.datetime) -> list[Row]:
    return [row for row in rows if (row["symbol"], row["start"]) == (symbol, start)]


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_intraday_bars_are_what_their_minutes_merge_into(
    sessions: SessionTable, data: st.DataObject
) -> None:
    days = data.draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=2, unique=True))
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder, clock=SetClock(NOW))
        lake.store.put(keys.SESSIONS, encode_sessions(sessions))
        for _ in range(2):
            for day in days:
                commit(lake, *data.draw(minutes_of(day)))
        lake.resample()

        assert_intraday_is_right(lake)


def test_hours_are_the_sessions_own(minute_lake: Lake) -> None:
    minute_lake.resample()

    assert [
        (at(DAY, "09:30"), "regular", 60, 60),
        (at(DAY, "10:30"), "regular", 60, 60),
        (at(DAY, "11:30"), "regular", 60, 60),
        (at(DAY, "12:30"), "regular", 60, 60),
        (at(DAY, "13:30"), "regular", 60, 60),
        (at(DAY, "14:30"), "regular", 60, 60),
        (at(DAY, "15:30"), "regular", 30, 30),
    ] == starts(silver(minute_lake.store, HOUR, DAY))
    assert [
        (at(EARLY, "08:00"), "extended", 5, 90),
        (at(EARLY, "09:30"), "regular", 210, 210),
        (at(EARLY, "13:00"), "extended", 5, 240),
    ] == starts(silver(minute_lake.store, FOUR, EARLY))
    assert_intraday_is_right(minute_lake)


def test_the_same_minute_again_replaces_and_never_adds(minute_lake: Lake) -> None:
    minute_lake.resample()
    start = at(DAY, "10:00")
    later = KNOWN + dt.timedelta(minutes=15)

    changes = commit(
        minute_lake,
        bar("AA", start, 99.0, volume=500.0, known_from=later),
        *every_minute("B", DAY, "10:00", "10:05", price=17.5),
        bar("NEW", start, 5.0),
    )
    report = minute_lake.resample().intraday

    assert Changes(added=1, corrected=1, unchanged=5) == changes
    (row,) = of(bronze(minute_lake.store, DAY), "AA", start)
    assert (99.0, 500.0) == (row["close"], row["volume"])
    assert (1, later) == (row["revision"], row["known_from"])
    assert report is not None
    assert {("bars changed", str(DAY))} == {(each.why, each.session) for each in report.rebuilt}
    (five,) = of(silver(minute_lake.store, FIVE, DAY), "AA", start)
    assert (900.0, 99.0, 1) == (five["volume"], five["high"], five["revision"])
    assert_intraday_is_right(minute_lake)


def test_a_source_without_vwap_does_not_erase_it(minute_lake: Lake) -> None:
    start = at(DAY, "09:30")

    assert Changes(unchanged=1) == commit(minute_lake, bar("AA", start, vwap=None, trades=None))
    assert Changes(corrected=1) == commit(minute_lake, bar("AA", start, 11.0, vwap=None))
    assert bronze(minute_lake.store, DAY)[0]["vwap"] is None


def test_what_replaces_a_bar_is_never_known_before_it(minute_lake: Lake) -> None:
    commit(minute_lake, bar("AA", at(DAY, "09:30"), 11.0, known_from=KNOWN - dt.timedelta(days=1)))

    expected = KNOWN + dt.timedelta(microseconds=1)
    assert expected == bronze(minute_lake.store, DAY)[0]["known_from"]


def test_rows_of_several_sessions_land_in_each(lake: Lake) -> None:
    rows = [*every_minute("AA", EARLY, "04:00", "04:02"), *every_minute("B", DAY, "19:58", "20:00")]

    changes = commit(lake, *rows)

    assert Changes(added=4) == changes
    assert [2, 2] == [len(bronze(lake.store, day)) for day in (DAY, EARLY)]
    assert [DAY, EARLY] == list(minute_manifest.read(lake.store))


@pytest.mark.parametrize("time", ["03:59", "20:00"])
def test_a_minute_outside_all_hours_is_refused_and_nothing_is_written(
    lake: Lake, time: str
) -> None:
    with pytest.raises(UnknownSessionError, match=r"AA at 2024-11-2.* is outside the hours"):
        commit(lake, bar("AA", at(DAY, "12:00")), bar("AA", at(DAY, time)))

    assert {} == lake.store.fingerprints(keys.MINUTE)


def test_a_run_says_what_it_did_and_the_next_has_nothing_to_do(minute_lake: Lake) -> None:
    report = minute_lake.resample()
    again = minute_lake.resample()

    assert (0, None) == (report.partitions, report.boundary)
    assert report.intraday is not None
    assert again.intraday is not None
    assert 10 == len(report.intraday.rebuilt) == report.intraday.partitions
    assert Rebuilt("5m", 2024, "never built", 156, str(DAY)) == report.intraday.rebuilt[0]
    assert (5 * 2 * (390 + 220), str(EARLY)) == (report.intraday.rows, report.intraday.boundary)
    assert () == again.intraday.rebuilt
    assert EARLY == read_boundary(minute_lake.store).minute


def test_one_interval_is_built_of_the_same_pieces_as_all(minute_lake: Lake) -> None:
    report = minute_lake.resample("4h").intraday
    assert report is not None
    alone = minute_lake.store.get(keys.intraday(FOUR, EARLY)).data
    assert {"4h"} == {each.interval for each in report.rebuilt}
    assert read_boundary(minute_lake.store).minute is None

    rest = minute_lake.resample().intraday
    minute_lake.resample(force=True)

    assert rest is not None
    assert 8 == len(rest.rebuilt)
    assert alone == minute_lake.store.get(keys.intraday(FOUR, EARLY)).data
    assert EARLY == read_boundary(minute_lake.store).minute


def test_daily_and_intraday_silver_are_made_of_what_there_is(own_sample_lake: Lake) -> None:
    commit(own_sample_lake, *every_minute("AAPL", DAY, "09:30", "10:00"))

    report = own_sample_lake.resample()

    assert (84, ()) == (report.partitions, report.rebuilt)
    assert report.intraday is not None
    assert 5 == len(report.intraday.rebuilt)
    boundary = read_boundary(own_sample_lake.store)
    assert (dt.date(2013, 3, 1), DAY) == (boundary.daily, boundary.minute)
    assert own_sample_lake.resample("13d").intraday is None


def test_a_lake_without_minutes_says_so(own_sample_lake: Lake) -> None:
    assert own_sample_lake.resample().intraday is None
    assert own_sample_lake.status().minute is None
    with pytest.raises(EmptyLakeError, match=r"holds no minute bars. Hint: fiblake fetch minutes"):
        own_sample_lake.resample("5m")


def _lose(store: LocalStore) -> None:
    Path(store.uri(keys.intraday(FIVE, DAY))).unlink()


def _overwrite(store: LocalStore) -> None:
    store.put(keys.intraday(FIVE, DAY), store.get(keys.intraday(FIVE, EARLY)).data)


def _forget(store: LocalStore) -> None:
    Path(store.uri(keys.intraday_checkpoint(DAY))).unlink()


def _tear(store: LocalStore) -> None:
    store.put(keys.intraday_checkpoint(DAY), b"torn {")


def _of_another_version(store: LocalStore) -> None:
    key = keys.intraday_checkpoint(DAY)
    document = json.loads(store.get(key).data)
    for each in document.values():
        each["inputs"]["resampler"] = "another"
    store.put(key, json.dumps(document).encode())


def _of_other_hours(store: LocalStore) -> None:
    key = keys.intraday_checkpoint(DAY)
    document = json.loads(store.get(key).data)
    document["1h"]["inputs"]["hours"] = "2024-11-27T14:30:00Z to 2024-11-27T18:00:00Z"
    store.put(key, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_lose, {("5m", "object lost")}),
        (_overwrite, {("5m", "object is not the one built")}),
        (_forget, {(str(each), "never built") for each in INTRADAY}),
        (_tear, {(str(each), "never built") for each in INTRADAY}),
        (_of_another_version, {(str(each), "resampler changed") for each in INTRADAY}),
        (_of_other_hours, {("1h", "hours changed")}),
    ],
)
def test_a_partition_tells_why_it_is_stale(minute_lake: Lake, damage: object, told: object) -> None:
    minute_lake.resample()
    damage(minute_lake.store)  # type: ignore[operator]

    report = minute_lake.resample().intraday

    assert report is not None
    assert told == {(each.interval, each.why) for each in report.rebuilt}
    assert {str(DAY)} == {each.session for each in report.rebuilt}
    assert_intraday_is_right(minute_lake)


def test_a_manifest_that_is_lost_is_made_anew_of_what_it_tells(minute_lake: Lake) -> None:
    minute_lake.resample()
    before = minute_manifest.read(minute_lake.store)
    minute_lake.store.put(keys.minute_manifest(2024), b"torn {")

    assert before == minute_manifest.read(minute_lake.store)
    again = minute_lake.resample().intraday
    assert again is not None
    assert () == again.rebuilt
    document = json.loads(minute_lake.store.get(keys.minute_manifest(2024)).data)
    assert {str(day) for day in before} == set(document["sessions"])


def test_the_digest_does_not_tell_when_bars_were_learnt(lake: Lake, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other", clock=SetClock(NOW))
    other.store.put(keys.SESSIONS, lake.store.get(keys.SESSIONS).data)
    later = KNOWN + dt.timedelta(days=1)
    rows = every_minute("AA", DAY, "09:30", "10:00")
    commit(lake, *rows)
    commit(other, *({**row, "known_from": later} for row in reversed(rows)))

    digests = [minute_manifest.read(each.store)[DAY].digest for each in (lake, other)]

    assert digests[0] == digests[1]


def test_a_damaged_session_is_one_clear_error(minute_lake: Lake) -> None:
    minute_lake.store.put(keys.minute(DAY), b"no parquet")

    with pytest.raises(DamagedObjectError, match=r"session=2024-11-27/bars.parquet in .* damaged"):
        minute_lake.resample()


def test_status_tells_of_minutes(minute_lake: Lake) -> None:
    before = minute_lake.status()
    minute_lake.resample()
    after = minute_lake.status()

    assert MinuteStatus(1220, 2, DAY, EARLY, None) == before.minute
    assert MinuteStatus(1220, 2, DAY, EARLY, EARLY) == after.minute
    assert [(str(each), 2, 2) for each in INTRADAY] == [
        (each.interval, each.partitions, each.stale) for each in before.silver
    ]
    assert {0} == {each.stale for each in after.silver}
    assert 2 * (78 + 44) == after.silver[0].bars


def test_any_hive_style_reader_sees_each_bar_once(minute_lake: Lake) -> None:
    minute_lake.resample()
    pattern = minute_lake.store.uri("silver/interval=5m/**/*.parquet")

    with duckdb.connect() as connection:
        rows = connection.read_parquet(pattern, hive_partitioning=True).pl()
    lazily = pl.scan_parquet(pattern, hive_partitioning=True).collect()

    assert 2 * (78 + 44) == rows.height == rows.select("symbol", "start").unique().height
    assert {DAY, EARLY} == set(rows["session"]) == set(lazily["session"])
    assert {"5m"} == set(rows["interval"])


def test_the_index_of_checkpoints_spares_reading_each(minute_lake: Lake) -> None:
    minute_lake.resample()
    index = json.loads(minute_lake.store.get(keys.INTRADAY_CHECKPOINTS_INDEX).data)

    assert {keys.intraday_checkpoint(day) for day in (DAY, EARLY)} == set(index)
    assert plan.read_checkpoints(index[keys.intraday_checkpoint(DAY)][1]).keys() == {
        str(each) for each in INTRADAY
    }
