"""One day's tape through every engine: the bars of all intervals are identical."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lake.live_bars import in_force
from lake.store import LocalStore
from tests.days import Day, big_day, calendar
from tests.parity.through import (
    assert_same_bars,
    through_batch,
    through_engine,
    through_flink,
    through_law,
)


@pytest.fixture(scope="module")
def day() -> Day:
    return big_day()


@pytest.fixture(scope="module")
def batch(day: Day, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    store = LocalStore(tmp_path_factory.mktemp("lake"))
    day.record(store, each=50_000)
    return through_batch(store, day.session)


@pytest.fixture(scope="module")
def law(day: Day) -> pl.DataFrame:
    return through_law(day.tape, day.hours)


def test_the_tape_is_as_messy_as_a_real_one(day: Day) -> None:
    tape = day.tape.filter(pl.col("kind") == "trade")
    statements = in_force(tape)
    ends = tape["minute"] + 60_000_000
    behind = tape["time"].cum_max() - tape["time"]
    late = (tape["time"].cum_max() >= ends + 15 * 60_000_000).sum()
    same = ["symbol", "time", "sequence", "revision"]
    moved = tape.group_by(same[:3]).agg(pl.col("minute").n_unique() - 1)

    assert (500, True) == (tape["symbol"].n_unique(), tape.height > 1_000_000)
    assert behind.filter(behind <= 30_000_000).max() > 20_000_000  # type: ignore[operator]
    assert tape.height > tape.n_unique(same)
    assert statements["cancelled"].sum() > 100
    assert statements.filter((pl.col("revision") > 0) & ~pl.col("cancelled")).height > 100
    assert statements.filter(pl.col("conditions").list.contains(37)).height > 10_000
    assert moved["minute"].sum() > 200
    assert 0.0005 < late / tape.height < 0.003


def test_batch_makes_the_daily_file_of_the_same_trades(day: Day, batch: pl.DataFrame) -> None:
    names = ["symbol", "open", "high", "low", "close", "volume"]
    days = batch.filter(pl.col("interval") == "1d").select(names)

    assert day.bars.select(names).sort("symbol").rows() == days.rows()


def test_the_law_at_once_makes_batch_s_bars(batch: pl.DataFrame, law: pl.DataFrame) -> None:
    assert_same_bars(batch, law)


def test_the_embedded_engine_makes_the_law_s_bars_and_versions(day: Day, law: pl.DataFrame) -> None:
    assert_same_bars(law, through_engine(day.tape, day.hours, calendar()).bars())


@pytest.mark.usefixtures("flink")
def test_the_flink_job_makes_the_law_s_bars_and_versions(
    day: Day, law: pl.DataFrame, tmp_path: Path
) -> None:
    assert_same_bars(law, through_flink(day.tape, day.hours, calendar(), tmp_path).bars())
