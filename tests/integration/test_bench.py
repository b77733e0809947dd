"""The benchmarks run, and what they hold against each other is what they say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.interval import Interval
from tests.bench import equality
from tests.bench.__main__ import PAGE, main
from tests.bench.floor import fold_lake
from tests.bench.timing import BenchmarkError, run_alone, seconds_of, together
from tests.bench.with_polars import resample_with_polars
from tests.conftest import NOW

PARTITION = keys.silver(Interval.parse("13d"), 2015)
SECTIONS = (
    "demo",
    "generate",
    "resample",
    "growth",
    "daily",
    "fetch",
    "intraday",
    "engine",
    "readers",
    "streams",
    "views",
    "latency",
    "memory",
)


@pytest.fixture(scope="module")
def resampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty symbols through twelve years, resampled."""
    folder = tmp_path_factory.mktemp("market") / "lake"
    lake = Lake(folder, clock=SetClock(NOW))
    lake.generate(60, start="2008-01-01", end="2019-12-31", seed=11)
    lake.resample()
    return folder


@pytest.fixture(scope="module")
def floor(resampled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("floor")
    fold_lake(resampled, folder)
    return folder


def test_every_bar_of_a_generated_market_is_the_floors(resampled: Path, floor: Path) -> None:
    compared = equality.compare_silver(floor, resampled)

    assert () == compared.differences
    assert compared.bars > 30_000


def test_every_bar_of_polars_is_the_floors(resampled: Path, floor: Path, tmp_path: Path) -> None:
    resample_with_polars(resampled, tmp_path)

    assert () == equality.compare_silver(floor, tmp_path).differences


def rewritten(change: pl.Expr) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        pl.read_parquet(path, hive_partitioning=False).with_columns(change).write_parquet(path)

    return rewrite


def shorter(path: Path) -> None:
    pl.read_parquet(path, hive_partitioning=False)[1:].write_parquet(path)


FIRST = pl.int_range(pl.len()) == 0
DAMAGES = {
    "a volume": (rewritten(pl.col("volume") + FIRST), "volume of 1 bars"),
    "a vwap": (rewritten(pl.col("vwap") * (1 + 1e-8 * FIRST)), "vwap of 1 bars"),
    "no vwap": (rewritten(pl.when(~FIRST).then("vwap")), "vwap of 1 bars"),
    "no trades": (rewritten(pl.when(~FIRST).then("trades")), "trades of 1 bars"),
    "a bar less": (shorter, " bars, not "),
    "a file less": (Path.unlink, "in one silver alone"),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES)
def test_what_differs_is_told(
    floor: Path, tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    for path in floor.rglob("*.parquet"):
        copy = tmp_path / path.relative_to(floor)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
    damage(tmp_path / PARTITION)

    (difference,) = equality.compare_silver(floor, tmp_path).differences

    assert difference.startswith(PARTITION)
    assert told in difference


def test_a_vwap_may_differ_in_its_last_digits(floor: Path, tmp_path: Path) -> None:
    for path in floor.rglob("*.parquet"):
        copy = tmp_path / path.relative_to(floor)
        copy.parent.mkdir(parents=True)
        vwap = pl.col("vwap") * (1 + 1e-10)
        pl.read_parquet(path, hive_partitioning=False).with_columns(vwap).write_parquet(copy)

    assert () == equality.compare_silver(floor, tmp_path).differences


def allocate(mib: int) -> dict[str, float]:
    """A task: hold some memory."""
    held = bytearray(b"x") * (mib * 2**20)
    return {"seconds": seconds_of(lambda: held.count(0)), "held": len(held)}


def fail() -> dict[str, float]:
    """A task that cannot be done."""
    raise SystemExit(3)


def test_a_measurement_has_its_own_process_and_its_own_peak_of_memory() -> None:
    small, large = run_alone(allocate, mib=1), run_alone(allocate, mib=512)

    assert 512 * 2**20 == large.result["held"]
    assert large.peak_gib - small.peak_gib > 0.4


def test_a_measurement_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(BenchmarkError, match="fail ended with 3"):
        run_alone(fail)


def test_the_benchmarks_run_from_end_to_end_on_a_small_market(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = PAGE.read_bytes()
    options = ["--symbols=2", "--start=2024-01-02", "--queries=2", f"--work={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["tests.bench", *options])

    with together():
        main()

    ran = capsys.readouterr()
    assert [f"{name} ..." for name in SECTIONS] == ran.err.splitlines()
    assert 2 == ran.out.count("| all ")
    assert "bars of silver were those that the floor makes anew." in ran.out
    assert [] == list(tmp_path.iterdir())
    assert before == PAGE.read_bytes()
