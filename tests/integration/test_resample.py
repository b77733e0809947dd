"""The resampler against an independent oracle, on real bars and on drawn ones."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_layer.bronze import daily, splits
from batch_layer.bronze.year import read_year
from batch_layer.processing import plan
from batch_layer.processing.fold import PACKAGE
from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.errors import DamagedObjectError
from lake.exchange import load_sessions
from lake.interval import FIBONACCI, Interval
from lake.parquet import encode_frame
from lake.scan import sql
from lake.schemas import DAILY
from lake.session import SessionTable
from tests.conftest import NOW
from tests.frames import assert_silver_is_right, bronze, commit, silver, split
from tests.strategies import daily_bars

SOME = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Two calendar years, so that buckets straddle a year's end.
FIRST, LAST = dt.date(2003, 11, 20), dt.date(2004, 2, 10)


def new_lake(blank: Path) -> Lake:
    folder = Path(tempfile.mkdtemp()) / "lake"
    shutil.copytree(blank, folder)
    return Lake(folder, clock=SetClock(NOW))


def test_every_field_of_every_bar_of_the_sample_equals_the_oracle(sample_lake: Lake) -> None:
    assert 12_154 == bronze(sample_lake.store).height
    assert_silver_is_right(sample_lake)


def test_the_sample_has_bars_on_both_sides_of_a_split_inside_a_bucket(sample_lake: Lake) -> None:
    #        |<----- 13d bucket from 2005-02-17, AAPL 2:1 on 2005-02-28 ----->|
    raw = sample_lake.bars("AAPL", "13d", start="2005-02-01", end="2005-03-31", adjustment="raw")
    bar = raw.filter(
        pl.col("start") <= dt.date(2005, 2, 28), pl.col("through") > dt.date(2005, 2, 28)
    )
    dailies = sample_lake.bars(
        "AAPL", start=bar["start"][0], end=bar["through"][0], as_of="2005-12-31"
    )

    assert 1 == bar.height
    assert dailies["high"].max() == bar["high"][0]
    assert dailies["low"].min() == bar["low"][0]
    assert dailies["volume"].sum() == bar["volume"][0]
    assert dailies["open"][0] == bar["open"][0]


@SOME
@given(data=st.data())
def test_drawn_bars_with_gaps_and_splits_equal_the_oracle(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    bars = data.draw(daily_bars(sessions, first=FIRST, last=LAST))
    days = st.dates(FIRST, LAST + dt.timedelta(days=40))
    drawn = st.tuples(st.sampled_from(["AA", "B"]), days, st.sampled_from([2.0, 4.0, 0.5]))
    lake = new_lake(blank_lake)
    commit(lake, bars)
    for symbol, effective, ratio in data.draw(st.lists(drawn, max_size=4)):
        splits.commit(lake.store, split(symbol, effective, ratio), clock=SetClock(NOW))

    lake.resample()

    assert_silver_is_right(lake)


@SOME
@given(data=st.data())
def test_pieces_in_any_order_resampled_between_or_not_make_equal_rows(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    bars = data.draw(daily_bars(sessions, first=FIRST, last=LAST))
    count = data.draw(st.integers(1, 4))
    piece_of = data.draw(
        st.lists(st.integers(0, count - 1), min_size=bars.height, max_size=bars.height)
    )
    order = data.draw(st.permutations(range(count)))
    at_once, in_pieces = new_lake(blank_lake), new_lake(blank_lake)
    commit(at_once, bars)
    at_once.resample()

    for piece in order:
        part = bars.filter(pl.Series(piece_of) == piece)
        commit(in_pieces, part)
        if not part.is_empty() and data.draw(st.booleans()):
            in_pieces.resample()
    in_pieces.resample()

    assert bronze(at_once.store).equals(bronze(in_pieces.store))
    for interval in FIBONACCI:
        assert silver(at_once.store, interval).equals(silver(in_pieces.store, interval))


@SOME
@given(data=st.data())
def test_corrections_and_withdrawals_in_any_order_end_as_the_oracle_says(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    lake = new_lake(blank_lake)
    draw_bars = daily_bars(sessions, first=FIRST, last=LAST)
    commit(lake, data.draw(draw_bars))
    for _ in range(data.draw(st.integers(1, 3))):
        bars = data.draw(draw_bars)
        if data.draw(st.booleans()):
            commit(lake, bars)
        else:
            daily.withdraw(lake.store, bars.select("symbol", "session"), clock=SetClock(NOW))
        if data.draw(st.booleans()):
            lake.resample()

    lake.resample()

    assert_silver_is_right(lake)


def test_a_bucket_whose_last_sessions_bring_no_bars_still_turns_final(
    lake: Lake, sessions: SessionTable
) -> None:
    # OLD  |x x x . . .|        NEW trades on: the bucket of OLD ends all the same
    # NEW  |x x x x x x|
    interval = Interval.parse("8d")
    days = [sessions[ordinal] for ordinal in range(8000, 8008)]
    commit(lake, plain_bars("OLD", days[:3]))
    lake.resample()
    assert ["forming"] == silver(lake.store, interval)["state"].to_list()

    commit(lake, plain_bars("NEW", days))
    lake.resample()

    old = silver(lake.store, interval).filter(listing="OLD").row(0, named=True)
    assert ("final", days[0], days[7], 3, 8) == (
        old["state"],
        old["start"],
        old["through"],
        old["sessions"],
        old["sessions_expected"],
    )


def test_a_split_after_through_leaves_the_stored_bar_alone(
    lake: Lake, sessions: SessionTable
) -> None:
    days = [sessions[ordinal] for ordinal in range(8000, 8005)]
    commit(lake, plain_bars("AA", days))
    lake.resample()
    before = silver(lake.store, Interval.parse("8d"))

    # Announced for the bucket's seventh session, which is still to come.
    splits.commit(lake.store, split("AA", sessions[8006], 2), clock=SetClock(NOW))
    report = lake.resample()

    assert () == report.rebuilt
    assert before.equals(silver(lake.store, Interval.parse("8d")))


def plain_bars(symbol: str, days: list[dt.date], close: float = 10.0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": symbol,
            "session": days,
            "open": 10.0,
            "high": 20.0,
            "low": 5.0,
            "close": close,
            "volume": 100.0,
            "vwap": pl.Series([None] * len(days), dtype=pl.Float64()),
            "trades": pl.Series([None] * len(days), dtype=pl.Int64()),
        }
    )


def test_years_without_any_bar_are_no_obstacle(lake: Lake) -> None:
    commit(lake, plain_bars("AA", [dt.date(2000, 3, 1)]))
    commit(lake, plain_bars("AA", [dt.date(2003, 3, 3)]))

    report = lake.resample()

    assert {2000, 2003} == {rebuilt.year for rebuilt in report.rebuilt}
    assert_silver_is_right(lake)


@pytest.mark.parametrize("lost", ["object", "checkpoint"])
def test_what_is_lost_of_a_partition_is_built_anew(own_sample_lake: Lake, lost: str) -> None:
    lake = own_sample_lake
    interval = Interval.parse("21d")
    key = (
        keys.silver(interval, 2007) if lost == "object" else keys.silver_checkpoint(interval, 2007)
    )
    before = silver(lake.store, interval)
    Path(lake.store.uri(key)).unlink()

    report = lake.resample()

    expected = "object lost" if lost == "object" else "never built"
    assert [("21d", 2007, expected)] == [(r.interval, r.year, r.why) for r in report.rebuilt]
    assert before.equals(silver(lake.store, interval))


def test_an_object_that_is_not_the_one_built_is_built_anew(own_sample_lake: Lake) -> None:
    lake = own_sample_lake
    interval = Interval.parse("5d")
    before = silver(lake.store, interval)
    other = lake.store.get(keys.silver(interval, 2009)).data
    lake.store.put(keys.silver(interval, 2008), other)

    report = lake.resample()

    assert ["object is not the one built"] == [rebuilt.why for rebuilt in report.rebuilt]
    assert before.equals(silver(lake.store, interval))


def test_one_new_session_rebuilds_the_last_partitions_alone(own_sample_lake: Lake) -> None:
    lake = own_sample_lake
    commit(lake, plain_bars("AAPL", [dt.date(2013, 3, 4)]))

    report = lake.resample()

    assert {2013} >= {rebuilt.year for rebuilt in report.rebuilt} - {2012}
    assert {"sessions after 2013-03-01"} == {rebuilt.why for rebuilt in report.rebuilt}
    assert "2013-03-04" == report.boundary
    assert_silver_is_right(lake)


def test_a_correction_long_ago_rebuilds_its_buckets_partitions_alone(
    own_sample_lake: Lake,
) -> None:
    lake = own_sample_lake
    commit(lake, plain_bars("IBM", [dt.date(2004, 6, 30)]))

    report = lake.resample()

    assert [(str(interval), 2004) for interval in FIBONACCI] == [
        (rebuilt.interval, rebuilt.year) for rebuilt in report.rebuilt
    ]
    assert_silver_is_right(lake)


def test_one_interval_alone_is_rebuilt_and_leaves_the_boundary(lake: Lake) -> None:
    lake.import_sample()

    first = lake.resample(["13d"])
    rest = lake.resample()

    assert {"13d"} == {rebuilt.interval for rebuilt in first.rebuilt}
    assert first.boundary is None
    assert {"3d", "5d", "8d", "21d", "34d"} == {rebuilt.interval for rebuilt in rest.rebuilt}
    assert "2013-03-01" == rest.boundary


def test_force_rebuilds_what_is_not_stale(own_sample_lake: Lake) -> None:
    before = silver(own_sample_lake.store, Interval.parse("34d"))

    report = own_sample_lake.resample(["34d"], force=True)

    assert {"forced"} == {rebuilt.why for rebuilt in report.rebuilt}
    assert 14 == len(report.rebuilt)
    assert before.equals(silver(own_sample_lake.store, Interval.parse("34d")))
    assert () == own_sample_lake.resample().rebuilt


@pytest.mark.parametrize(("new", "old"), [(3, 1), (1, 1), (4, 1)])
def test_a_corrected_ratio_rebuilds_the_buckets_it_is_in(
    own_sample_lake: Lake, new: float, old: float
) -> None:
    lake = own_sample_lake
    effective = dt.date(2005, 2, 28)
    splits.commit(lake.store, split("AAPL", effective, new, old), clock=lake.clock)

    report = lake.resample()

    assert {2005} >= {rebuilt.year for rebuilt in report.rebuilt} - {2004}
    assert {"splits changed"} == {rebuilt.why for rebuilt in report.rebuilt}
    assert_silver_is_right(lake)


def test_a_changed_algorithm_makes_every_partition_stale(
    own_sample_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = sql(PACKAGE, "fold") + "-- changed"
    plan.resampler_version.cache_clear()
    monkeypatch.setattr(plan, "sql", lambda _package, _name: changed)

    try:
        stale = [interval.stale for interval in own_sample_lake.status().silver]
    finally:
        plan.resampler_version.cache_clear()

    assert [14] * 6 == stale


def test_a_partition_all_of_whose_bars_were_withdrawn_is_empty(lake: Lake) -> None:
    # Of the 21d bucket that begins in 2003 bars are left, of the 3d buckets none.
    sessions = load_sessions(lake.store)
    days = [sessions[ordinal] for ordinal in sessions.ordinals(FIRST, LAST)]
    commit(lake, plain_bars("AA", days))
    gone = bronze(lake.store).filter(pl.col("session") <= dt.date(2004, 1, 5))
    daily.withdraw(lake.store, gone.select("symbol", "session"), clock=lake.clock)

    lake.resample()

    assert_silver_is_right(lake)


@pytest.mark.parametrize("builders", [1, 8])
def test_the_bytes_of_silver_do_not_depend_on_how_the_work_is_shared_out(
    sample_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builders: int
) -> None:
    shutil.copytree(sample_lake.store.location, tmp_path / "other")
    other = Lake(tmp_path / "other", clock=SetClock(NOW))
    monkeypatch.setattr("batch_layer.processing.sessions._BUILDERS", builders)
    for name in ("8d", "21d"):
        other.resample(name, force=True)

    for interval in (Interval.parse("8d"), Interval.parse("21d")):
        for year in range(2000, 2014):
            key = keys.silver(interval, year)
            assert sample_lake.store.get(key).data == other.store.get(key).data


@pytest.mark.parametrize("year", [2004, 2005])
def test_bronze_out_of_order_is_told(own_sample_lake: Lake, year: int) -> None:
    lake = own_sample_lake
    bars = read_year(lake.store, year).bars
    lake.store.put(keys.daily(year), encode_frame(bars.reverse(), DAILY))

    with pytest.raises(DamagedObjectError, match="bars are not in order"):
        lake.resample("34d", force=True)


def test_two_lakes_whose_names_match_each_other_as_patterns_stay_apart(
    blank_lake: Path, tmp_path: Path
) -> None:
    days = [dt.date(2003, 3, 3)]
    for folder, symbol in (("brx", "AA"), ("br[x]", "B")):
        shutil.copytree(blank_lake, tmp_path / folder)
        lake = Lake(tmp_path / folder, clock=SetClock(NOW))
        commit(lake, plain_bars(symbol, days))
        lake.resample()

    odd = Lake(tmp_path / "br[x]", clock=SetClock(NOW))
    assert ["B"] == odd.symbols()["symbol"].to_list()
    assert ["B"] == odd.bars("B", "13d")["symbol"].to_list()
    assert_silver_is_right(odd)
